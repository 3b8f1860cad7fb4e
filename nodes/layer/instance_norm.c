/* Normalise each channel of each sample to mean 0 and variance 1. */
#include "graph/ops.h"

/* y = (x - mean) / sqrt(var + eps), mean and biased variance over H, W per sample and channel.  x, y: [B,C,H,W] */
static void instance_norm_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    double eps = *(const double *)s->attr;
    enum { HW = 1 << 2 | 1 << 3 };
    if (s->in_shape[0].rank != 4) {
        cak_fail(g, "instance_norm needs x [B,C,H,W]");
        return;
    }
    if (s->in_shape[0].dim[2] * s->in_shape[0].dim[3] < 2) {
        cak_fail(g, "instance_norm needs more than one value per channel; the input of the network is too small");
        return;
    }
    cak_ref d = cak_sub(g, s->in[0], cak_mean_axes(g, s->in[0], HW));
    cak_ref var = cak_mean_axes(g, cak_square(g, d), HW);
    out[0] = cak_mul(g, d, cak_rsqrt(g, cak_shift(g, var, eps)));
}

static const cak_port in[] = { { "x", "images [B,C,H,W]", false }, { 0 } };
static const cak_port outs[] = { { "y", "normalised, same shape", false }, { 0 } };
static const cak_attr attrs[] = {
    { .name = "eps", .doc = "added to the variance", .kind = CAK_NUM, .offset = 0, .def = 1e-5, .min = 0, .max = 1 },
    { .kind = CAK_END },
};
CAK_NODE(instance_norm) = {
    .name = "instance_norm",
    .doc = "instance normalisation; torch.nn.InstanceNorm2d(affine=False)",
    .formula = "y = (x - mean) / sqrt(var + eps), over H and W",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(double),
    .expand = instance_norm_expand,
};
