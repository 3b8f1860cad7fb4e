/* Lowering of convolutions: 4x4 kernels at stride 2 become Winograd nodes, few input channels the nodes for them. */
#include "graph/lower_conv.h"

#include <math.h>

#include "nodes/kernels/few.h"
#include "nodes/prim/conv2d.h"

extern const cak_node cak_node_conv2d, cak_node_conv2d_dx, cak_node_conv2d_dw, cak_node_few_forward, cak_node_few_dx,
    cak_node_few_dw, cak_node_wino_forward, cak_node_wino_dx, cak_node_wino_dw, cak_node_wino_filter, cak_node_wino_filter_dx,
    cak_node_wino_filter_dw;

static cak_ref wino_forward(cak_graph *to, const cak_value *v, const cak_ref *in)
{
    cak_ref u = cak_append(to, &cak_node_wino_filter, NULL, &in[1], 1);
    return cak_append(to, &cak_node_wino_forward, &v->shape.dim[1], (const cak_ref[]){ in[0], u }, 2);
}

static cak_ref wino_dx(cak_graph *to, const cak_value *v, const cak_ref *in)
{
    cak_ref u = cak_append(to, &cak_node_wino_filter_dx, NULL, &in[1], 1);
    cak_shape like = cak_blocked(&v->shape);
    return cak_append(to, &cak_node_wino_dx, &like, (const cak_ref[]){ in[0], u }, 2);
}

static cak_ref wino_dw(cak_graph *to, const cak_value *v, const cak_ref *in)
{
    cak_ref m = cak_append(to, &cak_node_wino_dw, NULL, in, 2);
    return cak_append(to, &cak_node_wino_filter_dw, &v->shape, &m, 1);
}

/* One row for each of the three nodes of a convolution of x and w with result y. */
static const struct cak_conv_row {
    const cak_node *node;
    int x, w, y; /* which input each is; -1: it is the result */
    cak_ref (*wino)(cak_graph *to, const cak_value *v, const cak_ref *in);
    const cak_node *few;
} rows[] = {
    { &cak_node_conv2d, 0, 1, -1, wino_forward, &cak_node_few_forward },
    { &cak_node_conv2d_dx, -1, 1, 0, wino_dx, &cak_node_few_dx },
    { &cak_node_conv2d_dw, 0, -1, 1, wino_dw, &cak_node_few_dw },
};

static const cak_shape *shape_at(const cak_graph *g, const cak_value *v, int at)
{
    return at < 0 ? &v->shape : cak_shape_of(g, v->in[at]);
}

/* The numbers below were measured beside the direct kernels on images of 4x4 to 1025x1292 pixels, 1 to 16 at a time. */

/* Copying one element to another layout takes as long as 32 products of a direct convolution. */
static int64_t copies(double products)
{
    const double most = (double)CAK_MAX_ELEMENTS; /* no tensor is larger; keeps sums of many far from overflow */
    return (int64_t)fmax(-most, fmin(products / 32, most));
}

/* Winograd nodes take at most half the time, also where most of a tile lies outside of the image, because they pack nothing. Only for
** very few pixels the transform of the filters, 64 products for each pair of channels, is not worth it. */
static int64_t wino_gain(const cak_shape *w, const cak_shape *y)
{
    double pixels = (double)(y->dim[0] * y->dim[2] * y->dim[3]);
    return copies((16 * pixels / 2 - 64) * (double)(w->dim[0] * w->dim[1]));
}

/* The direct kernels copy the pixels of few channels more often than they multiply them: half the time is saved. */
static int64_t few_gain(const cak_shape *w, const cak_shape *y)
{
    return copies((double)cak_shape_size(y) * (double)(w->dim[1] * w->dim[2] * w->dim[3]) / 2);
}

bool cak_lowering_of(const cak_graph *g, const cak_value *v, cak_lowering *l)
{
    const struct cak_conv_row *r = rows, *end = rows + sizeof rows / sizeof *rows;
    while (r < end && r->node != v->node) r++;
    if (r == end || v->rows == CAK_ROWS_MIXED) return false;
    const cak_shape *w = shape_at(g, v, r->w), *y = shape_at(g, v, r->y);
    const cak_conv_attr *c = &((const cak_conv2d_attr *)v->attr)->c;
    bool wino =
        w->dim[1] % CAK_LANES == 0 && w->dim[2] == 4 && w->dim[3] == 4 && c->stride == 2 && c->pad == 1 && c->dilation == 1;
    if (w->dim[0] % CAK_LANES || (!wino && w->dim[1] > CAK_FEW)) return false;
    *l = (cak_lowering){ .row = r, .wino = wino, .gain = wino ? wino_gain(w, y) : few_gain(w, y) };
    for (int k = 0; k < 2; k++) l->in_blocked[k] = k == r->y || (k == r->x && wino);
    l->y_blocked = r->y < 0 || (r->x < 0 && wino);
    return true;
}

cak_ref cak_lower(cak_graph *to, const cak_value *v, const cak_lowering *l, const cak_ref *in)
{
    return l->wino ? l->row->wino(to, v, in) : cak_append(to, l->row->few, v->attr, in, 2);
}
