/* What the nodes that compute convolutions share: attributes, shapes, sample rows, and the blocked layout of channels. */
#ifndef NODES_PRIM_CONV2D_H
#define NODES_PRIM_CONV2D_H

#include "graph/node.h"
#include "nodes/kernels/conv.h"
#include "nodes/kernels/wino.h"

typedef struct cak_conv2d_attr { /* conv2d, few_forward and their adjoints */
    cak_conv_attr c;
    cak_shape like; /* adjoints: the shape they restore */
} cak_conv2d_attr;

/* Shape of the convolution of x and w; false after cak_fail(). */
bool cak_conv2d_shape(cak_graph *g, const cak_conv_attr *c, const cak_shape *x, const cak_shape *w, cak_shape *y);
bool cak_conv2d_adjoint_shape(cak_graph *g, const cak_conv_attr *c, const cak_shape *x, const cak_shape *w, const cak_shape *gy);

cak_rows cak_conv2d_rows(const cak_site *s, const cak_rows *in);    /* images from images and shared filters */
cak_rows cak_conv2d_dw_rows(const cak_site *s, const cak_rows *in); /* filters from two kinds of images */

/* Blocked channels: [B,C,H,W] as [B,C/16,H,W,16]; the channels of a pixel lie next to each other by sixteens. */
static inline cak_shape cak_blocked(const cak_shape *s)
{
    return CAK_SHAPE(s->dim[0], s->dim[1] / CAK_LANES, s->dim[2], s->dim[3], CAK_LANES);
}
static inline cak_shape cak_unblocked(const cak_shape *s)
{
    return CAK_SHAPE(s->dim[0], s->dim[1] * CAK_LANES, s->dim[2], s->dim[3]);
}

#endif
