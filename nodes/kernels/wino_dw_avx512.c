/* The kernels of the Winograd weight gradient for AVX-512. */
#define KERNELS cak_wino_dw_avx512
#define VECTOR_BYTES 64
#define ROW_TILES 2
#define TILES TILE(0, 8) TILE(8, 8)
#include "nodes/kernels/wino_dw_template.h"
