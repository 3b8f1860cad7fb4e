/* Winograd transforms in portable 16-byte vectors. */
#define TRANSFORMS cak_wino_generic
#define VECTOR_BYTES 16
#include "nodes/kernels/wino_template.h"
