/* The kernels of the convolutions between few channels in portable 16-byte vectors. */
#define SMALL_TABLE cak_small_generic
#define VECTOR_BYTES 16
#define WIDE 2
#include "nodes/kernels/conv_small_template.h"
