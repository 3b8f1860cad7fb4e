/* The kernels of the convolutions between few channels for AVX2 with fused multiply-add. */
#define SMALL_TABLE cak_small_avx2
#define VECTOR_BYTES 32
#define WIDE 2
#include "nodes/kernels/conv_small_template.h"
