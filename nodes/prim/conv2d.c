/* 2-D convolution and its two adjoints. <conv2d(x, w), g> is linear in x, w and g, so the gradient of each of the three primitives is
** written with the other two, and the family is closed under differentiation of any order. */
#include "nodes/prim/conv2d.h"

#include "graph/graph.h"
#include "graph/ops.h"
#include "nodes/kernels/naive.h"

typedef cak_conv2d_attr conv_attr;

extern const cak_node cak_node_conv2d, cak_node_conv2d_dx, cak_node_conv2d_dw;

static cak_ref append(cak_graph *g, const cak_node *node, const cak_conv_attr *c, const cak_shape *like, cak_ref a, cak_ref b)
{
    conv_attr attr = { .c = *c };
    if (like) attr.like = *like;
    return cak_append(g, node, &attr, (const cak_ref[]){ a, b }, 2);
}

cak_ref cak_conv2d(cak_graph *g, cak_ref x, cak_ref w, int stride, int pad, int dilation)
{
    return append(g, &cak_node_conv2d, &(cak_conv_attr){ stride, pad, dilation }, NULL, x, w);
}

cak_ref cak_conv2d_dx(cak_graph *g, cak_ref gy, cak_ref w, int stride, int pad, int dilation, const cak_shape *x)
{
    return append(g, &cak_node_conv2d_dx, &(cak_conv_attr){ stride, pad, dilation }, x, gy, w);
}

cak_ref cak_conv2d_dw(cak_graph *g, cak_ref x, cak_ref gy, int stride, int pad, int dilation, const cak_shape *w)
{
    return append(g, &cak_node_conv2d_dw, &(cak_conv_attr){ stride, pad, dilation }, w, x, gy);
}

/* ---- shapes ---- */

bool cak_conv2d_shape(cak_graph *g, const cak_conv_attr *c, const cak_shape *x, const cak_shape *w, cak_shape *y)
{
    char a[CAK_SHAPE_TEXT], b[CAK_SHAPE_TEXT];
    if (x->rank != 4 || w->rank != 4)
        return cak_fail(g, "a convolution needs x [B,C,H,W] and w [O,C,kh,kw], got %s and %s", cak_shape_text(x, a),
                        cak_shape_text(w, b));
    if (x->dim[1] != w->dim[1])
        return cak_fail(g, "x has %lld channels, w expects %lld", (long long)x->dim[1], (long long)w->dim[1]);
    *y = CAK_SHAPE(x->dim[0], w->dim[0], 0, 0);
    for (int i = 2; i < 4; i++) {
        int64_t room = x->dim[i] + 2 * c->pad, need = (w->dim[i] - 1) * c->dilation + 1;
        if (w->dim[i] < 1 || need > room)
            return cak_fail(g, "the kernel spans %lld on axis %d, the padded input only %lld", (long long)need, i,
                            (long long)room);
        y->dim[i] = (room - need) / c->stride + 1;
    }
    return true;
}

static bool forward_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    return cak_conv2d_shape(g, s->attr, &s->in_shape[0], &s->in_shape[1], y);
}

/* An adjoint: the convolution of x and w must have the shape of gy. */
bool cak_conv2d_adjoint_shape(cak_graph *g, const cak_conv_attr *c, const cak_shape *x, const cak_shape *w, const cak_shape *gy)
{
    cak_shape y;
    char a[CAK_SHAPE_TEXT], b[CAK_SHAPE_TEXT];
    if (!cak_conv2d_shape(g, c, x, w, &y)) return false;
    if (cak_shape_equal(&y, gy)) return true;
    return cak_fail(g, "the convolution has shape %s, its gradient %s", cak_shape_text(&y, a), cak_shape_text(gy, b));
}

static bool conv2d_dx_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const conv_attr *a = s->attr;
    *y = a->like;
    return cak_conv2d_adjoint_shape(g, &a->c, y, &s->in_shape[1], &s->in_shape[0]);
}

static bool conv2d_dw_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const conv_attr *a = s->attr;
    *y = a->like;
    return cak_conv2d_adjoint_shape(g, &a->c, &s->in_shape[0], y, &s->in_shape[1]);
}

/* ---- kernels ---- */

static size_t conv2d_scratch(const cak_site *s) { return cak_reference() ? 0 : cak_conv_scratch(&s->in_shape[1]); }
static size_t conv2d_dx_scratch(const cak_site *s)
{
    return cak_reference() ? 0 : cak_conv_dx_scratch(s->attr, &s->y_shape, &s->in_shape[1], &s->in_shape[0]);
}
static size_t conv2d_dw_scratch(const cak_site *s)
{
    return cak_reference() ? 0 : cak_conv_dw_scratch(&s->y_shape, &s->in_shape[1]);
}

static void conv2d_run(const cak_work *w)
{
    const cak_shape *xs = &w->in[0].shape, *ws = &w->in[1].shape, *ys = &w->y.shape;
    if (cak_reference()) cak_naive_forward(w->attr, xs, ws, ys, w->in[0].data, w->in[1].data, w->y.data);
    else cak_conv_forward(w->attr, xs, ws, ys, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

static void conv2d_dx_run(const cak_work *w)
{
    const cak_shape *xs = &w->y.shape, *ws = &w->in[1].shape, *ys = &w->in[0].shape;
    if (cak_reference()) cak_naive_dx(w->attr, xs, ws, ys, w->in[0].data, w->in[1].data, w->y.data);
    else cak_conv_dx(w->attr, xs, ws, ys, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

static void conv2d_dw_run(const cak_work *w)
{
    const cak_shape *xs = &w->in[0].shape, *ws = &w->y.shape, *ys = &w->in[1].shape;
    if (cak_reference()) cak_naive_dw(w->attr, xs, ws, ys, w->in[0].data, w->in[1].data, w->y.data);
    else cak_conv_dw(w->attr, xs, ws, ys, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

/* Each of the three pairs every element of the convolution with the taps of one filter. */
static double taps(const cak_shape *y, const cak_shape *w)
{
    return 2 * (double)cak_shape_size(y) * (double)cak_shape_size(w) / (double)w->dim[0];
}

static double conv2d_flops(const cak_site *s) { return taps(&s->y_shape, &s->in_shape[1]); }
static double conv2d_dx_flops(const cak_site *s) { return taps(&s->in_shape[0], &s->in_shape[1]); }
static double conv2d_dw_flops(const cak_site *s) { return taps(&s->in_shape[1], &s->y_shape); }

/* ---- gradients ---- */

static void conv2d_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    gin[0] = append(g, &cak_node_conv2d_dx, s->attr, &s->in_shape[0], gy, s->in[1]);
    gin[1] = append(g, &cak_node_conv2d_dw, s->attr, &s->in_shape[1], s->in[0], gy);
}

static void conv2d_dx_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin) /* gy has the shape of x */
{
    gin[0] = append(g, &cak_node_conv2d, s->attr, NULL, gy, s->in[1]);
    gin[1] = append(g, &cak_node_conv2d_dw, s->attr, &s->in_shape[1], gy, s->in[0]);
}

static void conv2d_dw_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin) /* gy has the shape of w */
{
    gin[0] = append(g, &cak_node_conv2d_dx, s->attr, &s->in_shape[0], s->in[1], gy);
    gin[1] = append(g, &cak_node_conv2d, s->attr, NULL, s->in[0], gy);
}

/* ---- rows ---- */

cak_rows cak_conv2d_rows(const cak_site *s, const cak_rows *in)
{
    (void)s;
    return in[1] == CAK_ROWS_SHARED ? in[0] : CAK_ROWS_MIXED;
}

cak_rows cak_conv2d_dw_rows(const cak_site *s, const cak_rows *in)
{
    (void)s;
    return in[0] == in[1] && in[0] != CAK_ROWS_MIXED ? CAK_ROWS_SHARED : CAK_ROWS_MIXED;
}

/* ---- descriptors ---- */

static const cak_port conv2d_in[] = { { "x", "images [B,C,H,W]", false }, { "w", "filters [O,C,kh,kw]", false }, { 0 } };
static const cak_port conv2d_dx_in[] = { { "gy", "gradient [B,O,h,w] of a convolution", false },
                                         { "w", "filters [O,C,kh,kw]", false },
                                         { 0 } };
static const cak_port conv2d_dw_in[] = { { "x", "images [B,C,H,W]", false },
                                         { "gy", "gradient [B,O,h,w] of a convolution", false },
                                         { 0 } };
static const cak_port one_out[] = { { "y", "result", false }, { 0 } };

#define ROW(field, text, value, low, high)                                                                              \
    {                                                                                                                   \
        .name = #field, .doc = text, .kind = CAK_INT, .offset = offsetof(conv_attr, c.field), .def = value, .min = low, \
        .max = high, .unit = "samples"                                                                                  \
    }
#define ROWS                                                                                                            \
    ROW(stride, "step in both directions", 1, 1, CAK_CONV_STRIDE), ROW(pad, "zeros added on each side", 0, 0, 1 << 20), \
        ROW(dilation, "distance between taps", 1, 1, 1 << 20)
static const cak_attr conv2d_attrs[] = { ROWS, { .kind = CAK_END } };
static const cak_attr adjoint_attrs[] = {
    ROWS,
    { .name = "like", .doc = "shape of the result", .kind = CAK_SHAPE_OF, .offset = offsetof(conv_attr, like), .required = true },
    { .kind = CAK_END },
};

CAK_NODE(conv2d) = {
    .name = "conv2d",
    .doc = "2-D cross-correlation; torch.nn.functional.conv2d",
    .formula = "y[b,o,i,j] = sum over c,k,l of x[b,c, stride i + dilation k - pad, stride j + dilation l - pad] w[o,c,k,l]",
    .in = conv2d_in,
    .out = one_out,
    .attr = conv2d_attrs,
    .attr_size = sizeof(conv_attr),
    .shape = forward_shape,
    .run = conv2d_run,
    .scratch = conv2d_scratch,
    .linear = CAK_LINEAR_EACH,
    .flops = conv2d_flops,
    .diff = CAK_DIFF_RULE,
    .grad = conv2d_grad,
    .rows = cak_conv2d_rows,
};
CAK_NODE(conv2d_dx) = {
    .name = "conv2d_dx",
    .doc = "adjoint of conv2d in x; torch.nn.grad.conv2d_input",
    .formula = "<gy, conv2d(x, w)> = <x, y>",
    .in = conv2d_dx_in,
    .out = one_out,
    .attr = adjoint_attrs,
    .attr_size = sizeof(conv_attr),
    .shape = conv2d_dx_shape,
    .run = conv2d_dx_run,
    .scratch = conv2d_dx_scratch,
    .linear = CAK_LINEAR_EACH,
    .flops = conv2d_dx_flops,
    .diff = CAK_DIFF_RULE,
    .grad = conv2d_dx_grad,
    .rows = cak_conv2d_rows,
};
CAK_NODE(conv2d_dw) = {
    .name = "conv2d_dw",
    .doc = "adjoint of conv2d in w; torch.nn.grad.conv2d_weight",
    .formula = "<gy, conv2d(x, w)> = <w, y>",
    .in = conv2d_dw_in,
    .out = one_out,
    .attr = adjoint_attrs,
    .attr_size = sizeof(conv_attr),
    .shape = conv2d_dw_shape,
    .run = conv2d_dw_run,
    .scratch = conv2d_dw_scratch,
    .linear = CAK_LINEAR_EACH,
    .flops = conv2d_dw_flops,
    .diff = CAK_DIFF_RULE,
    .grad = conv2d_dw_grad,
    .rows = cak_conv2d_dw_rows,
};
