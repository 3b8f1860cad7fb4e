/* Winograd transforms in AVX-512. */
#define TRANSFORMS cak_wino_avx512
#define VECTOR_BYTES 64
#include "nodes/kernels/wino_template.h"
