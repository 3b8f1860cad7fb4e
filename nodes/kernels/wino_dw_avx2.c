/* The kernels of the Winograd weight gradient for AVX2 with fused multiply-add. */
#define KERNELS cak_wino_dw_avx2
#define VECTOR_BYTES 32
#define ROW_TILES 3
#define TILES TILE(0, 6) TILE(6, 5) TILE(11, 5)
#include "nodes/kernels/wino_dw_template.h"
