/* The tape for AVX-512. */
#define RUN cak_tape_avx512
#define VECTOR_BYTES 64
#include "nodes/kernels/tape_template.h"
