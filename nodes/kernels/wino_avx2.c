/* Winograd transforms in AVX2. */
#define TRANSFORMS cak_wino_avx2
#define VECTOR_BYTES 32
#include "nodes/kernels/wino_template.h"
