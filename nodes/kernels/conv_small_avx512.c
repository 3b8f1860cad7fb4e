/* The kernels of the convolutions between few channels for AVX-512. */
#define SMALL_TABLE cak_small_avx512
#define VECTOR_BYTES 64
#define VECTORS 4
#define TAPS 12
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#include "nodes/kernels/conv_small_template.h"
