/* The micro-kernel for AVX-512. */
#define ISA_NAME "avx512"
#define ISA_INDEX CAK_AVX512
#define ISA_TABLE cak_isa_avx512
#define VECTOR_BYTES 64
#define MR 12
#define TILES TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#include "nodes/kernels/gemm_template.h"
