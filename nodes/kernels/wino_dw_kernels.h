/* What the weight gradient of Winograd F(3,2) x F(3,2) needs beyond wino_transform.h, once for each instruction set. */
#ifndef NODES_KERNELS_WINO_DW_KERNELS_H
#define NODES_KERNELS_WINO_DW_KERNELS_H

#include "nodes/kernels/gemm.h"

/* c[i * c_row + o] = (add ? c : 0) + sum over n tiles of v[tile * CAK_LANES + i] * y[tile * CAK_WINO_PANEL + o] for i < CAK_LANES and
** o < CAK_WINO_PANEL: a chain from zero, then added. Meanwhile `run` numbers from `ahead` on come near. */
typedef struct cak_wino_dw_sum {
    int64_t n;
    const real *v, *y;
    real *c;
    int64_t c_row;
    bool add;
    const real *ahead;
    int64_t run;
} cak_wino_dw_sum;

typedef struct cak_wino_dw_kernels {
    /* to[p * position] = position p of A gy A' for gy[i][k] = gy[i * row + k * CAK_LANES], i and k below 3; only additions occur */
    void (*transform)(const real *gy, int64_t row, real *to, int64_t position);
    void (*sum)(const cak_wino_dw_sum *s);
} cak_wino_dw_kernels;

#endif
