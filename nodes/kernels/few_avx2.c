/* The micro-kernels of the convolutions of few channels for AVX2 with fused multiply-add. */
#define FEW_TABLE cak_few_avx2
#define VECTOR_BYTES 32
#define SUM_ROWS 6
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#define PRODUCT_ROWS_1 6
#define PRODUCT_TILES_1 TILES
#include "nodes/kernels/few_template.h"
