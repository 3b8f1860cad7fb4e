/* The kernels of conv_small.h for one instruction set; the including file defines its table's name, vector width and most taps at a time. */
#include "nodes/kernels/conv_small.h"

enum { LANES = VECTOR_BYTES / sizeof(real), PARTS = CAK_SMALL_LANES / LANES };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#define INLINE __attribute__((always_inline)) static inline

static void chain(const cak_small_chain *c)
{
    const real *w = c->w, *x = c->x, *end = x + c->n;
    const int64_t *at = c->at, taps = c->taps;
    real *y = c->y;
    for (; x < end; x += VECTORS * LANES, y += VECTORS * LANES) {
        vec sum[VECTORS] = { 0 };
        for (int64_t t = 0; t < taps; t++) {
            const real *from = x + at[t];
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; v++) sum[v] += *(const vec *)(from + v * LANES) * w[t];
        }
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; v++) *(vec *)(y + v * LANES) = sum[v];
    }
}
_Static_assert(CAK_SMALL_STEP % (VECTORS * LANES) == 0, "whole tiles of registers");

INLINE void dots(const int taps, const cak_small_dots *d)
{
    vec sum[TAPS][PARTS] = { 0 };
    const real *g = d->g, *end = g + d->n, *x[TAPS];
#pragma GCC unroll 16
    for (int t = 0; t < taps; t++) x[t] = d->x + d->at[t];
    for (int64_t i = 0; g < end; g += CAK_SMALL_LANES, i += CAK_SMALL_LANES)
#pragma GCC unroll 8
        for (int p = 0; p < PARTS; p++) {
            vec by = *(const vec *)(g + p * LANES);
#pragma GCC unroll 16
            for (int t = 0; t < taps; t++) sum[t][p] += *(const vec *)(x[t] + i + p * LANES) * by;
        }
#pragma GCC unroll 16
    for (int t = 0; t < taps; t++)
#pragma GCC unroll 8
        for (int p = 0; p < PARTS; p++) *(vec *)(d->sum + t * CAK_SMALL_LANES + p * LANES) = sum[t][p];
}

#define TILE(taps) \
    static void dots_##taps(const cak_small_dots *d) { dots(taps, d); }
TILES
#undef TILE
#define TILE(taps) dots_##taps,
static cak_small_dots_tile *const all_dots[] = { TILES };
#undef TILE
_Static_assert(sizeof all_dots / sizeof *all_dots == TAPS, "one tile per number of taps");

extern const cak_small_isa SMALL_TABLE;
const cak_small_isa SMALL_TABLE = { .chain = chain, .taps = TAPS, .dots = all_dots };
