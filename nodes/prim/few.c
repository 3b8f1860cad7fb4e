/* Convolution between a few plain channels and blocked channels: what conv2d and its adjoints are lowered to at the ends of a network,
** after differentiation. */
#include "nodes/kernels/few.h"

#include "graph/ops.h"
#include "nodes/prim/conv2d.h"

/* ---- shapes ---- */

static bool few_channels(cak_graph *g, const cak_shape *x, const cak_shape *w)
{
    char a[CAK_SHAPE_TEXT], b[CAK_SHAPE_TEXT];
    if (x->rank == 4 && x->dim[1] <= CAK_FEW && w->rank == 4 && w->dim[0] % CAK_LANES == 0) return true;
    return cak_fail(g, "x must have up to %d channels and w a multiple of 16 filters, got %s and %s", CAK_FEW,
                    cak_shape_text(x, a), cak_shape_text(w, b));
}

static bool forward_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    cak_shape plain;
    const cak_shape *x = &s->in_shape[0], *w = &s->in_shape[1];
    if (!few_channels(g, x, w) || !cak_conv2d_shape(g, s->attr, x, w, &plain)) return false;
    *y = cak_blocked(&plain);
    return true;
}

static bool adjoint_shape(cak_graph *g, const cak_conv_attr *c, const cak_shape *x, const cak_shape *w, const cak_shape *gy)
{
    char text[CAK_SHAPE_TEXT];
    if (!few_channels(g, x, w)) return false;
    if (gy->rank != 5 || gy->dim[4] != CAK_LANES)
        return cak_fail(g, "gy must be [B,O/16,h,w,16], got %s", cak_shape_text(gy, text));
    cak_shape plain = cak_unblocked(gy);
    return cak_conv2d_adjoint_shape(g, c, x, w, &plain);
}

static bool dx_shape(cak_graph *g, const cak_site *s, cak_shape *x)
{
    const cak_conv2d_attr *a = s->attr;
    *x = a->like;
    return adjoint_shape(g, &a->c, x, &s->in_shape[1], &s->in_shape[0]);
}

static bool dw_shape(cak_graph *g, const cak_site *s, cak_shape *w)
{
    const cak_conv2d_attr *a = s->attr;
    *w = a->like;
    return adjoint_shape(g, &a->c, &s->in_shape[0], w, &s->in_shape[1]);
}

/* ---- kernels ---- */

static cak_few problem(const void *attr, const cak_shape *x, const cak_shape *w, const cak_shape *y)
{
    return (cak_few){ .a = *(const cak_conv_attr *)attr,
                      .batch = x->dim[0],
                      .c = x->dim[1],
                      .height = x->dim[2],
                      .width = x->dim[3],
                      .o = w->dim[0],
                      .h = y->dim[2],
                      .w = y->dim[3],
                      .kh = w->dim[2],
                      .kw = w->dim[3] };
}

static size_t forward_scratch(const cak_site *s)
{
    cak_few g = problem(s->attr, &s->in_shape[0], &s->in_shape[1], &s->y_shape);
    return cak_few_forward_scratch(&g);
}

static void forward_run(const cak_work *w)
{
    cak_few g = problem(w->attr, &w->in[0].shape, &w->in[1].shape, &w->y.shape);
    cak_few_forward(&g, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

static size_t dx_scratch(const cak_site *s)
{
    cak_few g = problem(s->attr, &s->y_shape, &s->in_shape[1], &s->in_shape[0]);
    return cak_few_dx_scratch(&g);
}

static void dx_run(const cak_work *w)
{
    cak_few g = problem(w->attr, &w->y.shape, &w->in[1].shape, &w->in[0].shape);
    cak_few_dx(&g, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

static size_t dw_scratch(const cak_site *s)
{
    cak_few g = problem(s->attr, &s->in_shape[0], &s->y_shape, &s->in_shape[1]);
    return cak_few_dw_scratch(&g);
}

static void dw_run(const cak_work *w)
{
    cak_few g = problem(w->attr, &w->in[0].shape, &w->y.shape, &w->in[1].shape);
    cak_few_dw(&g, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

/* Each of the three pairs every element of y with the taps of its filter. */
static double taps(const cak_shape *y, const cak_shape *w)
{
    return 2 * (double)cak_shape_size(y) * (double)cak_shape_size(w) / (double)w->dim[0];
}

static double forward_flops(const cak_site *s) { return taps(&s->y_shape, &s->in_shape[1]); }
static double dx_flops(const cak_site *s) { return taps(&s->in_shape[0], &s->in_shape[1]); }
static double dw_flops(const cak_site *s) { return taps(&s->in_shape[1], &s->y_shape); }

/* ---- descriptors ---- */

static const cak_port forward_in[] = { { "x", "images [B,C,H,W], up to 4 channels", false },
                                       { "w", "filters [O,C,kh,kw]", false },
                                       { 0 } };
static const cak_port dx_in[] = { { "gy", "gradient [B,O/16,h,w,16]", false }, { "w", "filters [O,C,kh,kw]", false }, { 0 } };
static const cak_port dw_in[] = { { "x", "images [B,C,H,W], up to 4 channels", false },
                                  { "gy", "gradient [B,O/16,h,w,16]", false },
                                  { 0 } };
static const cak_port one_out[] = { { "y", "result", false }, { 0 } };

#define ROW(field, text, value, low, high)                                                                                    \
    {                                                                                                                         \
        .name = #field, .doc = text, .kind = CAK_INT, .offset = offsetof(cak_conv2d_attr, c.field), .def = value, .min = low, \
        .max = high, .unit = "samples"                                                                                        \
    }
#define ROWS                                                                                                            \
    ROW(stride, "step in both directions", 1, 1, CAK_CONV_STRIDE), ROW(pad, "zeros added on each side", 0, 0, 1 << 20), \
        ROW(dilation, "distance between taps", 1, 1, 1 << 20)
static const cak_attr forward_attrs[] = { ROWS, { .kind = CAK_END } };
static const cak_attr adjoint_attrs[] = {
    ROWS,
    { .name = "like",
      .doc = "shape of the result",
      .kind = CAK_SHAPE_OF,
      .offset = offsetof(cak_conv2d_attr, like),
      .required = true },
    { .kind = CAK_END },
};

#define NODE_OF(id, text, form, attributes, rule)                \
    CAK_NODE(few_##id) = { .name = "few_" #id,                   \
                           .doc = text,                          \
                           .formula = form,                      \
                           .in = id##_in,                        \
                           .out = one_out,                       \
                           .attr = attributes,                   \
                           .attr_size = sizeof(cak_conv2d_attr), \
                           .shape = id##_shape,                  \
                           .run = id##_run,                      \
                           .scratch = id##_scratch,              \
                           .flops = id##_flops,                  \
                           .linear = CAK_LINEAR_EACH,            \
                           .rows = rule }
NODE_OF(forward, "conv2d from a few channels to blocked channels (engine)", "y = conv2d(x, w)", forward_attrs, cak_conv2d_rows);
NODE_OF(dx, "adjoint of few_forward in x (engine)", "<gy, few_forward(x, w)> = <x, y>", adjoint_attrs, cak_conv2d_rows);
NODE_OF(dw, "adjoint of few_forward in w (engine)", "<gy, few_forward(x, w)> = <w, y>", adjoint_attrs, cak_conv2d_dw_rows);
