/* Regulariser that keeps the detected pattern from vanishing. */
#include "graph/ops.h"

/* abs_global:  y = -log(mean |P| + eps), one mean over the whole batch: the author's code
** signed:      y = mean_b -log(mean P_b + eps): the paper's equation 3; not a number when a mean is below -eps
** per_example: y = mean_b -log(mean |P_b| + eps)                                         P: [B,1,F,T]  y: scalar */
typedef struct reg_attr {
    int32_t form;
    double eps;
} reg_attr;

enum { ABS_GLOBAL, SIGNED, PER_EXAMPLE };
static const char *const forms[] = { "abs_global", "signed", "per_example", NULL };

static void pattern_reg_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const reg_attr *a = s->attr;
    cak_ref p = a->form == SIGNED ? s->in[0] : cak_abs(g, s->in[0]);
    cak_ref mean = a->form == ABS_GLOBAL ? cak_mean(g, p) : cak_mean_axes(g, p, CAK_ALL_AXES & ~1);
    out[0] = cak_neg(g, cak_mean(g, cak_log(g, cak_shift(g, mean, a->eps))));
}

static const cak_port in[] = { { "pattern", "D(x) [B,1,F,T]", false }, { 0 } };
static const cak_port outs[] = { { "reg", "scalar; weight it with lambda_reg", false }, { 0 } };
static const cak_attr attrs[] = {
    { .name = "form",
      .doc = "abs_global: author's code; signed: paper, equation 3; per_example: |P| per sample",
      .kind = CAK_ENUM,
      .offset = offsetof(reg_attr, form),
      .choices = forms },
    { .name = "eps",
      .doc = "added inside the logarithm",
      .kind = CAK_NUM,
      .offset = offsetof(reg_attr, eps),
      .def = 1e-8,
      .min = 0,
      .max = 1 },
    { .kind = CAK_END },
};
CAK_NODE(pattern_reg) = {
    .name = "pattern_reg",
    .doc = "keeps the detected pattern from vanishing (regulariser of paper, equation 3)",
    .formula = "y = -log(mean |pattern| + eps)",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(reg_attr),
    .expand = pattern_reg_expand,
};
