/* Fades of clips. */
#include "nodes/audio/lib_clip.h"

void cak_clip_fade(real *x, int64_t n, int64_t fade)
{
    double step = fade > 1 ? 1 / (double)(fade - 1) : 0;
    for (int64_t i = 0; i < fade; i++) x[i] = (real)((double)x[i] * ((double)i * step));
    for (int64_t i = 0; i < fade; i++) x[n - 1 - i] = (real)((double)x[n - 1 - i] * ((double)i * step));
}
