/* Builder calls: one line per operation; shapes are checked by the primitives. Products are defined beside their kernels. */
#include "graph/ops.h"

#include <string.h>

#include "graph/attr_types.h"
#include "graph/graph.h"

/* One row per element-wise primitive that takes no attribute. */
#define UNARY(op)                        \
    extern const cak_node cak_node_##op; \
    cak_ref cak_##op(cak_graph *g, cak_ref x) { return cak_append(g, &cak_node_##op, NULL, &x, 1); }
#define BINARY(op)                                                                \
    extern const cak_node cak_node_##op;                                          \
    cak_ref cak_##op(cak_graph *g, cak_ref x, cak_ref y)                          \
    {                                                                             \
        return cak_append(g, &cak_node_##op, NULL, (const cak_ref[]){ x, y }, 2); \
    }
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
UNARY(neg)
UNARY(exp)
UNARY(log)
UNARY(log1p)
UNARY(sqrt)
UNARY(rsqrt)
UNARY(square)
UNARY(recip)
UNARY(sin)
UNARY(cos)
UNARY(tanh)
UNARY(sigmoid)
UNARY(abs)
UNARY(sign)
UNARY(detach)

extern const cak_node cak_node_const, cak_node_pow, cak_node_leaky_mask, cak_node_clip, cak_node_reduce_sum, cak_node_expand,
    cak_node_reshape, cak_node_permute, cak_node_slice, cak_node_pad, cak_node_draw;

cak_ref cak_const(cak_graph *g, double v) { return cak_append(g, &cak_node_const, &v, NULL, 0); }
cak_ref cak_scale(cak_graph *g, cak_ref x, double a) { return cak_mul(g, x, cak_const(g, a)); }
cak_ref cak_shift(cak_graph *g, cak_ref x, double a) { return cak_add(g, x, cak_const(g, a)); }
cak_ref cak_pow(cak_graph *g, cak_ref x, double p) { return cak_append(g, &cak_node_pow, &p, &x, 1); }
cak_ref cak_leaky_mask(cak_graph *g, cak_ref x, double slope) { return cak_append(g, &cak_node_leaky_mask, &slope, &x, 1); }

cak_ref cak_clip(cak_graph *g, cak_ref x, double lo, double hi)
{
    return cak_append(g, &cak_node_clip, (const double[]){ lo, hi }, &x, 1);
}

static cak_ints shape_ints(const cak_shape *s)
{
    cak_ints v = { .n = s->rank };
    memcpy(v.v, s->dim, (size_t)s->rank * sizeof *v.v);
    return v;
}

cak_ref cak_sum_axes(cak_graph *g, cak_ref x, int axes)
{
    cak_ints list = { 0 };
    const cak_shape *s = cak_shape_of(g, x);
    bool samples = !cak_is_none(x) && cak_graph_value(g, x)->rows == CAK_ROWS_SAMPLE; /* a batch of one folds too */
    for (int i = 0; i < s->rank; i++)
        if (axes >> i & 1 && (s->dim[i] != 1 || (i == 0 && samples))) list.v[list.n++] = i;
    return list.n ? cak_append(g, &cak_node_reduce_sum, &list, &x, 1) : x;
}

static double axes_size(const cak_shape *s, int axes)
{
    double n = 1;
    for (int i = 0; i < s->rank; i++)
        if (axes >> i & 1) n *= (double)s->dim[i];
    return n;
}

cak_ref cak_mean_axes(cak_graph *g, cak_ref x, int axes)
{
    double n = axes_size(cak_shape_of(g, x), axes);
    return cak_scale(g, cak_sum_axes(g, x, axes), 1 / n);
}

cak_ref cak_sum(cak_graph *g, cak_ref x)
{
    cak_shape scalar = CAK_SCALAR;
    return cak_reshape(g, cak_sum_axes(g, x, CAK_ALL_AXES), &scalar);
}

cak_ref cak_mean(cak_graph *g, cak_ref x) { return cak_scale(g, cak_sum(g, x), 1 / (double)cak_shape_size(cak_shape_of(g, x))); }

cak_ref cak_expand(cak_graph *g, cak_ref x, const cak_shape *to)
{
    if (cak_is_none(x) || cak_shape_equal(cak_shape_of(g, x), to)) return x;
    cak_expand_attr a = { shape_ints(to), false };
    return cak_append(g, &cak_node_expand, &a, &x, 1);
}

cak_ref cak_expand_samples(cak_graph *g, cak_ref x, const cak_shape *to)
{
    if (cak_is_none(x) || cak_shape_equal(cak_shape_of(g, x), to)) return x;
    cak_expand_attr a = { shape_ints(to), true };
    return cak_append(g, &cak_node_expand, &a, &x, 1);
}

cak_ref cak_reshape(cak_graph *g, cak_ref x, const cak_shape *to)
{
    if (cak_is_none(x) || cak_shape_equal(cak_shape_of(g, x), to)) return x;
    cak_ints shape = shape_ints(to);
    return cak_append(g, &cak_node_reshape, &shape, &x, 1);
}

cak_ref cak_permute(cak_graph *g, cak_ref x, const cak_ints *order) { return cak_append(g, &cak_node_permute, order, &x, 1); }

cak_ref cak_slice(cak_graph *g, cak_ref x, int axis, int64_t from, int64_t count)
{
    return cak_append(g, &cak_node_slice, (const int64_t[]){ axis, from, count }, &x, 1);
}

cak_ref cak_pad(cak_graph *g, cak_ref x, int axis, int64_t before, int64_t after)
{
    return before || after ? cak_append(g, &cak_node_pad, (const int64_t[]){ axis, before, after }, &x, 1) : x;
}

cak_ref cak_concat(cak_graph *g, cak_ref x, cak_ref y, int axis)
{
    return cak_add(g, cak_pad(g, x, axis, 0, cak_dim(g, y, axis)), cak_pad(g, y, axis, cak_dim(g, x, axis), 0));
}

cak_ref cak_column(cak_graph *g, cak_ref x, cak_ref like)
{
    if (cak_is_none(x) || cak_is_none(like)) return CAK_NONE;
    const cak_shape *s = cak_shape_of(g, x);
    cak_shape to = { .rank = cak_shape_of(g, like)->rank };
    for (int i = 0; i < to.rank; i++) to.dim[i] = i < s->rank ? s->dim[i] : 1;
    return cak_reshape(g, x, &to);
}

cak_ref cak_flat(cak_graph *g, cak_ref x)
{
    if (cak_is_none(x)) return x;
    cak_shape to = CAK_SHAPE(cak_dim(g, x, 0));
    if (cak_shape_size(cak_shape_of(g, x)) != to.dim[0]) {
        char text[CAK_SHAPE_TEXT];
        return cak_fail(g, "expected one number per sample, got %s", cak_shape_text(cak_shape_of(g, x), text)), CAK_NONE;
    }
    return cak_reshape(g, x, &to);
}

cak_ref cak_uniform(cak_graph *g, const char *stream, const cak_shape *shape)
{
    cak_draw_attr a = { stream, shape_ints(shape), 0 };
    return cak_append(g, &cak_node_draw, &a, NULL, 0);
}
