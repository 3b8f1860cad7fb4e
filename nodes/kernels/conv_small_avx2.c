/* The kernels of the convolutions between few channels for AVX2 with fused multiply-add. */
#define SMALL_TABLE cak_small_avx2
#define VECTOR_BYTES 32
#define VECTORS 8
#define TAPS 6
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#include "nodes/kernels/conv_small_template.h"
