/* Distance between the control that was asked for and the one that was measured. */
#include "graph/ops.h"

/* y = |m - c|      m: [B], the measured control  c: [B] or [B,1]  y: [B] */
static void violation_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    out[0] = cak_abs(g, cak_sub(g, cak_flat(g, s->in[0]), cak_flat(g, s->in[1])));
}

static const cak_port in[] = { { "measured", "[B]", false }, { "c", "control [B] or [B,1]", false }, { 0 } };
static const cak_port outs[] = { { "violation", "[B]", false }, { 0 } };
CAK_NODE(violation) = {
    .name = "violation",
    .doc = "audit violation of one control (paper, section 3.2)",
    .formula = "y = |measured - c|",
    .in = in,
    .out = outs,
    .expand = violation_expand,
};
