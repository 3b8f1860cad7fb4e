/* Fades and digests of clips. */
#include "nodes/audio/lib_clip.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

void cak_clip_fade(real *x, int64_t n, int64_t fade)
{
    double step = fade > 1 ? 1 / (double)(fade - 1) : 0;
    for (int64_t i = 0; i < fade; i++) x[i] = (real)((double)x[i] * ((double)i * step));
    for (int64_t i = 0; i < fade; i++) x[n - 1 - i] = (real)((double)x[n - 1 - i] * ((double)i * step));
}

void cak_clip_digest(const char *text, char hex[33])
{
    XXH128_hash_t h = XXH3_128bits(text, strlen(text));
    snprintf(hex, 33, "%016" PRIx64 "%016" PRIx64, h.high64, h.low64);
}
