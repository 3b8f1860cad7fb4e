/* The soft gate of CAK. */
#include "graph/ops.h"

/* sigma(c) = sigmoid((c - tau) * T)      c: any shape  T: scalar */
typedef struct soft_gate_attr {
    double tau;
    cak_ref temperature;
} soft_gate_attr;

static void soft_gate_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const soft_gate_attr *a = s->attr;
    out[0] = cak_sigmoid(g, cak_mul(g, cak_shift(g, s->in[0], -a->tau), a->temperature));
}

static const cak_port in[] = { { "c", "control, any shape", false }, { 0 } };
static const cak_port outs[] = { { "gate", "in (0, 1), same shape", false }, { 0 } };
static const cak_attr attrs[] = {
    { .name = "tau",
      .doc = "control at which the gate is half open",
      .kind = CAK_NUM,
      .offset = offsetof(soft_gate_attr, tau),
      .def = 0.3,
      .min = -1e6,
      .max = 1e6 },
    { .name = "temperature",
      .doc = "slope of the gate: a number or a schedule",
      .kind = CAK_VALUE,
      .offset = offsetof(soft_gate_attr, temperature),
      .def = 20 },
    { .kind = CAK_END },
};
CAK_NODE(soft_gate) = {
    .name = "soft_gate",
    .doc = "opens smoothly where the control passes a threshold (paper, section 3.1)",
    .formula = "gate = sigmoid((c - tau) * temperature)",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(soft_gate_attr),
    .expand = soft_gate_expand,
};
