/* Conditioning Aware Kernel: the paper's effect. */
#include "graph/ops.h"

/* y = x + D(x) * c * sigma(c) * scale      x, y: [B,1,F,T]  D: detector, a module shared with the critic  c: [B] or [B,1] */
typedef struct cak_effect_attr {
    const cak_module *detector;
    double tau, scale0;
    cak_ref temperature;
    bool gate;
} cak_effect_attr;

static void cak_expand_effect(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const cak_effect_attr *a = s->attr;
    cak_ref x = s->in[0], c = cak_column(g, s->in[1], x);
    cak_ref pattern = CAK_CALL(g, a->detector, NULL, x);
    cak_ref scale = cak_param(g, "scale", &CAK_SHAPE(1), (cak_init){ CAK_INIT_CONST, a->scale0, 0 });
    cak_ref gate =
        cak_use(g, "soft_gate", NULL, CAK_SET({ "tau", .num = a->tau }, { "temperature", .value = a->temperature }), c);
    cak_ref amount = cak_mul(g, c, scale);
    if (a->gate) amount = cak_mul(g, amount, gate);
    out[0] = cak_add(g, x, cak_mul(g, pattern, amount));
    out[1] = pattern;
}

static const cak_port in[] = { { "x", "spectrogram [B,1,F,T]", false }, { "c", "control [B] or [B,1]", false }, { 0 } };
static const cak_port outs[] = { { "y", "processed spectrogram", false },
                                 { "pattern", "what the detector saw, D(x)", false },
                                 { 0 } };
#define AT(field) .offset = offsetof(cak_effect_attr, field)
static const cak_attr attrs[] = {
    { .name = "detector",
      .doc = "module D; the critic audits with the same one",
      .kind = CAK_MODULE,
      AT(detector),
      .required = true },
    { .name = "tau", .doc = "gate threshold", .kind = CAK_NUM, AT(tau), .def = 0.3, .min = -1e6, .max = 1e6 },
    { .name = "temperature", .doc = "gate slope: a number or a schedule", .kind = CAK_VALUE, AT(temperature), .def = 20 },
    { .name = "gate", .doc = "false: y = x + D(x) * c * scale", .kind = CAK_BOOL, AT(gate), .def = 1 },
    { .name = "scale0", .doc = "initial value of scale", .kind = CAK_NUM, AT(scale0), .def = 1, .min = -1e6, .max = 1e6 },
    { .kind = CAK_END },
};
CAK_NODE(cak) = {
    .name = "cak",
    .doc = "conditioning aware kernel (paper, equation 1)",
    .formula = "y = x + D(x) * c * sigmoid((c - tau) * temperature) * scale",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(cak_effect_attr),
    .expand = cak_expand_effect,
};
