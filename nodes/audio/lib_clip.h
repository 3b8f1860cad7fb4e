/* What the sources share: fades. */
#ifndef CAK_LIB_CLIP_H
#define CAK_LIB_CLIP_H

#include <stdint.h>

#include "graph/real.h"

/* First and last `fade` samples times linspace(0, 1, fade), both ends included. */
void cak_clip_fade(real *x, int64_t n, int64_t fade);

#endif
