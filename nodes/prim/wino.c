/* Winograd convolution of 4x4 kernels at stride 2, padding 1, on blocked channels: what conv2d and its adjoints are lowered to after
** differentiation. Filters and their gradients are values of their own in the Winograd domain, so that they are transformed once. */
#include "nodes/kernels/wino.h"

#include "graph/ops.h"
#include "nodes/prim/conv2d.h"

/* ---- shapes ---- */

static const cak_conv_attr geometry = { .stride = 2, .pad = 1, .dilation = 1 };

static bool blocked_image(cak_graph *g, const char *what, const cak_shape *s)
{
    char text[CAK_SHAPE_TEXT];
    if (s->rank == 5 && s->dim[4] == CAK_LANES) return true;
    return cak_fail(g, "%s must be [B,C/16,H,W,16], got %s", what, cak_shape_text(s, text));
}

static bool filters(cak_graph *g, const cak_shape *w)
{
    char text[CAK_SHAPE_TEXT];
    bool fits = w->rank == 4 && w->dim[2] == 4 && w->dim[3] == 4 && w->dim[0] % CAK_LANES == 0 && w->dim[1] % CAK_LANES == 0;
    return fits || cak_fail(g, "filters must be [O,C,4,4] with multiples of 16 for O and C, got %s", cak_shape_text(w, text));
}

static bool domain(cak_graph *g, const cak_shape *u, int64_t c, int64_t o)
{
    char text[CAK_SHAPE_TEXT];
    if (u->rank == 1 && u->dim[0] == cak_wino_filter_reals(c, o)) return true;
    return cak_fail(g, "filters from %lld to %lld channels have %lld numbers in the Winograd domain, got %s", (long long)c,
                    (long long)o, (long long)cak_wino_filter_reals(c, o), cak_shape_text(u, text));
}

static bool filter_shape(cak_graph *g, const cak_site *s, cak_shape *u)
{
    const cak_shape *w = &s->in_shape[0];
    if (!filters(g, w)) return false;
    *u = CAK_SHAPE(cak_wino_filter_reals(w->dim[1], w->dim[0]));
    return true;
}

static bool forward_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    int64_t out = *(const int64_t *)s->attr;
    const cak_shape *x = &s->in_shape[0];
    if (!blocked_image(g, "x", x)) return false;
    if (out % CAK_LANES) return cak_fail(g, "%lld output channels are no multiple of 16", (long long)out);
    cak_shape plain = cak_unblocked(x), w = CAK_SHAPE(out, plain.dim[1], 4, 4), result;
    if (!domain(g, &s->in_shape[1], w.dim[1], out) || !cak_conv2d_shape(g, &geometry, &plain, &w, &result)) return false;
    *y = cak_blocked(&result);
    return true;
}

/* x and gy must belong to one convolution. */
static bool pair(cak_graph *g, const cak_shape *x, const cak_shape *gy)
{
    if (!blocked_image(g, "x", x) || !blocked_image(g, "gy", gy)) return false;
    cak_shape px = cak_unblocked(x), pg = cak_unblocked(gy), w = CAK_SHAPE(pg.dim[1], px.dim[1], 4, 4);
    return cak_conv2d_adjoint_shape(g, &geometry, &px, &w, &pg);
}

static bool dx_shape(cak_graph *g, const cak_site *s, cak_shape *x)
{
    const cak_shape *gy = &s->in_shape[0];
    *x = *(const cak_shape *)s->attr;
    return pair(g, x, gy) && domain(g, &s->in_shape[1], x->dim[1] * CAK_LANES, gy->dim[1] * CAK_LANES);
}

static bool dw_shape(cak_graph *g, const cak_site *s, cak_shape *m)
{
    const cak_shape *x = &s->in_shape[0], *gy = &s->in_shape[1];
    if (!pair(g, x, gy)) return false;
    *m = CAK_SHAPE(cak_wino_filter_reals(x->dim[1] * CAK_LANES, gy->dim[1] * CAK_LANES));
    return true;
}

static bool filter_dw_shape(cak_graph *g, const cak_site *s, cak_shape *w)
{
    *w = *(const cak_shape *)s->attr;
    return filters(g, w) && domain(g, &s->in_shape[0], w->dim[1], w->dim[0]);
}

/* ---- kernels ---- */

static cak_wino problem(const cak_shape *x, const cak_shape *y)
{
    return (cak_wino){ x->dim[0], x->dim[1] * CAK_LANES, x->dim[2], x->dim[3], y->dim[1] * CAK_LANES, y->dim[2], y->dim[3] };
}

static void filter_run(const cak_work *w)
{
    const cak_shape *s = &w->in[0].shape;
    cak_wino_filter(s->dim[1], s->dim[0], w->in[0].data, w->y.data);
}

static void filter_dx_run(const cak_work *w)
{
    const cak_shape *s = &w->in[0].shape;
    cak_wino_filter_dx(s->dim[1], s->dim[0], w->in[0].data, w->y.data);
}

static void filter_dw_run(const cak_work *w)
{
    cak_wino_filter_dw(w->y.shape.dim[1], w->y.shape.dim[0], w->in[0].data, w->y.data);
}

static size_t forward_scratch(const cak_site *s)
{
    cak_wino g = problem(&s->in_shape[0], &s->y_shape);
    return cak_wino_forward_scratch(&g);
}

static void forward_run(const cak_work *w)
{
    cak_wino g = problem(&w->in[0].shape, &w->y.shape);
    cak_wino_forward(&g, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

static size_t dx_scratch(const cak_site *s)
{
    cak_wino g = problem(&s->y_shape, &s->in_shape[0]);
    return cak_wino_dx_scratch(&g);
}

static void dx_run(const cak_work *w)
{
    cak_wino g = problem(&w->y.shape, &w->in[0].shape);
    cak_wino_dx(&g, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

static size_t dw_scratch(const cak_site *s)
{
    cak_wino g = problem(&s->in_shape[0], &s->in_shape[1]);
    return cak_wino_dw_scratch(&g);
}

static void dw_run(const cak_work *w)
{
    cak_wino g = problem(&w->in[0].shape, &w->in[1].shape);
    cak_wino_dw(&g, w->in[0].data, w->in[1].data, w->y.data, w->scratch);
}

/* Of the products, with tiles that reach beyond the image and channels that fill a panel; the transforms only add. */
static double products(int64_t n, int64_t depth, int64_t width)
{
    return 2 * (double)(n * CAK_WINO_POSITIONS) * (double)(depth * cak_wino_panels(width) * CAK_WINO_PANEL);
}

static int64_t tiles(int64_t batch, int64_t h, int64_t w)
{
    return batch * ((h + CAK_WINO_OUT - 1) / CAK_WINO_OUT) * ((w + CAK_WINO_OUT - 1) / CAK_WINO_OUT);
}

static double forward_flops(const cak_site *s)
{
    cak_wino g = problem(&s->in_shape[0], &s->y_shape);
    return products(tiles(g.batch, g.h, g.w), CAK_WINO_PHASES * g.c, g.o);
}

/* Tiles begin in the padding and have outputs of each phase. */
static double dx_flops(const cak_site *s)
{
    cak_wino g = problem(&s->y_shape, &s->in_shape[0]);
    return products(tiles(g.batch, (g.height + 2) / 2, (g.width + 2) / 2), g.o, CAK_WINO_PHASES * g.c);
}

static double dw_flops(const cak_site *s)
{
    cak_wino g = problem(&s->in_shape[0], &s->in_shape[1]);
    return products(tiles(g.batch, g.h, g.w), CAK_WINO_PHASES * g.c, g.o);
}

/* ---- descriptors ---- */

/* A transform of shared filters is shared; filters made of samples are not lowered. */
static cak_rows filter_rows(const cak_site *s, const cak_rows *in)
{
    (void)s;
    return in[0] == CAK_ROWS_SHARED ? CAK_ROWS_SHARED : CAK_ROWS_MIXED;
}

static const cak_port w_in[] = { { "w", "filters [O,C,4,4]", false }, { 0 } };
static const cak_port m_in[] = { { "m", "gradient in the Winograd domain", false }, { 0 } };
static const cak_port forward_in[] = { { "x", "images [B,C/16,H,W,16]", false }, { "u", "wino_filter(w)", false }, { 0 } };
static const cak_port dx_in[] = { { "gy", "gradient [B,O/16,h,w,16]", false }, { "u", "wino_filter_dx(w)", false }, { 0 } };
static const cak_port dw_in[] = { { "x", "images [B,C/16,H,W,16]", false }, { "gy", "gradient [B,O/16,h,w,16]", false }, { 0 } };
static const cak_port one_out[] = { { "y", "result", false }, { 0 } };
static const cak_attr out_attrs[] = {
    { .name = "out", .doc = "output channels", .kind = CAK_INT, .required = true, .min = CAK_LANES, .max = 1 << 20 },
    { .kind = CAK_END },
};
static const cak_attr like_attrs[] = {
    { .name = "like", .doc = "shape of the result", .kind = CAK_SHAPE_OF, .required = true },
    { .kind = CAK_END },
};

#define NODE_OF(id, text, form, inputs, attributes, size, lin, rule, ...) \
    CAK_NODE(wino_##id) = { .name = "wino_" #id,                          \
                            .doc = text,                                  \
                            .formula = form,                              \
                            .in = inputs,                                 \
                            .out = one_out,                               \
                            .attr = attributes,                           \
                            .attr_size = size,                            \
                            .shape = id##_shape,                          \
                            .run = id##_run,                              \
                            .linear = lin,                                \
                            .rows = rule,                                 \
                            __VA_ARGS__ }

#define filter_dx_shape filter_shape
NODE_OF(filter, "filters of wino_forward (engine)", "u = G w G^T, for each parity of rows and columns", w_in, NULL, 0,
        CAK_LINEAR_JOINT, filter_rows);
NODE_OF(filter_dx, "filters of wino_dx (engine)", "u = G w G^T, for each parity of rows and columns", w_in, NULL, 0,
        CAK_LINEAR_JOINT, filter_rows);
NODE_OF(filter_dw, "gradient of the filters, from wino_dw (engine)", "y = G^T m G, for each parity of rows and columns", m_in,
        like_attrs, sizeof(cak_shape), CAK_LINEAR_JOINT, filter_rows);
NODE_OF(forward, "conv2d of 4x4 kernels at stride 2 on blocked channels (engine)", "y = A^T (u . B^T x B) A", forward_in,
        out_attrs, sizeof(int64_t), CAK_LINEAR_EACH, cak_conv2d_rows, .scratch = forward_scratch, .flops = forward_flops);
NODE_OF(dx, "conv2d_dx of 4x4 kernels at stride 2 on blocked channels (engine)", "<gy, wino_forward(x, u)> = <x, y>", dx_in,
        like_attrs, sizeof(cak_shape), CAK_LINEAR_EACH, cak_conv2d_rows, .scratch = dx_scratch, .flops = dx_flops);
NODE_OF(dw, "conv2d_dw of 4x4 kernels at stride 2 on blocked channels, in the Winograd domain (engine)",
        "m = sum over tiles of B^T x B . A gy A^T", dw_in, NULL, 0, CAK_LINEAR_EACH, cak_conv2d_dw_rows, .scratch = dw_scratch,
        .flops = dw_flops);
