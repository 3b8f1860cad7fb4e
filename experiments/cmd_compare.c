/* `cak compare`: what differs between runs, and whether it matters. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/compare.h"
#include "experiments/sweep.h"
#include "experiments/table.h"
#include "experiments/visible.h"
#include "graph/io.h"
#include "graph/text.h"

enum { WIDE = 120, SOME = 4, MANY = 8 };

typedef struct request { /* options as given */
    const char *except, *pair, *metric, *goal, *baseline, *stat, *where, *all, *csv, *tests, *markdown, *json, *output;
} request;

/* ---- text ---- */

static const char *list_of(cak_arena *a, cak_names list)
{
    cak_text_builder b = { .a = a };
    for (int i = 0; i < list.n; i++) cak_text_add(&b, "%s%s", i ? ", " : "", list.name[i]);
    return cak_text_done(&b);
}

static void add_keys(cak_text_builder *b, const cak_comparison *c, bool all)
{
    const cak_run_set *s = c->set;
    const int n = c->axes->n_shown, listed = all || n <= MANY ? n : SOME;
    cak_text_add(b, "differs: ");
    for (int i = 0; i < listed; i++) cak_text_add(b, "%s%s", i ? ", " : "", s->key[c->axes->shown[i]].name);
    if (listed < n) cak_text_add(b, " and %d more", n - listed);
    if (!n) cak_text_add(b, "nothing but %s", list_of(b->a, c->except));
    cak_text_add(b, "  (the same in all runs: %d keys%s)\n", c->axes->n_same, all ? "" : "; --all shows them");
    for (int i = 0; all && i < c->axes->n_same; i++) {
        const int k = c->axes->same[i];
        const char *text = cak_run_set_any(s, k);
        cak_text_add(b, "  %s: %s\n", s->key[k].name, text ? text : "-");
    }
}

/* "varies with hp.lr: a, b, c, d and 3 more" */
static void add_folded(cak_text_builder *b, const cak_comparison *c, bool all)
{
    const cak_axes *x = c->axes;
    for (int i = 0; i < x->n_folded; i++) {
        int n = 0;
        bool before = false;
        for (int j = 0; j < i; j++) before = before || strcmp(x->folded[j].into, x->folded[i].into) == 0;
        if (before) continue;
        cak_text_add(b, "varies with %s: ", x->folded[i].into);
        for (int j = i; j < x->n_folded; j++) {
            if (strcmp(x->folded[j].into, x->folded[i].into) != 0) continue;
            if (all || n < SOME) cak_text_add(b, "%s%s", n ? ", " : "", c->set->key[x->folded[j].key].name);
            n++;
        }
        if (!all && n > SOME) cak_text_add(b, " and %d more", n - SOME);
        cak_text_add(b, "\n");
    }
}

static void add_notes(cak_text_builder *b, const cak_comparison *c)
{
    bool partial = false, running = false;
    for (int k = 0; k < c->n_arms; k++) {
        running = running || c->arm[k].count[CAK_OUTCOME_RUNNING];
        for (int m = 0; m < c->n_metrics; m++)
            partial = partial || (c->arm[k].metric[m].n && c->arm[k].metric[m].n < c->arm[k].n);
    }
    if (c->n_metrics)
        cak_text_add(b, "metrics: %s; mean ± sd, interquartile mean [bootstrap 95 %%]\n",
                     strcmp(c->stat, "last") == 0 ? "last epoch" : c->stat);
    if (partial) cak_text_add(b, "* over that many runs, those that finished%s\n", running ? " or are still running" : "");
    if (c->n_arms > 1 && c->n_goals)
        cak_text_add(b, "rank: mean rank of the runs by %s (%s is better), diverged runs are the worst\n", c->metric[0].name,
                     c->metric[0].maximize ? "more" : "less");
}

static void add_pairing(cak_text_builder *b, const cak_comparison *c)
{
    static const char *const answer[] = {
        [CAK_STREAMS_UNKNOWN] = "not recorded", [CAK_STREAMS_SAME] = "yes", [CAK_STREAMS_DIFFER] = "no"
    };
    int low = 0, high = 0;
    if (!c->n_paired) return;
    for (int i = 0; i < c->n_contrasts; i++) {
        const cak_contrast *t = &c->contrast[i];
        if (!t->paired) continue;
        if (!low || t->pairs < low) low = t->pairs;
        if (t->pairs > high) high = t->pairs;
    }
    cak_text_add(b, "paired by %s: ", list_of(b->a, c->pair));
    if (low == high) cak_text_add(b, "%d pair%s", low, low == 1 ? "" : "s");
    else cak_text_add(b, "%d to %d pairs", low, high);
    if (c->n_paired == c->n_contrasts) cak_text_add(b, " in each of %d arms", c->n_arms);
    else cak_text_add(b, " in %d of %d tests", c->n_paired, c->n_contrasts);
    cak_text_add(b, ", data order identical: %s, initial values identical: %s", answer[c->batches], answer[c->inits]);
    if (c->init_differs) cak_text_add(b, " (%s)", c->init_differs);
    cak_text_add(b, "\n");
}

/* "tested: divergence, its time, violations; 3 metrics without a goal are not (see --goal and --metric)" */
static void add_tested(cak_text_builder *b, const cak_comparison *c)
{
    const int described = c->n_metrics - c->n_goals;
    cak_text_add(b, "tested: divergence, its time");
    for (int k = 0; k < c->n_goals; k++) cak_text_add(b, ", %s", c->metric[k].name);
    if (described)
        cak_text_add(b, "; %d metric%s without a goal %s not (see --goal and --metric)", described, described > 1 ? "s" : "",
                     described > 1 ? "are" : "is");
    cak_text_add(b, "\n");
}

/* "with 3 pairs the smallest possible p of McNemar and Wilcoxon is 0.25 (1 after Holm over 15 tests); take more seeds" */
static void add_power(cak_text_builder *b, const cak_comparison *c, bool paired)
{
    const cak_contrast *best = NULL;
    for (int i = 0; i < c->n_contrasts; i++) {
        const cak_contrast *t = &c->contrast[i];
        if (t->paired == paired && (!best || cak_smallest_p(c, t) < cak_smallest_p(c, best))) best = t;
    }
    const double p = best ? cak_smallest_p(c, best) : 0, holm = p * c->n_contrasts;
    if (holm <= 0.05) return;
    if (paired) cak_text_add(b, "with %d pair%s", best->complete, best->complete == 1 ? "" : "s");
    else cak_text_add(b, "with %d and %d runs", c->arm[best->a].known, c->arm[best->b].known);
    cak_text_add(b, " the smallest possible p of %s is %.2g", paired ? "McNemar and Wilcoxon" : "Fisher and Mann-Whitney", p);
    if (c->n_contrasts > 1) cak_text_add(b, " (%.2g after Holm over %d tests)", holm < 1 ? holm : 1, c->n_contrasts);
    cak_text_add(b, "; take more seeds\n");
}

/* "p is 1 in all tests of 12 pairs of arms: A B, A C, ..." */
static void add_silent(cak_text_builder *b, const cak_comparison *c, int silent)
{
    int n = 0;
    cak_text_add(b, "p is 1 in all tests of %d%s pairs of arms: ", silent, silent < c->n_contrasts ? " more" : "");
    for (int i = 0; i < c->n_contrasts && n < MANY; i++) {
        const cak_contrast *t = &c->contrast[i];
        if (!cak_contrast_tells(c, t)) cak_text_add(b, "%s%s %s", n++ ? ", " : "", c->arm[t->a].name, c->arm[t->b].name);
    }
    if (silent > n) cak_text_add(b, " and %d more", silent - n);
    cak_text_add(b, "\n");
}

/* Tests that tell something; the others, too, when they are few. */
static void add_test_table(cak_text_builder *b, const cak_comparison *c, bool all, bool markdown)
{
    int silent = 0;
    for (int i = 0; i < c->n_contrasts; i++) silent += !cak_contrast_tells(c, &c->contrast[i]);
    all = all || silent < SOME;
    const cak_table *t = cak_compare_tests(b->a, c, all);
    const bool any = cak_table_rows(t) > 0;
    if (any) cak_text_add(b, "%s", markdown ? cak_table_markdown(b->a, t) : cak_table_aligned(b->a, t, WIDE));
    if (any && !all) cak_text_add(b, "\n");
    if (!all) add_silent(b, c, silent);
}

/* Arms of one run each: what to do about it. */
static void add_no_tests(cak_text_builder *b, const cak_comparison *c)
{
    const cak_sweep *sweep = cak_run_set_sweep(c->set);
    if (c->n_arms < 2) return;
    cak_text_add(b, "no tests: each run is an arm of its own; ");
    if (sweep && sweep->method != CAK_SWEEP_GRID) cak_text_add(b, "summary.csv of the sweep has the points; ");
    cak_text_add(b, "take more seeds, or --except ");
    for (int i = 0; i < c->axes->n_shown && i < 2; i++)
        cak_text_add(b, "%s%s", i ? "," : "", c->set->key[c->axes->shown[i]].name);
    cak_text_add(b, "%s for keys that make no arms\n", c->axes->n_shown > 2 ? ",.." : "");
}

static void add_tests(cak_text_builder *b, const cak_comparison *c, bool all, bool markdown)
{
    if (!c->n_contrasts) {
        add_no_tests(b, c);
        return;
    }
    cak_text_add(b, "\n");
    add_pairing(b, c);
    add_tested(b, c);
    if (c->baseline >= 0) cak_text_add(b, "arm %s against each other arm", c->arm[c->baseline].name);
    else cak_text_add(b, "all pairs of arms");
    cak_text_add(b, "; p after Holm over %d test%s in a column, the arm that is better, pairs of which one diverged (a:b)\n",
                 c->n_contrasts, c->n_contrasts > 1 ? "s" : "");
    add_power(b, c, true);
    add_power(b, c, false);
    cak_text_add(b, "\n");
    add_test_table(b, c, all, markdown);
    if (!markdown)
        cak_text_add(b,
                     "\nexact McNemar on diverged or not, log-rank on t_div, Wilcoxon signed-rank on metrics; unpaired: Fisher, "
                     "Mann-Whitney\n");
}

static const char *as_text(cak_arena *a, const cak_comparison *c, bool all, bool markdown)
{
    cak_text_builder b = { .a = a };
    const cak_table *arms = cak_compare_arms(a, c);
    const cak_sweep *sweep = cak_run_set_sweep(c->set);
    if (sweep) cak_text_add(&b, "sweep %s of %s: ", sweep->name, sweep->base);
    cak_text_add(&b, "%d run%s in %d arm%s\n", c->set->n, c->set->n == 1 ? "" : "s", c->n_arms, c->n_arms == 1 ? "" : "s");
    add_keys(&b, c, all);
    add_folded(&b, c, all);
    cak_text_add(&b, "\n%s\n", markdown ? cak_table_markdown(a, arms) : cak_table_aligned(a, arms, WIDE));
    add_notes(&b, c);
    add_tests(&b, c, all, markdown);
    return cak_text_done(&b);
}

static const char *json_text(cak_arena *a, json_t *doc)
{
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(17), n = json_dumpb(doc, NULL, 0, flags);
    char *text = cak_arena_alloc(a, n + 2);
    json_dumpb(doc, text, n, flags);
    text[n] = '\n';
    json_decref(doc);
    return text;
}

/* ---- the command ---- */

static const char *written(cak_arena *a, const cak_comparison *c, const request *q)
{
    if (q->json) return json_text(a, cak_compare_json(a, c));
    if (q->csv) return cak_table_csv(a, q->tests ? cak_compare_tests(a, c, true) : cak_compare_arms(a, c));
    return as_text(a, c, q->all != NULL, q->markdown != NULL);
}

static bool put(cak_diag *d, const char *path, const char *text)
{
    cak_io_part part = { text, strlen(text) };
    if (path) return cak_io_replace(d, path, &part, 1);
    fputs(text, stdout);
    return true;
}

static bool gather(cak_run_set *s, cak_diag *d, int n, char **word, const char *where)
{
    bool ok = true;
    cak_text_builder b = { .a = s->arena };
    for (int i = 1; i <= n; i++) {
        ok = cak_run_set_add(s, d, word[i]) && ok;
        cak_text_add(&b, "%s%s", i > 1 ? ", " : "", word[i]);
    }
    if (!ok) return false;
    const int looked_at = s->n;
    const char *waiting = s->waiting ? cak_arena_print(s->arena, "; points not started yet: %d", s->waiting) : "";
    if (!looked_at) return cak_error(d, CAK_E5001, CAK_NOWHERE, "no runs found in %s%s", cak_text_done(&b), waiting);
    if (where && !cak_run_set_filter(s, d, "--where", where)) return false;
    return s->n || cak_error(d, CAK_E5001, CAK_NOWHERE, "no run matches %s (%d looked at)", where, looked_at);
}

static void compare(cak_run_set *s, cak_diag *d, int n, char **word, const request *q)
{
    cak_arena *a = s->arena;
    if (!gather(s, d, n, word, q->where)) return;
    const cak_compare_options o = { .except = cak_names_split(a, q->except),
                                    .pair = cak_names_split(a, q->pair),
                                    .metric = cak_names_split(a, q->metric),
                                    .goal = cak_names_split(a, q->goal),
                                    .baseline = q->baseline,
                                    .stat = q->stat };
    const cak_comparison *c = cak_compare(s, d, &o);
    if (c && put(d, q->output, written(a, c, q))) cak_compare_warn(c, d);
}

static const char doc[] =
    "Compare runs: those that are equal in all keys but the seed make an arm; a row per arm says how many finished and "
    "diverged,\n"
    "when, and what the metrics were; tests say which differences between arms are more than chance. Diverged runs are a "
    "result:\n"
    "they are the worst in ranks and tests. Runs that failed, were killed or interrupted are counted as failed and say nothing "
    "else.\n\n"
    "RUN is a run directory, the id of a run below ./runs, a directory with runs below, or a sweep directory.\n"
    "Tested are divergence, violations, the sweep's metric, and those of --goal and --metric; they are better when smaller\n"
    "unless the sweep or --goal says otherwise. Other metrics are described only.";

int cak_cmd_compare(int argc, char **argv)
{
    request q = { 0 };
    int code = CAK_EXIT_OK;
    const cak_option options[] = {
        { "where", "EXPR", "only runs for which this holds, as in `cak ls`", &q.where },
        { "except", "KEY,..", "keys that make no arms (default: seed)", &q.except },
        { "pair", "KEY,..", "keys that pair runs of two arms (default: the sweep's pair_by, or seed)", &q.pair },
        { "metric", "NAME,..", "only these metrics, and test them (default: those without a dot)", &q.metric },
        { "stat", "WHICH", "value of a run: last (default), best, mean-last-N epochs", &q.stat },
        { "goal", "NAME=min|max,..", "what is better: test these, too; the first one ranks", &q.goal },
        { "baseline", "EXPR", "test this arm against each other arm, e.g. lr=1e-4", &q.baseline },
        { "all", NULL, "show the keys that are the same, all that follow from others, and tests with p = 1", &q.all },
        { "csv", NULL, "print the arms as CSV", &q.csv },
        { "tests", NULL, "with --csv: the tests instead of the arms", &q.tests },
        { "md", NULL, "print Markdown", &q.markdown },
        { "json", NULL, "print JSON: all numbers in full precision, a list of the runs", &q.json },
        { "output", "FILE", "write to a file (also -o FILE)", &q.output },
        { 0 },
    };
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "-o") == 0) argv[i] = "--output";
    int n = cak_options(argc, argv, options, "RUN...", doc, &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage(argv[0], "name runs, directories with runs, or a sweep directory");
    if ((q.csv != NULL) + (q.markdown != NULL) + (q.json != NULL) > 1)
        return cak_usage(argv[0], "--csv, --md and --json exclude each other");
    if (q.tests && !q.csv) return cak_usage(argv[0], "--tests goes with --csv");
    cak_arena *a = cak_arena_open("comparison");
    cak_diag *d = cak_diag_open();
    cak_run_set *s = cak_run_set_open(a);
    compare(s, d, n, argv, &q);
    cak_run_set_close(s);
    cak_arena_close(a);
    return cak_command_end(d, code);
}
