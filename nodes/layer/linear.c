/* Fully connected layer. */
#include <math.h>

#include "graph/ops.h"

/* x: [B,N]  w: [out,N]  b: [out]  y: [B,out] */
typedef struct linear_attr {
    int64_t out;
    bool bias;
} linear_attr;

static void linear_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const linear_attr *a = s->attr;
    if (s->in_shape[0].rank != 2) {
        cak_fail(g, "linear needs x [B,N]");
        return;
    }
    int64_t n = s->in_shape[0].dim[1];
    double bound = 1 / sqrt((double)n);
    cak_init init = { CAK_INIT_UNIFORM, -bound, bound };
    cak_ref w = cak_param(g, "weight", &CAK_SHAPE(a->out, n), init);
    out[0] = cak_matmul(g, s->in[0], w, false, true);
    if (a->bias) out[0] = cak_add(g, out[0], cak_param(g, "bias", &CAK_SHAPE(a->out), init));
}

static const cak_port in[] = { { "x", "rows [B,N]", false }, { 0 } };
static const cak_port outs[] = { { "y", "[B,out]", false }, { 0 } };
static const cak_attr attrs[] = {
    { .name = "out",
      .doc = "outputs",
      .kind = CAK_INT,
      .offset = offsetof(linear_attr, out),
      .required = true,
      .min = 1,
      .max = 1 << 20 },
    { .name = "bias", .doc = "add a bias", .kind = CAK_BOOL, .offset = offsetof(linear_attr, bias), .def = 1 },
    { .kind = CAK_END },
};
CAK_NODE(linear) = {
    .name = "linear",
    .doc = "fully connected layer; torch.nn.Linear with its default initialisation",
    .formula = "y = x weight^T + bias",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(linear_attr),
    .expand = linear_expand,
};
