/* Gradient penalty of WGAN-GP: a gradient inside the loss, so training it needs second-order gradients. */
#include "graph/graph.h"

/* x^ = alpha * real + (1 - alpha) * fake,  g_b = d score_b / d x^_b,  penalty = mean_b (|g_b| - target)^2
** real, fake: [B,...]  alpha: [B,1,1,1] uniform, fresh at every step.  No epsilon inside the norm: the reference has none. */
typedef struct penalty_attr {
    const cak_module *critic;
    const char *output, *stream;
    double target;
} penalty_attr;

static cak_ref interpolate(cak_graph *g, const cak_site *s, const penalty_attr *a)
{
    cak_ref real_x = s->in[0], fake = s->in[1], alpha = s->in[2];
    if (cak_is_none(fake)) return real_x;
    cak_shape column = { .rank = s->in_shape[0].rank, .dim = { s->in_shape[0].dim[0] } };
    for (int i = 1; i < column.rank; i++) column.dim[i] = 1;
    alpha = cak_is_none(alpha) ? cak_uniform(g, a->stream, &column) : cak_reshape(g, alpha, &column);
    return cak_add(g, cak_mul(g, alpha, real_x), cak_mul(g, cak_sub(g, cak_const(g, 1), alpha), fake));
}

/* sqrt of the sum of squares per sample; where that is 0 the gradient is 0, as torch's norm has it, and not 0 / 0. */
static cak_ref sample_norm(cak_graph *g, cak_ref x)
{
    cak_ref sum = cak_flat(g, cak_sum_axes(g, cak_square(g, x), CAK_ALL_AXES & ~1));
    cak_ref positive = cak_leaky_mask(g, sum, 0);
    cak_ref safe = cak_add(g, sum, cak_sub(g, cak_const(g, 1), positive));
    return cak_mul(g, cak_sqrt(g, safe), positive);
}

static void gradient_penalty_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const penalty_attr *a = s->attr;
    if (s->in_shape[0].rank < 2) {
        cak_fail(g, "gradient_penalty needs samples [B,...]");
        return;
    }
    if (!cak_is_none(s->in[1]) && !cak_shape_equal(&s->in_shape[0], &s->in_shape[1])) {
        cak_fail(g, "gradient_penalty needs real and fake samples of one shape");
        return;
    }
    cak_ref x = cak_detach(g, interpolate(g, s, a));
    cak_ref gx = cak_grad(g, CAK_CALL(g, a->critic, a->output, x), x);
    if (cak_is_none(gx)) {
        cak_fail(g, "output '%s' of module '%s' does not depend on its first input", a->output, a->critic->name);
        return;
    }
    cak_ref norm = sample_norm(g, gx);
    out[0] = cak_mean(g, cak_square(g, cak_shift(g, norm, -a->target)));
    out[1] = norm;
}

static const cak_port in[] = {
    { "real", "samples [B,...]", false },
    { "fake", "generated samples; absent: the penalty is taken at `real`", true },
    { "alpha", "interpolation factors [B] or [B,1,1,1]; absent: drawn from the stream", true },
    { 0 },
};
static const cak_port outs[] = { { "penalty", "scalar", false }, { "norm", "gradient norm per sample [B]", false }, { 0 } };
#define AT(field) .offset = offsetof(penalty_attr, field)
static const cak_attr attrs[] = {
    { .name = "critic", .doc = "module whose slope is measured", .kind = CAK_MODULE, AT(critic), .required = true },
    { .name = "output", .doc = "its output", .kind = CAK_TEXT, AT(output), .def_text = "score" },
    { .name = "stream", .doc = "random stream of the interpolation factors", .kind = CAK_TEXT, AT(stream), .def_text = "alpha" },
    { .name = "target", .doc = "norm that is not punished", .kind = CAK_NUM, AT(target), .def = 1, .min = 0, .max = 1e6 },
    { .kind = CAK_END },
};
CAK_NODE(gradient_penalty) = {
    .name = "gradient_penalty",
    .doc = "two-sided gradient penalty between real and generated samples (Gulrajani 2017; paper, equation 2)",
    .formula = "penalty = mean((|d score / d x^| - target)^2), x^ = alpha * real + (1 - alpha) * fake",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(penalty_attr),
    .expand = gradient_penalty_expand,
};
