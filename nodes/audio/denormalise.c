/* From the range [0, 1] back to magnitudes, as the author's program renders. */
#include <math.h>

#include "graph/ops.h"

typedef struct denormalise_attr {
    double alpha, gamma, eps, low, high;
} denormalise_attr;

/* Not the exact inverse of normalise: eps enters before the power and is missing from high - low. The difference is about 1e-7. */
static void denormalise_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const denormalise_attr *a = s->attr;
    if (isnan(a->low) || isnan(a->high)) {
        cak_fail(g, "denormalise needs `low` and `high`, those of the normalisation it undoes");
        return;
    }
    cak_ref z = cak_pow(g, cak_shift(g, cak_clip(g, s->in[0], 0, 1), a->eps), 1 / a->gamma);
    cak_ref level = cak_shift(g, cak_scale(g, z, a->high - a->low), a->low);
    cak_ref root = cak_scale(g, cak_shift(g, cak_exp(g, level), -1), 1 / a->alpha);
    out[0] = cak_square(g, cak_clip(g, root, 0, HUGE_VAL));
}

static const cak_port in[] = { { "x", "in [0, 1], any shape", false }, { 0 } };
static const cak_port outs[] = { { "y", "magnitudes, same shape", false }, { 0 } };

#define FIELD(f) .name = #f, .offset = offsetof(denormalise_attr, f)
static const cak_attr attrs[] = {
    { FIELD(alpha), .doc = "as in normalise", .kind = CAK_NUM, .def = 10, .min = 1e-6, .max = 1e6 },
    { FIELD(gamma), .doc = "as in normalise", .kind = CAK_NUM, .def = 0.85, .min = 1e-3, .max = 1e3 },
    { FIELD(eps), .doc = "added before the power", .kind = CAK_NUM, .def = 1e-8, .max = 1 },
    { FIELD(low), .doc = "level that 0 stands for; absent: that of the corpus", .kind = CAK_NUM, .def = NAN },
    { FIELD(high), .doc = "level that 1 stands for; absent: that of the corpus", .kind = CAK_NUM, .def = NAN },
    { .kind = CAK_END },
};
CAK_NODE(denormalise) = {
    .name = "denormalise",
    .doc = "the author's inverse of normalise (denormalize_stft of cak_gui_minimal.py)",
    .formula = "y = max((exp((clip(x, 0, 1) + eps)^(1/gamma) (high - low) + low) - 1) / alpha, 0)^2",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(denormalise_attr),
    .expand = denormalise_expand,
};
