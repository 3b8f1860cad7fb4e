/* The tape in portable 16-byte vectors. */
#define RUN cak_tape_generic
#define VECTOR_BYTES 16
#include "nodes/kernels/tape_template.h"
