/* Filters of the Winograd forward and backward-data convolution, from [O,C,4,4] to panels of the domain of the products. */
#include <stdbool.h>

#include "graph/par.h"
#include "nodes/kernels/wino.h"

/* A unit is what CAK_LANES neighbouring terms of a sum contribute to a panel: [term][column]. */
enum { TAPS = 16, UNIT = CAK_LANES * CAK_WINO_PANEL };

int64_t cak_wino_filter_reals(int64_t c, int64_t o)
{
    return CAK_WINO_POSITIONS * CAK_WINO_PHASES * c * cak_wino_panels(o) * CAK_WINO_PANEL;
}

/* Half of the columns of a unit for the four taps of a phase, whose first tap is at w; backward the taps come in the opposite order. */
static void gather(const real *w, int64_t term, int64_t column, bool backward, real *g)
{
    for (int64_t lane = 0; lane < CAK_LANES; lane++)
        for (int64_t k = 0; k < CAK_LANES; k++)
            for (int64_t tap = 0; tap < 4; tap++) {
                int64_t from = backward ? 3 - tap : tap;
                g[tap * UNIT + k * CAK_WINO_PANEL + lane] = w[k * term + lane * column + from / 2 * 8 + from % 2 * 2];
            }
}

static void clear(real *g)
{
    for (int64_t i = 0; i < 4 * CAK_LANES; i++)
        for (int64_t lane = 0; lane < CAK_LANES; lane++) g[i * CAK_WINO_PANEL + lane] = 0;
}

/* u[position * apart] = G g G' */
static void transform(const real *restrict g, real *restrict u, int64_t apart)
{
    static const real to[4][2] = { { -1, 0 }, { (real)0.5, (real)0.5 }, { (real)0.5, (real)-0.5 }, { 0, 1 } };
    for (int i = 0; i < 4; i++, u += 4 * apart)
        for (int64_t e = 0; e < UNIT; e++) {
            real left = to[i][0] * g[e] + to[i][1] * g[2 * UNIT + e];
            real right = to[i][0] * g[UNIT + e] + to[i][1] * g[3 * UNIT + e];
            for (int j = 0; j < 4; j++) u[j * apart + e] = to[j][0] * left + to[j][1] * right;
        }
}

/* A panel is two blocks of O. */
void cak_wino_filter(int64_t c, int64_t o, const real *w, real *u)
{
    int64_t units = c / CAK_LANES * CAK_WINO_PHASES, apart = units * UNIT;
    CAK_PARALLEL_FOR (i, cak_wino_panels(o) * units, o * c * TAPS) {
        real g[4 * UNIT];
        int64_t panel = i / units, block = i % units / CAK_WINO_PHASES, phase = i % CAK_WINO_PHASES;
        for (int64_t half = 0; half < 2; half++) {
            int64_t out = panel * CAK_WINO_PANEL + half * CAK_LANES;
            const real *from = w + (out * c + block * CAK_LANES) * TAPS + phase / 2 * 4 + phase % 2;
            if (out < o) gather(from, TAPS, c * TAPS, false, g + half * CAK_LANES);
            else clear(g + half * CAK_LANES);
        }
        transform(g, u + panel * CAK_WINO_POSITIONS * apart + i % units * UNIT, apart);
    }
}

/* A panel is two column phases of a block of C. */
void cak_wino_filter_dx(int64_t c, int64_t o, const real *w, real *u)
{
    int64_t units = o / CAK_LANES, apart = units * UNIT;
    CAK_PARALLEL_FOR (i, c / CAK_LANES * 2 * units, o * c * TAPS) {
        real g[4 * UNIT];
        int64_t panel = i / units, block = i % units;
        const real *from = w + (block * CAK_LANES * c + panel / 2 * CAK_LANES) * TAPS + panel % 2 * 4;
        for (int64_t half = 0; half < 2; half++) gather(from + half, c * TAPS, TAPS, true, g + half * CAK_LANES);
        transform(g, u + panel * CAK_WINO_POSITIONS * apart + block * UNIT, apart);
    }
}
