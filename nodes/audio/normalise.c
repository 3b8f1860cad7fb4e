/* Magnitudes to the range [0, 1]: the input representation of the paper. */
#include <math.h>

#include "graph/ops.h"

typedef struct normalise_attr {
    double alpha, gamma, eps, low, high;
    cak_nums percentiles;
} normalise_attr;

/* The slope is infinite at magnitude 0 (square root) and zero where the value is clipped. */
static void normalise_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const normalise_attr *a = s->attr;
    if (isnan(a->low) || isnan(a->high)) {
        cak_fail(g, "normalise needs `low` and `high`: they are computed from the corpus only in the `data` section");
        return;
    }
    if (a->high + a->eps <= a->low) {
        cak_fail(g, "normalise needs low < high, got %g and %g", a->low, a->high);
        return;
    }
    cak_ref level = cak_log1p(g, cak_scale(g, cak_sqrt(g, s->in[0]), a->alpha));
    cak_ref n = cak_div(g, cak_shift(g, level, -a->low), cak_const(g, a->high - a->low + a->eps));
    out[0] = cak_pow(g, cak_clip(g, n, 0, 1), a->gamma);
}

static const cak_port in[] = { { "x", "magnitudes, any shape", false }, { 0 } };
static const cak_port outs[] = { { "y", "in [0, 1], same shape", false }, { 0 } };

#define FIELD(f) .name = #f, .offset = offsetof(normalise_attr, f)
static const cak_attr attrs[] = {
    { FIELD(alpha), .doc = "how strongly quiet sounds are lifted", .kind = CAK_NUM, .def = 10, .min = 1e-6, .max = 1e6 },
    { FIELD(gamma), .doc = "exponent of the result", .kind = CAK_NUM, .def = 0.85, .min = 1e-3, .max = 1e3 },
    { FIELD(eps), .doc = "added to high - low", .kind = CAK_NUM, .def = 1e-8, .max = 1 },
    { FIELD(low), .doc = "level that becomes 0; absent: computed from the corpus", .kind = CAK_NUM, .def = NAN },
    { FIELD(high), .doc = "level that becomes 1; absent: computed from the corpus", .kind = CAK_NUM, .def = NAN },
    { FIELD(percentiles), .doc = "of the levels of the corpus, for low and high", .kind = CAK_NUMS, .def_text = "[0.01, 99.99]" },
    { .kind = CAK_END },
};
CAK_NODE(normalise) = {
    .name = "normalise",
    .doc = "magnitudes to [0, 1] by level, percentiles and gamma (the author's dataset_preproc.py)",
    .formula = "y = clip((log(1 + alpha sqrt(x)) - low) / (high - low + eps), 0, 1)^gamma",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(normalise_attr),
    .expand = normalise_expand,
};
