/* A comparison as tables: arms, tests between them; and everything as JSON. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiments/compare.h"
#include "experiments/table.h"
#include "graph/text.h"

enum { MAX_KEYS = 6 }; /* that readers see as columns */

/* ---- numbers for readers ---- */

/* Decimals that show two digits of an uncertainty; -1: the numbers need an exponent, or there is no uncertainty. */
static int decimals(double value, double uncertainty)
{
    if (!(uncertainty > 0) || !isfinite(uncertainty)) return -1;
    const int n = 1 - (int)floor(log10(uncertainty));
    return n > 8 || fabs(value) >= 1e6 ? -1 : n < 0 ? 0 : n;
}

/* With so many decimals, unless these leave nothing of the value: then two digits of it. -1: four digits. */
static const char *digits(cak_arena *a, double v, int n)
{
    if (v == 0) return "0"; /* without a sign */
    if (n < 0) return cak_arena_print(a, "%.4g", v);
    return fabs(v) < pow(10, 1 - n) ? cak_arena_print(a, "%.2g", v) : cak_arena_print(a, "%.*f", n, v);
}

static const char *mean_text(cak_arena *a, double mean, double sd)
{
    if (isnan(mean)) return "-";
    if (isnan(sd)) return digits(a, mean, -1);
    const int n = decimals(mean, sd);
    const char *spread = n < 0 ? cak_arena_print(a, "%.2g", sd) : cak_arena_print(a, "%.*f", n, sd);
    return cak_arena_print(a, "%s ± %s", digits(a, mean, n), spread);
}

static const char *interval_text(cak_arena *a, const double x[3]) /* value, low, high */
{
    const int n = decimals(x[0], (x[2] - x[1]) / 4);
    return cak_arena_print(a, "%s [%s, %s]", digits(a, x[0], n), digits(a, x[1], n), digits(a, x[2], n));
}

static const char *p_text(cak_arena *a, double p)
{
    if (isnan(p)) return "-";
    return p < 1e-4 ? "<1e-4" : cak_arena_print(a, "%.2g", p);
}

/* ---- building tables whose columns depend on what there is ---- */

typedef struct columns {
    cak_arena *a;
    cak_table_column *column;
    int n, cap;
} columns;

static void add(columns *c, cak_table_column column)
{
    c->column = cak_arena_grow(c->a, c->column, &c->cap, c->n + 1, sizeof *c->column);
    c->column[c->n++] = column;
}

/* ---- arms ---- */

static int total(const cak_comparison *c, cak_outcome outcome)
{
    int n = 0;
    for (int k = 0; k < c->n_arms; k++) n += c->arm[k].count[outcome];
    return n;
}

typedef struct outcome_column {
    cak_outcome outcome;
    const char *name;
    bool always; /* shown even when there is none */
} outcome_column;

static const outcome_column outcomes[] = {
    { CAK_OUTCOME_FINISHED, "finished", true }, { CAK_OUTCOME_DIVERGED, "diverged", true },
    { CAK_OUTCOME_STOPPED, "stopped", false },  { CAK_OUTCOME_RUNNING, "running", false },
    { CAK_OUTCOME_INCOMPLETE, "failed", true },
};

static void arm_columns(columns *t, const cak_comparison *c)
{
    static const char *const interval[] = { "value", "low", "high", NULL }, *const time[] = { "step", "epoch", NULL };
    static const char *const rank[] = { "place", "mean", NULL }, *const mean[] = { "n", "mean", "sd", NULL };
    add(t, (cak_table_column){ .key = "arm", .leads = true });
    for (int i = 0; i < c->axes->n_shown; i++)
        add(t, (cak_table_column){ .key = c->set->key[c->axes->shown[i]].name,
                                   .head = c->axes->head[i],
                                   .leads = i < MAX_KEYS,
                                   .data = i >= MAX_KEYS });
    add(t, (cak_table_column){ .key = "n", .right = true });
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        add(t, (cak_table_column){
                   .key = outcomes[i].name, .right = true, .data = !outcomes[i].always && !total(c, outcomes[i].outcome) });
    add(t, (cak_table_column){ .key = "diverged_percent", .head = "diverged % [95 %]", .part = interval, .right = true });
    add(t, (cak_table_column){ .key = "median_t_div", .head = "t_div step (epoch)", .part = time, .right = true });
    add(t, (cak_table_column){ .key = "rank", .part = rank, .right = true, .data = c->n_arms < 2 || !c->n_goals });
    for (int k = 0; k < c->n_metrics; k++) {
        add(t, (cak_table_column){ .key = c->metric[k].name, .part = mean, .right = true });
        add(t, (cak_table_column){ .key = cak_arena_print(t->a, "%s.iqm", c->metric[k].name),
                                   .head = "IQM [95 %]",
                                   .joined = true,
                                   .part = interval,
                                   .right = true });
    }
}

static void metric_cells(cak_table *t, cak_arena *a, int column, const cak_summary *s, int n)
{
    const char *mark = s->n && s->n < n ? cak_arena_print(a, " (%d)*", s->n) : "";
    const double mean[] = { s->n, s->mean, s->sd }, iqm[] = { s->iqm, s->iqm_95.low, s->iqm_95.high };
    cak_table_parts(t, column, mean, cak_arena_print(a, "%s%s", mean_text(a, s->mean, s->sd), mark));
    const char *text = s->n > 1 ? interval_text(a, iqm) : NULL;
    cak_table_parts(t, column + 1, iqm, text);
}

static const char *time_text(cak_arena *a, const cak_arm *arm)
{
    if (!isfinite(arm->median_step)) return NULL;
    return isnan(arm->median_epoch) ? cak_arena_print(a, "%.0f", arm->median_step)
                                    : cak_arena_print(a, "%.0f (%.0f)", arm->median_step, arm->median_epoch);
}

/* The value of a key in an arm: of the first of its runs that has one. */
static const char *arm_value(const cak_comparison *c, const cak_arm *arm, int key)
{
    const char *text = NULL;
    for (int i = 0; i < arm->n && !text; i++) text = cak_run_set_at(c->set, arm->run[i], key).text;
    return text;
}

static void key_cell(cak_table *t, int column, const char *text)
{
    const cak_setting v = cak_setting_of(text);
    if (isnan(v.number)) cak_table_text(t, column, text);
    else cak_table_number(t, column, v.number, text);
}

static void arm_row(cak_table *t, cak_arena *a, const cak_comparison *c, const cak_arm *arm)
{
    int k = 0;
    cak_table_row(t);
    cak_table_text(t, k++, arm->name);
    for (int i = 0; i < c->axes->n_shown; i++) key_cell(t, k++, arm_value(c, arm, c->axes->shown[i]));
    cak_table_number(t, k++, arm->n, NULL);
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        cak_table_number(t, k++, arm->count[outcomes[i].outcome], NULL);
    const double share[] = { arm->known ? 100.0 * arm->count[CAK_OUTCOME_DIVERGED] / arm->known : (double)NAN,
                             100 * arm->diverged_95.low, 100 * arm->diverged_95.high };
    cak_table_parts(t, k++, share, arm->known ? cak_arena_print(a, "%.1f [%.1f, %.1f]", share[0], share[1], share[2]) : NULL);
    const double time[] = { arm->median_step, arm->median_epoch },
                 rank[] = { arm->place ? arm->place : (double)NAN, arm->mean_rank };
    cak_table_parts(t, k++, time, time_text(a, arm));
    cak_table_parts(t, k++, rank, arm->place ? cak_arena_print(a, "%d", arm->place) : NULL);
    for (int m = 0; m < c->n_metrics; m++, k += 2) metric_cells(t, a, k, &arm->metric[m], arm->n);
}

cak_table *cak_compare_arms(cak_arena *a, const cak_comparison *c)
{
    columns list = { .a = a };
    arm_columns(&list, c);
    cak_table *t = cak_table_make(a, list.column, list.n);
    for (int k = 0; k < c->n_arms; k++) arm_row(t, a, c, &c->arm[k]);
    return t;
}

/* ---- tests ---- */

static void test_columns(columns *t, const cak_comparison *c)
{
    static const char *const divergence[] = { "only_a", "only_b", "statistic", "p", "p_holm", NULL };
    static const char *const time[] = { "chi2", "p", "p_holm", NULL };
    static const char *const metric[] = { "n", "statistic", "p", "p_holm", "improvement", NULL };
    static const cak_table_column first[] = {
        { .key = "a", .leads = true, .data = true },
        { .key = "b", .leads = true, .data = true },
        { .key = "arms", .leads = true },
        { .key = "differ", .head = "differ in", .leads = true },
        { .key = "pairs", .right = true },
        { .key = "unpaired_because", .data = true },
        { .key = "complete_pairs", .right = true, .data = true },
        { .key = "diverged", .head = "diverged p", .part = divergence, .right = true },
        { .key = "t_div", .head = "t_div p", .part = time, .right = true },
    };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) add(t, first[i]);
    for (int k = 0; k < c->n_goals; k++)
        add(t, (cak_table_column){ .key = c->metric[k].name,
                                   .head = cak_arena_print(t->a, "%s p", c->metric[k].name),
                                   .part = metric,
                                   .right = true });
}

/* "lr 1e-4 / 1e-3, kernel 3 / 5" */
static const char *difference(cak_arena *a, const cak_comparison *c, const cak_contrast *t)
{
    cak_text_builder b = { .a = a };
    int n = 0;
    for (int i = 0; i < c->axes->n_shown; i++) {
        const char *x = arm_value(c, &c->arm[t->a], c->axes->shown[i]), *y = arm_value(c, &c->arm[t->b], c->axes->shown[i]);
        if (cak_setting_same(cak_setting_of(x), cak_setting_of(y))) continue;
        if (n++ == 3) return cak_text_add(&b, ", ..."), cak_text_done(&b);
        cak_text_add(&b, "%s%s %s / %s", b.n ? ", " : "", c->axes->head[i], x ? x : "-", y ? y : "-");
    }
    return cak_text_done(&b);
}

/* The arm that is better more often than not, and the adjusted p. */
static const char *metric_text(cak_arena *a, const cak_comparison *c, const cak_contrast *t, const cak_contrast_test *m)
{
    const char *better = m->improvement > 0.5 ? c->arm[t->a].name : m->improvement < 0.5 ? c->arm[t->b].name : "=";
    return isnan(m->test.p) ? NULL : cak_arena_print(a, "%s %s", better, p_text(a, m->holm));
}

static void test_row(cak_table *t, cak_arena *a, const cak_comparison *c, const cak_contrast *x)
{
    int k = 0;
    cak_table_row(t);
    cak_table_text(t, k++, c->arm[x->a].name);
    cak_table_text(t, k++, c->arm[x->b].name);
    cak_table_text(t, k++, cak_arena_print(a, "%s vs %s", c->arm[x->a].name, c->arm[x->b].name));
    cak_table_text(t, k++, difference(a, c, x));
    cak_table_number(t, k++, x->paired ? x->pairs : (double)NAN, x->paired ? NULL : "unpaired");
    cak_table_text(t, k++, x->why_not);
    cak_table_number(t, k++, x->paired ? x->complete : (double)NAN, NULL);
    const double unknown = (double)NAN;
    const double diverged[] = { x->paired ? x->only_a : unknown, x->paired ? x->only_b : unknown, x->diverged.test.statistic,
                                x->diverged.test.p, x->diverged.holm };
    const char *p = p_text(a, x->diverged.holm);
    cak_table_parts(t, k++, diverged, x->paired ? cak_arena_print(a, "%d:%d %s", x->only_a, x->only_b, p) : p);
    const double time[] = { x->time.test.statistic, x->time.test.p, x->time.holm };
    cak_table_parts(t, k++, time, p_text(a, x->time.holm));
    for (int m = 0; m < c->n_goals; m++, k++) {
        const cak_contrast_test *u = &x->metric[m];
        const double metric[] = { u->test.n, u->test.statistic, u->test.p, u->holm, u->improvement };
        cak_table_parts(t, k, metric, metric_text(a, c, x, u));
    }
}

static bool is_one(const cak_contrast_test *t) { return !(t->holm < 0.995); } /* what readers see as 1, or not at all */

bool cak_contrast_tells(const cak_comparison *c, const cak_contrast *t)
{
    bool one = is_one(&t->diverged) && is_one(&t->time);
    for (int k = 0; one && k < c->n_goals; k++) one = is_one(&t->metric[k]);
    return !one;
}

cak_table *cak_compare_tests(cak_arena *a, const cak_comparison *c, bool all)
{
    columns list = { .a = a };
    test_columns(&list, c);
    cak_table *t = cak_table_make(a, list.column, list.n);
    for (int i = 0; i < c->n_contrasts; i++)
        if (all || cak_contrast_tells(c, &c->contrast[i])) test_row(t, a, c, &c->contrast[i]);
    return t;
}

/* ---- JSON ---- */

static json_t *names_json(cak_names list)
{
    json_t *out = json_array();
    for (int i = 0; i < list.n; i++) json_array_append_new(out, json_string(list.name[i]));
    return out;
}

static json_t *runs_json(const cak_comparison *c)
{
    json_t *list = json_array();
    for (int k = 0; k < c->n_arms; k++)
        for (int i = 0; i < c->arm[k].n; i++) {
            const cak_member *r = &c->set->run[c->arm[k].run[i]];
            json_t *metrics = json_object(), *run = json_object();
            for (int m = 0; m < c->n_metrics; m++)
                json_object_set_new(metrics, c->metric[m].name, cak_number_json(c->metric[m].value[c->arm[k].run[i]]));
            json_object_set_new(run, "run", json_string(r->label));
            json_object_set_new(run, "arm", json_string(c->arm[k].name));
            json_object_set_new(run, "state", json_string(r->state));
            for (int j = 0; j < c->except.n; j++) {
                const char *text = cak_run_set_value(c->set, r, c->except.name[j]).text;
                json_object_set_new(run, c->except.name[j], text ? json_string(text) : json_null());
            }
            json_object_set_new(run, "step", r->info ? json_integer(r->info->steps) : json_null());
            json_object_set_new(run, "metrics", metrics);
            json_array_append_new(list, run);
        }
    return list;
}

static json_t *keys_json(const cak_comparison *c)
{
    json_t *differ = json_array(), *same = json_object(), *folded = json_object();
    for (int i = 0; i < c->axes->n_shown; i++) json_array_append_new(differ, json_string(c->set->key[c->axes->shown[i]].name));
    for (int i = 0; i < c->axes->n_same; i++) {
        const char *text = cak_run_set_any(c->set, c->axes->same[i]);
        json_object_set_new(same, c->set->key[c->axes->same[i]].name, text ? json_string(text) : json_null());
    }
    for (int i = 0; i < c->axes->n_folded; i++)
        json_object_set_new(folded, c->set->key[c->axes->folded[i].key].name, json_string(c->axes->folded[i].into));
    return json_pack("{s:o, s:o, s:o}", "differ", differ, "same", same, "folded", folded);
}

json_t *cak_compare_json(cak_arena *a, const cak_comparison *c)
{
    static const char *const answer[] = {
        [CAK_STREAMS_UNKNOWN] = "unknown", [CAK_STREAMS_SAME] = "yes", [CAK_STREAMS_DIFFER] = "no"
    };
    json_t *streams = json_pack("{s:s, s:s, s:s?}", "same_batches", answer[c->batches], "same_initial_values", answer[c->inits],
                                "initial_values_differ", c->init_differs);
    json_t *goals = json_object();
    for (int k = 0; k < c->n_goals; k++)
        json_object_set_new(goals, c->metric[k].name, json_string(c->metric[k].maximize ? "max" : "min"));
    return json_pack("{s:i, s:s, s:o, s:s?, s:o, s:o, s:o, s:o, s:s?, s:o, s:i, s:o, s:o}", "n", c->set->n, "stat", c->stat,
                     "goal", goals, "ranked_by", c->n_goals ? c->metric[0].name : NULL, "except", names_json(c->except), "pair",
                     names_json(c->pair), "keys", keys_json(c), "arms", cak_table_json(cak_compare_arms(a, c)), "baseline",
                     c->baseline >= 0 ? c->arm[c->baseline].name : NULL, "streams", streams, "tests_in_family", c->n_contrasts,
                     "tests", cak_table_json(cak_compare_tests(a, c, true)), "runs", runs_json(c));
}
