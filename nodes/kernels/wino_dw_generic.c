/* The kernels of the Winograd weight gradient in portable 16-byte vectors. */
#define KERNELS cak_wino_dw_generic
#define VECTOR_BYTES 16
#define ROW_TILES 3
#define TILES TILE(0, 6) TILE(6, 5) TILE(11, 5)
#include "nodes/kernels/wino_dw_template.h"
