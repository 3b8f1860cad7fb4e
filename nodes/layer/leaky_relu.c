/* Leaky rectifier. */
#include "graph/ops.h"

/* y = x where x > 0, else slope * x; any shape */
static void leaky_relu_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    out[0] = cak_mul(g, s->in[0], cak_leaky_mask(g, s->in[0], *(const double *)s->attr));
}

static const cak_port in[] = { { "x", "any shape", false }, { 0 } };
static const cak_port outs[] = { { "y", "same shape", false }, { 0 } };
static const cak_attr attrs[] = {
    { .name = "slope", .doc = "slope for negative values", .kind = CAK_NUM, .offset = 0, .def = 0.2, .min = -10, .max = 10 },
    { .kind = CAK_END },
};
CAK_NODE(leaky_relu) = {
    .name = "leaky_relu",
    .doc = "leaky rectifier; torch.nn.LeakyReLU",
    .formula = "y = x where x > 0, else slope * x",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(double),
    .expand = leaky_relu_expand,
};
