/* The micro-kernels of the convolutions of few channels for AVX-512. */
#define FEW_TABLE cak_few_avx512
#define VECTOR_BYTES 64
#define SUM_ROWS 12
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#define PRODUCT_ROWS_1 12
#define PRODUCT_TILES_1 TILES
#include "nodes/kernels/few_template.h"
