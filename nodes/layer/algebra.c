/* Small composites for configurations: grad, lerp, concat, random. */
#include "graph/attr_types.h"
#include "graph/graph.h"

/* ---- grad: g = d(sum of y) / dx ---- */
static void grad_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    out[0] = cak_grad(g, s->in[0], s->in[1]);
    if (cak_is_none(out[0])) cak_fail(g, "y does not depend on x through differentiable nodes");
}

static const cak_port grad_in[] = { { "y", "any shape; its elements are summed", false },
                                    { "x", "a value that y depends on", false },
                                    { 0 } };
static const cak_port grad_out[] = { { "g", "gradient, shape of x", false }, { 0 } };
CAK_NODE(grad) = {
    .name = "grad",
    .doc = "gradient as an ordinary value, differentiable again; torch.autograd.grad(create_graph=True)",
    .formula = "g = d(sum y) / dx",
    .in = grad_in,
    .out = grad_out,
    .expand = grad_expand,
};

/* ---- lerp: y = w a + (1 - w) b ---- */
static void lerp_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    cak_ref a = s->in[0], b = s->in[1], w = s->in[2];
    if (cak_shape_of(g, w)->rank < cak_shape_of(g, a)->rank && cak_shape_of(g, w)->rank > 0) w = cak_column(g, w, a);
    out[0] = cak_add(g, cak_mul(g, w, a), cak_mul(g, cak_sub(g, cak_const(g, 1), w), b));
}

static const cak_port lerp_in[] = { { "a", "any shape", false },
                                    { "b", "same shape", false },
                                    { "w", "weight of a: scalar, [B] or a shape that broadcasts", false },
                                    { 0 } };
static const cak_port one_out[] = { { "y", "result", false }, { 0 } };
CAK_NODE(lerp) = {
    .name = "lerp",
    .doc = "linear interpolation",
    .formula = "y = w * a + (1 - w) * b",
    .in = lerp_in,
    .out = one_out,
    .expand = lerp_expand,
};

/* ---- concat ---- */
static void concat_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    int64_t axis = *(const int64_t *)s->attr;
    const cak_shape *x = &s->in_shape[0], *y = &s->in_shape[1];
    char a[CAK_SHAPE_TEXT], b[CAK_SHAPE_TEXT];
    bool fits = x->rank == y->rank && axis < x->rank;
    for (int i = 0; i < x->rank && fits; i++) fits = i == axis || x->dim[i] == y->dim[i];
    if (fits) out[0] = cak_concat(g, s->in[0], s->in[1], (int)axis);
    else cak_fail(g, "%s and %s cannot be joined along axis %lld", cak_shape_text(x, a), cak_shape_text(y, b), (long long)axis);
}

static const cak_port concat_in[] = { { "x", "any shape", false }, { "y", "the same but for the axis", false }, { 0 } };
static const cak_attr concat_attrs[] = {
    { .name = "axis", .doc = "axis along which y follows x", .kind = CAK_INT, .offset = 0, .def = 1, .max = CAK_MAX_DIM - 1 },
    { .kind = CAK_END },
};
CAK_NODE(concat) = {
    .name = "concat",
    .doc = "two tensors one after the other; torch.cat",
    .formula = "y = [x, y]",
    .in = concat_in,
    .out = one_out,
    .attr = concat_attrs,
    .attr_size = sizeof(int64_t),
    .expand = concat_expand,
};

/* ---- random ---- */
extern const cak_node cak_node_draw;
static void random_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    cak_draw_attr a = *(const cak_draw_attr *)s->attr;
    for (int i = 0; i < a.shape.n && i < CAK_MAX_DIM; i++)
        if (a.shape.v[i] == 0) a.shape.v[i] = i < s->in_shape[0].rank ? s->in_shape[0].dim[i] : 1;
    out[0] = cak_append(g, &cak_node_draw, &a, NULL, 0);
}

static const char *const dists[] = { "uniform", "normal", NULL };
static const cak_port random_in[] = { { "like", "gives the extents that are 0 in shape", false }, { 0 } };
static const cak_attr random_attrs[] = {
    { .name = "stream",
      .doc = "name of the random stream; equal names draw equal values",
      .kind = CAK_TEXT,
      .offset = offsetof(cak_draw_attr, stream),
      .required = true },
    { .name = "shape",
      .doc = "shape; 0 takes the extent of `like`; axis 0 counts samples",
      .kind = CAK_INTS,
      .offset = offsetof(cak_draw_attr, shape),
      .required = true },
    { .name = "dist",
      .doc = "uniform on [0,1) or standard normal",
      .kind = CAK_ENUM,
      .offset = offsetof(cak_draw_attr, dist),
      .choices = dists },
    { .kind = CAK_END },
};
CAK_NODE(random) = {
    .name = "random",
    .doc = "random values for the samples of a batch, new ones at every step",
    .formula = "y[i] = random(seed, stream, step, i)",
    .in = random_in,
    .out = one_out,
    .attr = random_attrs,
    .attr_size = sizeof(cak_draw_attr),
    .expand = random_expand,
};
