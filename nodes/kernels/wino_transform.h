/* The transforms of Winograd F(3,2) x F(3,2) on blocks of CAK_LANES channels, once for each instruction set; only additions occur.
**
** B' = [-1 0 1 0; 0 1 1 0; 0 -1 1 0; 0 -1 0 1] and A' = [1 1 1 0; 0 1 -1 0; 0 1 1 1], for the points 0, 1, -1 and infinity. */
#ifndef NODES_KERNELS_WINO_TRANSFORM_H
#define NODES_KERNELS_WINO_TRANSFORM_H

#include "nodes/kernels/gemm.h"

typedef struct cak_wino_transforms {
    /* v[p * v_position] = position p of B' d B for d[i][j] = x[i * row + j * column], i and j below 4 */
    void (*in)(const real *x, int64_t row, int64_t column, real *v, int64_t v_position);
    /* y[i * row + j * column] = A' m A for m[p * m_position], i and j below 3 */
    void (*out)(const real *m, int64_t m_position, real *y, int64_t row, int64_t column);
} cak_wino_transforms;

const cak_wino_transforms *cak_wino_transforms_get(const cak_isa *isa);

#endif
