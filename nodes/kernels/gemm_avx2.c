/* The micro-kernel for AVX2 with fused multiply-add. */
#define ISA_NAME "avx2"
#define ISA_INDEX CAK_AVX2
#define ISA_TABLE cak_isa_avx2
#define VECTOR_BYTES 32
#define MR 6
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#include "nodes/kernels/gemm_template.h"
