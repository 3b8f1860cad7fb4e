/* Convolutions straight from the formula, summed in double: what every faster one is judged by. */
#ifndef NODES_KERNELS_NAIVE_H
#define NODES_KERNELS_NAIVE_H

#include <stdbool.h>

#include "nodes/kernels/conv.h"

void cak_naive_forward(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                       const real *w, real *y);
void cak_naive_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                  const real *w, real *gx);
void cak_naive_dw(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                  const real *gy, real *gw);

/* Reference mode: conv2d and its adjoints use these. Set it before planning. */
void cak_reference_set(bool on);
bool cak_reference(void);

#endif
