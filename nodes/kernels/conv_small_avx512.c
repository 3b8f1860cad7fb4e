/* The kernels of the convolutions between few channels for AVX-512: 32 registers, of half the width since a shifted read of 64 bytes
** always lies in two cache lines. */
#define SMALL_TABLE cak_small_avx512
#define VECTOR_BYTES 32
#define WIDE 4
#include "nodes/kernels/conv_small_template.h"
