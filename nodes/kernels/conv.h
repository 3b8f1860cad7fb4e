/* The arithmetic of conv2d, conv2d_dx and conv2d_dw: on packed panels or, between few channels, on padded rows (conv_small.h). Every output is gathered by its owner; nothing is scattered. */
#ifndef NODES_KERNELS_CONV_H
#define NODES_KERNELS_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "graph/real.h"
#include "graph/shape.h"

enum { CAK_CONV_STRIDE = 16 }; /* largest stride */

typedef struct cak_conv_attr { /* how x [B,C,H,W], w [O,C,kh,kw] and y [B,O,h,w] belong together */
    int64_t stride, pad, dilation;
} cak_conv_attr;

size_t cak_conv_scratch(const cak_shape *w);
void cak_conv_forward(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                      const real *w, real *y, void *scratch);

size_t cak_conv_dx_scratch(const cak_conv_attr *a, const cak_shape *x, const cak_shape *w, const cak_shape *y);
void cak_conv_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                 const real *w, real *gx, void *scratch);

/* The gradient of a sample is the sum, in double, of the partial sums of its chunks of rows, rounded to real; the result is the sum, in
** double, of the gradients of the samples in their order, rounded to real. So one sample at a time gives the same bits. */
size_t cak_conv_dw_scratch(const cak_shape *w, const cak_shape *y);
void cak_conv_dw(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                 const real *gy, real *gw, void *scratch);

#endif
