/* Sums and means over chosen axes, for configurations: sum, mean, mean_abs. */
#include "graph/ops.h"

/* axes empty: all axes, and y is a scalar. keep: reduced axes stay with extent 1, otherwise they are dropped. */
typedef struct reduce_attr {
    cak_ints axes;
    bool keep;
} reduce_attr;

static cak_ref reduce(cak_graph *g, const cak_site *s, cak_ref x, bool mean)
{
    const reduce_attr *a = s->attr;
    const cak_shape *shape = &s->in_shape[0];
    int mask = a->axes.n ? 0 : CAK_ALL_AXES;
    for (int i = 0; i < a->axes.n; i++) {
        int64_t axis = a->axes.v[i] < 0 ? a->axes.v[i] + shape->rank : a->axes.v[i];
        if (axis < 0 || axis >= shape->rank)
            return cak_fail(g, "axis %lld does not exist in a tensor of rank %d", (long long)a->axes.v[i], shape->rank), CAK_NONE;
        mask |= 1 << axis;
    }
    cak_ref y = mean ? cak_mean_axes(g, x, mask) : cak_sum_axes(g, x, mask);
    if (a->keep) return y;
    cak_shape to = CAK_SCALAR;
    for (int i = 0; i < shape->rank; i++)
        if (!(mask >> i & 1)) to.dim[to.rank++] = shape->dim[i];
    return cak_reshape(g, y, &to);
}

static void sum_expand(cak_graph *g, const cak_site *s, cak_ref *out) { out[0] = reduce(g, s, s->in[0], false); }
static void mean_expand(cak_graph *g, const cak_site *s, cak_ref *out) { out[0] = reduce(g, s, s->in[0], true); }
static void mean_abs_expand(cak_graph *g, const cak_site *s, cak_ref *out) { out[0] = reduce(g, s, cak_abs(g, s->in[0]), true); }

static const cak_port in[] = { { "x", "any shape", false }, { 0 } };
static const cak_port outs[] = { { "y", "scalar, or the axes that are left", false }, { 0 } };
static const cak_attr attrs[] = {
    { .name = "axes",
      .doc = "axes to reduce, negative from the end; empty: all",
      .kind = CAK_INTS,
      .offset = offsetof(reduce_attr, axes),
      .def_text = "[]" },
    { .name = "keep", .doc = "keep reduced axes with extent 1", .kind = CAK_BOOL, .offset = offsetof(reduce_attr, keep) },
    { .kind = CAK_END },
};
#define REDUCE(id, text, form)                         \
    CAK_NODE(id) = { .name = #id,                      \
                     .doc = text,                      \
                     .formula = form,                  \
                     .in = in,                         \
                     .out = outs,                      \
                     .attr = attrs,                    \
                     .attr_size = sizeof(reduce_attr), \
                     .expand = id##_expand }
REDUCE(sum, "sum over axes; torch.sum", "y = sum x");
REDUCE(mean, "mean over axes; torch.mean", "y = mean x");
REDUCE(mean_abs, "mean absolute value over axes", "y = mean |x|");
