/* The tape for AVX2. */
#define RUN cak_tape_avx2
#define VECTOR_BYTES 32
#include "nodes/kernels/tape_template.h"
