/* Wasserstein estimate of a critic. */
#include "graph/ops.h"

/* W = mean(score of real) - mean(score of fake)      scores: [B]  W: scalar */
static void wasserstein_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    out[0] = cak_sub(g, cak_mean(g, s->in[0]), cak_mean(g, s->in[1]));
}

static const cak_port in[] = { { "real", "scores of real samples [B]", false },
                               { "fake", "scores of generated samples [B]", false },
                               { 0 } };
static const cak_port outs[] = { { "w", "scalar; a critic minimises -w", false }, { 0 } };
CAK_NODE(wasserstein) = {
    .name = "wasserstein",
    .doc = "Wasserstein distance as the critic estimates it (Arjovsky 2017; paper, equation 2)",
    .formula = "w = mean(real) - mean(fake)",
    .in = in,
    .out = outs,
    .expand = wasserstein_expand,
};
