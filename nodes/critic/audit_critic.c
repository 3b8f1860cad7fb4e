/* The critic of the audit game: a realism score, and an audit of the control with the shared detector. */
#include "graph/ops.h"
#include "graph/text.h"
#include "graph/graph.h"

/* score(x) = linear(mean_HW(h_n)),  h_i = leaky_relu(norm(conv_i(h_i-1))),  h_0 = x, no norm after conv_1      score: [B]
** m(x)     = mean over F, T of D(x)                                                                        m: [B]
** violation(x, c) = |m(x) - c|                                                                             c: [B] or [B,1]
** The score does not see c: so is the author's code, where the paper writes C(x, c). */
typedef struct critic_attr {
    const cak_module *detector;
    cak_ints channels;
    int64_t kernel, stride, pad;
    double slope, norm_eps;
    int32_t norm;
} critic_attr;

enum { NORM_INSTANCE, NORM_NONE };
static const char *const norms[] = { "instance", "none", NULL };

static cak_ref realism(cak_graph *g, const critic_attr *a, cak_ref h)
{
    for (int i = 0; i < a->channels.n; i++) {
        const char *name = cak_arena_print(cak_graph_arena(g), "conv%d", i + 1);
        h = cak_use(g, "conv_layer", name,
                    CAK_SET({ "out", .num = (double)a->channels.v[i] }, { "kernel", .num = (double)a->kernel },
                            { "stride", .num = (double)a->stride }, { "pad", .num = (double)a->pad }),
                    h);
        if (i > 0 && a->norm == NORM_INSTANCE) h = cak_use(g, "instance_norm", NULL, CAK_SET({ "eps", .num = a->norm_eps }), h);
        h = cak_use(g, "leaky_relu", NULL, CAK_SET({ "slope", .num = a->slope }), h);
    }
    cak_ref pooled = cak_mean_axes(g, h, 1 << 2 | 1 << 3);
    pooled = cak_reshape(g, pooled, &CAK_SHAPE(cak_dim(g, h, 0), cak_dim(g, h, 1)));
    return cak_flat(g, cak_use(g, "linear", "linear", CAK_SET({ "out", .num = 1 }), pooled));
}

static void audit_critic_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const critic_attr *a = s->attr;
    cak_ref x = s->in[0], c = s->in[1];
    if (s->in_shape[0].rank != 4) {
        cak_fail(g, "audit_critic needs x [B,1,F,T]");
        return;
    }
    out[0] = realism(g, a, x);
    if (!a->detector) return;
    out[1] = cak_flat(g, cak_mean_axes(g, CAK_CALL(g, a->detector, NULL, x), 1 << 1 | 1 << 2 | 1 << 3));
    if (!cak_is_none(c)) out[2] = cak_abs(g, cak_sub(g, out[1], cak_flat(g, c)));
}

static const cak_port in[] = { { "x", "spectrogram [B,1,F,T]", false }, { "c", "control asked for, [B] or [B,1]", true }, { 0 } };
static const cak_port outs[] = {
    { "score", "realism [B]", false },
    { "measured", "mean of the detected pattern [B]", false },
    { "violation", "|measured - c| [B]", false },
    { 0 },
};
#define AT(field) .offset = offsetof(critic_attr, field)
static const cak_attr attrs[] = {
    { .name = "detector",
      .doc = "module D shared with the generator; absent: no audit",
      .kind = CAK_MODULE,
      AT(detector),
      .optional = true },
    { .name = "channels",
      .doc = "output channels of the convolutions",
      .kind = CAK_INTS,
      AT(channels),
      .def_text = "[32, 64, 128]",
      .min = 1,
      .max = 4096 },
    { .name = "kernel", .doc = "size of their kernels", .kind = CAK_INT, AT(kernel), .def = 4, .min = 1, .max = 63 },
    { .name = "stride", .doc = "step of the convolutions", .kind = CAK_INT, AT(stride), .def = 2, .min = 1, .max = 16 },
    { .name = "pad", .doc = "zeros on each side", .kind = CAK_INT, AT(pad), .def = 1, .min = 0, .max = 64 },
    { .name = "slope", .doc = "slope of the leaky ReLU", .kind = CAK_NUM, AT(slope), .def = 0.2, .min = -10, .max = 10 },
    { .name = "norm",
      .doc = "normalisation after every convolution but the first",
      .kind = CAK_ENUM,
      AT(norm),
      .choices = norms },
    { .name = "norm_eps", .doc = "added to the variance", .kind = CAK_NUM, AT(norm_eps), .def = 1e-5, .min = 0, .max = 1 },
    { .kind = CAK_END },
};
CAK_NODE(audit_critic) = {
    .name = "audit_critic",
    .doc = "critic of the audit game: realism score and control violation (paper, section 3.2)",
    .formula = "score = linear(mean(leaky_relu(norm(conv(...))))), violation = |mean(D(x)) - c|",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(critic_attr),
    .expand = audit_critic_expand,
};
