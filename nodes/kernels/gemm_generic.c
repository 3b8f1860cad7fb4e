/* The micro-kernel in portable 16-byte vectors. */
#define ISA_NAME "generic"
#define ISA_INDEX CAK_GENERIC
#define ISA_TABLE cak_isa_generic
#define VECTOR_BYTES 16
#define MR 6
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#include "nodes/kernels/gemm_template.h"
