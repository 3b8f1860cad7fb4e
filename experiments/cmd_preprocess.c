/* cak preprocess: read the sounds, prepare and cache them, and say what was found. */
#include <string.h>

#include "experiments/command.h"
#include "experiments/prepare.h"
#include "experiments/visible.h"
#include "graph/par.h"

static void print_source(const cak_data *x)
{
    char shape[CAK_SHAPE_TEXT];
    const cak_source_info *s = &x->source;
    printf("%s: %d clips of %.3f s at %.0f Hz, each prepared to %s\n", x->source_node->name, s->n, (double)s->length / s->rate,
           s->rate, cak_shape_text(&x->prepared.shape, shape));
    for (int i = 0; i < x->n_stats; i++) {
        const cak_data_stats *t = &x->stats[i];
        printf("%s: low %.9g, high %.9g from %llu levels of %d files\n", t->node, t->low, t->high, (unsigned long long)t->count,
               t->files);
    }
}

static void print_files(const cak_data *x, cak_arena *a)
{
    cak_pairs *pairs = cak_data_pairs(x);
    const double *control = pairs ? cak_pairs_controls(pairs) : NULL;
    printf("\n%10s  %8s  %s\n", "seconds", control ? "control" : "", "clip");
    for (int i = 0; i < x->source.n; i++) {
        const cak_source_clip *c = &x->source.clip[i];
        printf("%10.3f  ", (double)c->frames / x->source.rate);
        if (control) printf("%8.6f  %s\n", control[i], cak_visible(a, c->name));
        else printf("%8s  %s\n", "", cak_visible(a, c->name));
    }
    for (int i = 0; i < x->source.n_skipped; i++) printf("%10s  %8s  %s\n", "skipped", "", cak_visible(a, x->source.skipped[i]));
}

static void print_loader(const cak_data *x, cak_arena *a)
{
    const cak_loader_info *l = &x->info;
    printf("\n%s: %lld items in batches of %lld%s%s\n", x->loader_node->name, (long long)l->items, (long long)l->batch,
           l->shuffle ? ", shuffled" : "", l->drop_last ? ", the last one dropped when it is not full" : "");
    cak_pairs *pairs = cak_data_pairs(x);
    if (!pairs) return;
    cak_pair_summary s = cak_pairs_summary(a, pairs);
    printf("%lld identities, %lld transformations of %lld different pairs; %lld clips are in no pair\n", (long long)s.identity,
           (long long)s.transformation, (long long)s.distinct, (long long)s.unused);
    printf("control of the transformations: mean %.6f, sd %.6f, min %.6f, max %.6f\n", s.mean, s.sd, s.min, s.max);
}

static void print_all(const cak_data *x, cak_arena *a)
{
    if (x->source_node) print_source(x);
    if (x->source_node) print_files(x, a);
    print_loader(x, a);
    if (x->source_node) printf("\ncache: %s%s\n", cak_visible(a, x->cache_path), x->cached ? " (was there)" : "");
}

static void preprocess(cak_diag *d, cak_config *c, const cak_data_options *o, bool json)
{
    cak_loader_info shapes;
    cak_experiment *x = cak_experiment_open(c);
    bool ok = x->data && cak_data_describe(x->arena, d, x->data, x->base_dir, &shapes) && !cak_diag_errors(d);
    cak_data *data = ok ? cak_data_open(d, x->data, x->base_dir, x->seed, o) : NULL;
    if (data && json) printf("%s", cak_data_json(data, x->arena));
    else if (data) print_all(data, x->arena);
    cak_data_close(data);
    cak_experiment_close(x);
}

int cak_cmd_preprocess(int argc, char **argv)
{
    const char *cache = NULL, *jobs = NULL, *json = NULL, *progress = "auto";
    const cak_option options[] = {
        { "cache", "DIR", "where prepared data are kept (default: $XDG_CACHE_HOME/cak or ~/.cache/cak)", &cache },
        { "jobs", "N", "files at a time; the result does not depend on it", &jobs },
        { "progress", "MODE", "auto, bar, plain or none", &progress },
        { "json", NULL, "print everything as JSON", &json },
        { 0 },
    };
    int code,
        n = cak_options(argc, argv, options, "CONFIG [key=value ...]",
                        "Read and check the sounds, compute statistics, prepare and cache the clips. Training does the same;\n"
                        "this shows what it will use.",
                        &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage("preprocess", "CONFIG is missing");
    int64_t threads = 0;
    cak_data_options o = { .cache_dir = cache };
    if (jobs && !cak_option_int("jobs", jobs, 1, 1024, &threads)) return CAK_EXIT_USAGE;
    if (!cak_progress_parse(progress, &o.progress)) return cak_usage("preprocess", "unknown progress '%s'", progress);
    if (threads) cak_threads_set((int)threads);
    cak_diag *d = cak_diag_open();
    cak_config *c = cak_command_config(d, n, argv, NULL);
    if (c) preprocess(d, c, &o, json != NULL);
    if (c) cak_config_close(c);
    return cak_command_end(d, CAK_EXIT_OK);
}
