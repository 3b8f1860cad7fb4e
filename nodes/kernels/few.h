/* Convolution between an image of few channels (not blocked) and blocked channels: the first layer of a network and its adjoints.
**
** x [B,C,H,W] with C <= CAK_FEW, y [B, O/16, h, w, 16]; O is a multiple of 16. Lanes are output channels, so that every output is one
** chain of multiply-adds in an order that depends on the shape alone: same bits for any thread count and for AVX2 and AVX-512. */
#ifndef NODES_KERNELS_FEW_H
#define NODES_KERNELS_FEW_H

#include "nodes/kernels/conv.h"

enum { CAK_FEW = 4 };

typedef struct cak_few { /* one convolution; any kernel size, stride, padding and dilation */
    cak_conv_attr a;
    int64_t batch, c, height, width; /* of x */
    int64_t o, h, w;                 /* of y; o = channels, not blocks */
    int64_t kh, kw;
} cak_few;

/* w, gw: [O,C,kh,kw], not blocked (they are small). scratch: 64-byte aligned, for cak_threads() threads. */
size_t cak_few_forward_scratch(const cak_few *g);
void cak_few_forward(const cak_few *g, const real *x, const real *w, real *y, void *scratch);
size_t cak_few_dx_scratch(const cak_few *g);
void cak_few_dx(const cak_few *g, const real *gy, const real *w, real *gx, void *scratch);
size_t cak_few_dw_scratch(const cak_few *g);
void cak_few_dw(const cak_few *g, const real *x, const real *gy, real *gw, void *scratch); /* gw: sum over the batch */

#endif
