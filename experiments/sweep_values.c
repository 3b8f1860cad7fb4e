/* Values of sweep parameters: distributions, draws, and values as the text of an override. */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <string.h>

#include "experiments/sweep_distribution.h"
#include "experiments/sweep_parts.h"
#include "graph/number.h"
#include "graph/text.h"

/* ---- text ---- */

/* Plain where a reader of flow text takes it for the same scalar. */
static bool plain_in_flow(const cak_yaml *n)
{
    return !n->quoted && cak_yaml_plain(n->text) && !strpbrk(n->text, ",[]{}") && !strchr(n->text, '#');
}

static void put_quoted(cak_text_builder *b, const char *text)
{
    static const char special[] = "\"\\\n\r\t", letter[] = "\"\\nrt";
    cak_text_add(b, "\"");
    for (; *text; text++) {
        const char *found = strchr(special, *text);
        if (found) cak_text_add(b, "\\%c", letter[found - special]);
        else cak_text_add(b, "%c", *text);
    }
    cak_text_add(b, "\"");
}

static void put_scalar(cak_text_builder *b, const cak_yaml *n)
{
    if (cak_yaml_null(n)) cak_text_add(b, "null");
    else if (plain_in_flow(n)) cak_text_add(b, "%s", n->text);
    else put_quoted(b, n->text);
}

static void put_flow(cak_text_builder *b, const cak_yaml *n)
{
    if (n->kind == CAK_YAML_SCALAR) {
        put_scalar(b, n);
        return;
    }
    cak_text_add(b, n->kind == CAK_YAML_MAP ? "{" : "[");
    cak_yaml_each (c, n) {
        if (n->kind == CAK_YAML_MAP) {
            put_quoted(b, c->key);
            cak_text_add(b, ": ");
        }
        put_flow(b, c);
        if (c->next) cak_text_add(b, ", ");
    }
    cak_text_add(b, n->kind == CAK_YAML_MAP ? "}" : "]");
}

const char *cak_sweep_value(cak_arena *a, const cak_yaml *n)
{
    cak_text_builder b = { .a = a };
    put_flow(&b, n);
    return cak_text_done(&b);
}

/* ---- distributions: the value at a quantile ---- */

static double uniform(const cak_sweep_param *p, double u) { return p->min + u * (p->max - p->min); }
static double whole(const cak_sweep_param *p, double u) { return floor(p->min + u * (p->max - p->min + 1)); }
static double log_uniform(const cak_sweep_param *p, double u) { return exp(uniform(p, u)); }
static double inv_log_uniform(const cak_sweep_param *p, double u) { return exp(-uniform(p, u)); }
static double log_values(const cak_sweep_param *p, double u) { return exp(log(p->min) + u * (log(p->max) - log(p->min))); }
static double inv_log_values(const cak_sweep_param *p, double u) { return log_values(p, 1 - u); }
static double normal(const cak_sweep_param *p, double u) { return p->mu + p->sigma * gsl_cdf_ugaussian_Pinv(u); }
static double log_normal(const cak_sweep_param *p, double u) { return exp(normal(p, u)); }
static double beta(const cak_sweep_param *p, double u) { return gsl_cdf_beta_Pinv(u, p->a, p->b); }

const cak_distribution cak_distributions[] = {
    { "constant", CAK_DIST_VALUE, NULL },
    { "categorical", CAK_DIST_VALUES, NULL },
    { "categorical_w_probabilities", CAK_DIST_VALUES, NULL },
    { "int_uniform", CAK_DIST_LIMITS | CAK_DIST_WHOLE, whole },
    { "uniform", CAK_DIST_LIMITS, uniform },
    { "q_uniform", CAK_DIST_LIMITS | CAK_DIST_Q, uniform },
    { "log_uniform", CAK_DIST_LIMITS | CAK_DIST_EXPONENT, log_uniform },
    { "q_log_uniform", CAK_DIST_LIMITS | CAK_DIST_EXPONENT | CAK_DIST_Q, log_uniform },
    { "inv_log_uniform", CAK_DIST_LIMITS | CAK_DIST_EXPONENT, inv_log_uniform },
    { "log_uniform_values", CAK_DIST_LIMITS | CAK_DIST_POSITIVE, log_values },
    { "q_log_uniform_values", CAK_DIST_LIMITS | CAK_DIST_POSITIVE | CAK_DIST_Q, log_values },
    { "inv_log_uniform_values", CAK_DIST_LIMITS | CAK_DIST_POSITIVE, inv_log_values },
    { "normal", CAK_DIST_NORMAL, normal },
    { "q_normal", CAK_DIST_NORMAL | CAK_DIST_Q, normal },
    { "log_normal", CAK_DIST_NORMAL, log_normal },
    { "q_log_normal", CAK_DIST_NORMAL | CAK_DIST_Q, log_normal },
    { "beta", CAK_DIST_BETA, beta },
    { "q_beta", CAK_DIST_BETA | CAK_DIST_Q, beta },
    { 0 },
};

bool cak_param_listed(const cak_sweep_param *p) { return p->dist->needs & (CAK_DIST_VALUE | CAK_DIST_VALUES); }
bool cak_param_constant(const cak_sweep_param *p) { return cak_param_listed(p) && p->n == 1; }

bool cak_param_enumerate(cak_arena *a, cak_diag *d, cak_sweep_param *p)
{
    if (cak_param_listed(p)) {
        if (!p->probability) return true;
        return cak_error(d, CAK_E1202, p->at, "a grid takes every value of '%s' once; probabilities need method: random", p->key);
    }
    if (!(p->dist->needs & CAK_DIST_WHOLE))
        return cak_error(d, CAK_E1202, p->at,
                         "a grid cannot hold every value of '%s' (%s); give `values` or `range: [from, below, step]`, or take "
                         "method: random or sobol",
                         p->key, p->dist->name);
    double count = p->max - p->min + 1;
    if (count > CAK_SWEEP_MAX_POINTS)
        return cak_error(d, CAK_E1202, p->at, "'%s' has %.0f values, a sweep at most %d points", p->key, count,
                         CAK_SWEEP_MAX_POINTS);
    p->n = (int)count;
    p->value = cak_arena_alloc(a, (size_t)p->n * sizeof *p->value);
    for (int i = 0; i < p->n; i++) p->value[i] = cak_arena_print(a, "%.0f", p->min + i);
    return true;
}

/* ---- drawing ---- */

static const char *draw_listed(const cak_sweep_param *p, double u)
{
    int i = 0;
    if (!p->probability) return p->value[(int)(u * p->n) < p->n ? (int)(u * p->n) : p->n - 1];
    for (; i + 1 < p->n && u >= p->probability[i]; i++) u -= p->probability[i];
    while (i > 0 && p->probability[i] == 0) i--; /* rounding left a little beyond the last value that can be */
    return p->value[i];
}

/* Twelve digits: what exp() and log() round differently on another machine must not make another point. A limit is kept to. */
static const char *number_text(cak_arena *a, const cak_sweep_param *p, double v)
{
    char text[CAK_NUMBER_TEXT];
    double rounded;
    unsigned needs = p->dist->needs;
    snprintf(text, sizeof text, "%.12g", v + 0.0); /* + 0.0: there is no -0 */
    bool limited = (needs & CAK_DIST_LIMITS) && !(needs & CAK_DIST_EXPONENT);
    if (limited && cak_number_real(text, &rounded) == CAK_NUMBER_OK) {
        if (rounded > p->max) cak_number_text(p->max, text);
        if (rounded < p->min) cak_number_text(p->min, text);
    }
    return cak_arena_text(a, text);
}

const char *cak_param_draw(cak_arena *a, const cak_sweep_param *p, double u)
{
    if (cak_param_listed(p)) return draw_listed(p, u);
    double v = p->dist->quantile(p, u);
    if (p->dist->needs & CAK_DIST_Q) v = nearbyint(v / p->q) * p->q;
    return isfinite(v) ? number_text(a, p, v) : NULL;
}
