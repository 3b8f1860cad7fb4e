/* Winograd convolution F(3,2) x F(3,2) of 4x4 kernels at stride 2, padding 1, dilation 1, on blocked channels.
**
** A 4x4 kernel at stride 2 is four 2x2 kernels at stride 1, one for each parity of the input rows and columns (polyphase); F(3,2) takes
** 4 products for 3 outputs of a 2-tap filter, so 16 matrix products stand for 36 outputs' worth of taps: 2.25 times fewer
** multiplications. Blocked: x [B, C/16, H, W, 16], y [B, O/16, h, w, 16], h = (H - 2) / 2 + 1; C and O are multiples of 16.
** Every function gives the same bits for any thread count and for AVX2 and AVX-512. */
#ifndef NODES_KERNELS_WINO_H
#define NODES_KERNELS_WINO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/real.h"

enum {
    CAK_LANES = 16,          /* channels of a block */
    CAK_WINO_OUT = 3,        /* outputs of a tile on each axis */
    CAK_WINO_IN = 4,         /* inputs of a tile on each axis, of one phase */
    CAK_WINO_POSITIONS = 16, /* products of a tile */
    CAK_WINO_PHASES = 4,     /* (row, column) = (p / 2, p % 2): rows 2i - 1 + p / 2 of x, columns 2j - 1 + p % 2 */
    CAK_WINO_PANEL = 32      /* columns of a panel of filters */
};

typedef struct cak_wino {            /* one convolution */
    int64_t batch, c, height, width; /* of x; c = channels, not blocks */
    int64_t o, h, w;                 /* of y */
} cak_wino;

/* Filters in the Winograd domain: cak_wino_filter_reals() numbers, in an order of its own for each of the three.
** Forward: [panel of O][position][C/16][phase][16 of C][32 of O], zeros beyond O.
** dx: [C/16][row phase][position][O][column phase][16 of C]. */
static inline int64_t cak_wino_panels(int64_t columns) { return (columns + CAK_WINO_PANEL - 1) / CAK_WINO_PANEL; }
int64_t cak_wino_filter_reals(int64_t c, int64_t o);
void cak_wino_filter(int64_t c, int64_t o, const real *w, real *u);     /* w [O,C,4,4] for cak_wino_forward */
void cak_wino_filter_dx(int64_t c, int64_t o, const real *w, real *u);  /* for cak_wino_dx */
void cak_wino_filter_dw(int64_t c, int64_t o, const real *m, real *gw); /* from cak_wino_dw to gw [O,C,4,4]; linear */

/* scratch: 64-byte aligned, for cak_threads() threads */
size_t cak_wino_forward_scratch(const cak_wino *g);
void cak_wino_forward(const cak_wino *g, const real *x, const real *u, real *y, void *scratch);
size_t cak_wino_dx_scratch(const cak_wino *g);
void cak_wino_dx(const cak_wino *g, const real *gy, const real *u, real *gx, void *scratch);
size_t cak_wino_dw_scratch(const cak_wino *g);
void cak_wino_dw(const cak_wino *g, const real *x, const real *gy, real *m, void *scratch); /* m: sum over the batch */

#endif
