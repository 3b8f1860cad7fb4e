/* The micro-kernels of the convolutions of few channels in portable 16-byte vectors. */
#define FEW_TABLE cak_few_generic
#define VECTOR_BYTES 16
#define SUM_ROWS 6
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#define PRODUCT_ROWS_1 6
#define PRODUCT_TILES_1 TILES
#include "nodes/kernels/few_template.h"
