/* Mean absolute difference. */
#include "graph/ops.h"

/* y = mean |a - b| over all elements; the paper writes the norm, the author's code takes the mean */
static void l1_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    char a[CAK_SHAPE_TEXT], b[CAK_SHAPE_TEXT];
    if (!cak_shape_equal(&s->in_shape[0], &s->in_shape[1])) { /* broadcasting here is nearly always a mistake */
        cak_fail(g, "l1 needs equal shapes, got %s and %s", cak_shape_text(&s->in_shape[0], a),
                 cak_shape_text(&s->in_shape[1], b));
        return;
    }
    out[0] = cak_mean(g, cak_abs(g, cak_sub(g, s->in[0], s->in[1])));
}

static const cak_port in[] = { { "a", "any shape", false }, { "b", "same shape", false }, { 0 } };
static const cak_port outs[] = { { "l1", "scalar", false }, { 0 } };
CAK_NODE(l1) = {
    .name = "l1",
    .doc = "mean absolute difference; torch.nn.L1Loss (reconstruction term of paper, equation 3)",
    .formula = "y = mean |a - b|",
    .in = in,
    .out = outs,
    .expand = l1_expand,
};
