/* Filters of the Winograd forward and backward-data convolution, from [O,C,4,4] to panels of the domain of the products. */
#include <stdbool.h>

#include "graph/par.h"
#include "nodes/kernels/wino.h"

enum { TAPS = 16 };

int64_t cak_wino_filter_reals(int64_t c, int64_t o)
{
    return CAK_WINO_POSITIONS * CAK_WINO_PHASES * c * cak_wino_panels(o) * CAK_WINO_PANEL;
}

/* One axis of G g: a filter of two taps at the points 0, 1, -1 and infinity. Halves are exact. */
static void two_taps(real g0, real g1, real *u)
{
    u[0] = -g0;
    u[1] = (g0 + g1) * (real)0.5;
    u[2] = (g0 - g1) * (real)0.5;
    u[3] = g1;
}

/* u[position * apart] = G g G' for a filter [2][2] */
static void transform(const real g[2][2], real *u, int64_t apart)
{
    real rows[2][4], column[4];
    for (int i = 0; i < 2; i++) two_taps(g[i][0], g[i][1], rows[i]);
    for (int j = 0; j < 4; j++) {
        two_taps(rows[0][j], rows[1][j], column);
        for (int i = 0; i < 4; i++) u[(i * 4 + j) * apart] = column[i];
    }
}

/* Taps 0 and 1 of phase p are 0 + p and 2 + p of the kernel; backward they come in the opposite order. */
static void phase_taps(const real *w, int64_t phase, bool backward, real g[2][2])
{
    const real *at = w + phase / 2 * 4 + phase % 2;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) g[i][j] = backward ? at[(1 - i) * 8 + (1 - j) * 2] : at[i * 8 + j * 2];
}

void cak_wino_filter(int64_t c, int64_t o, const real *w, real *u)
{
    int64_t depth = CAK_WINO_PHASES * c, apart = depth * CAK_WINO_PANEL;
    CAK_PARALLEL_FOR (row, cak_wino_panels(o) * c, o * c * TAPS) {
        int64_t panel = row / c, channel = row % c;
        for (int64_t phase = 0; phase < CAK_WINO_PHASES; phase++) {
            int64_t k = (channel / CAK_LANES * CAK_WINO_PHASES + phase) * CAK_LANES + channel % CAK_LANES;
            real *to = u + panel * CAK_WINO_POSITIONS * apart + k * CAK_WINO_PANEL;
            for (int64_t lane = 0; lane < CAK_WINO_PANEL; lane++) {
                int64_t out = panel * CAK_WINO_PANEL + lane;
                real g[2][2] = { { 0 } };
                if (out < o) phase_taps(w + (out * c + channel) * TAPS, phase, false, g);
                transform(g, to + lane, apart);
            }
        }
    }
}

void cak_wino_filter_dx(int64_t c, int64_t o, const real *w, real *u)
{
    int64_t apart = o * CAK_WINO_PANEL;
    CAK_PARALLEL_FOR (row, c / CAK_LANES * o, o * c * TAPS) {
        int64_t block = row / o, out = row % o;
        for (int64_t phase = 0; phase < CAK_WINO_PHASES; phase++) {
            real *to = u + (block * 2 + phase / 2) * CAK_WINO_POSITIONS * apart + out * CAK_WINO_PANEL + phase % 2 * CAK_LANES;
            for (int64_t lane = 0; lane < CAK_LANES; lane++) {
                real g[2][2];
                phase_taps(w + (out * c + block * CAK_LANES + lane) * TAPS, phase, true, g);
                transform(g, to + lane, apart);
            }
        }
    }
}
