/* cak train and cak resume. */
#include <stdlib.h>
#include <string.h>

#include "experiments/checkpoint.h"
#include "experiments/command.h"
#include "experiments/prepare.h"
#include "experiments/streams.h"
#include "experiments/sweep_parts.h"
#include "graph/io.h"
#include "graph/par.h"
#include "graph/text.h"

typedef struct train_options {
    const char *run_dir, *runs, *seed, *threads, *max_steps, *stop_after, *cache, *progress, *dry_run, *reference;
} train_options;

static bool set_threads(const char *text)
{
    int64_t n;
    if (!text) return true;
    if (!cak_option_int("threads", text, 1, 1024, &n)) return false;
    cak_threads_set((int)n);
    return true;
}

static bool read_common(const train_options *o, cak_train_options *t)
{
    if (o->progress && !cak_progress_parse(o->progress, &t->progress)) {
        fprintf(stderr, "cak: error: --progress needs auto, bar, plain or none, got '%s' [E5001]\n", o->progress);
        return false;
    }
    return set_threads(o->threads) &&
           (!o->stop_after || cak_option_int("stop-after", o->stop_after, 1, INT64_MAX, &t->stop_after));
}

/* Data, graphs, plans: everything before a run directory exists. */
static cak_data *open_all(cak_diag *d, cak_config *c, cak_experiment **out, const train_options *o, cak_progress_mode mode)
{
    cak_experiment *x = *out = cak_command_experiment(d, c, false);
    if (cak_diag_errors(d)) return NULL; /* every mistake of the graph, before any audio is read */
    cak_data_options data = { .cache_dir = o->cache, .progress = mode };
    return cak_data_open(d, x->data, x->base_dir, x->seed, &data);
}

/* Memory for a batch; none where slices read its rows. */
static real **open_ports(cak_experiment *x)
{
    real **port = cak_arena_alloc(x->arena, CAK_MAX_OUT * sizeof *port);
    for (int i = 0; i < x->loader.n_ports && !cak_experiment_streams(x); i++)
        port[i] = cak_slab_alloc((size_t)(x->batch[0] * cak_shape_size(&x->loader.port[i].shape)) * sizeof(real), "a batch");
    return port;
}

static void close_ports(cak_experiment *x, real **port)
{
    for (int i = 0; i < x->loader.n_ports && port[i]; i++)
        cak_slab_free(port[i], (size_t)(x->batch[0] * cak_shape_size(&x->loader.port[i].shape)) * sizeof(real));
}

static cak_batches batches_of(const cak_data *data) { return (cak_batches){ data->ops, data->loader, data->digest }; }

/* The graph of each phase. */
static const char *graph_text(const cak_experiment *x)
{
    cak_text_builder b = { .a = x->arena };
    for (int i = 0; i < x->n_phases; i++) {
        const cak_step *s = &x->phase[i].step[0];
        cak_text_add(&b, "phase %s\n%s\n", x->phase[i].name, cak_dump_text(x->arena, s->graph, s->out, s->out_name, s->n_out));
    }
    return cak_text_done(&b);
}

/* What training will start from. Parameters have their initial values. */
static void put_digests(cak_run *run, const cak_experiment *x, const cak_data *data)
{
    cak_batches batches = batches_of(data);
    char graph[33];
    cak_text_digest(graph_text(x), graph);
    cak_run_put_text(run, "graph_hash", graph);
    cak_run_put_text(run, "data_hash", data->digest);
    cak_streams_put(run, x, &batches);
}

/* config.yaml, graph and plan of each phase, the data that went in. */
static bool describe_run(cak_diag *d, cak_run *run, cak_experiment *x, const cak_data *data)
{
    cak_config *c = x->config;
    bool ok = cak_run_write(d, run, "config.yaml", cak_config_text(c));
    cak_text_builder plan = { .a = x->arena };
    cak_text_add(&plan, "%s\n", cak_program_legend);
    for (int i = 0; i < x->n_phases; i++) {
        const cak_phase *p = &x->phase[i];
        cak_text_add(&plan, "phase %s\n%s\n", p->name, cak_program_text(x->arena, p->step[0].program));
    }
    put_digests(run, x, data);
    return ok && cak_run_write(d, run, "graph.txt", graph_text(x)) && cak_run_write(d, run, "plan.txt", cak_text_done(&plan)) &&
           cak_run_write(d, run, "data.json", cak_data_json(data, x->arena));
}

static bool write_sources(cak_diag *d, cak_run *run, const cak_config *c, int n, const char *const *override, cak_arena *a)
{
    cak_text_builder typed = { .a = a };
    for (int i = 0; i < n; i++) cak_text_add(&typed, "%s\n", override[i]);
    bool ok = cak_run_write(d, run, "overrides.txt", cak_text_done(&typed));
    for (int i = 0; i < c->n_files && ok; i++) {
        const char *slash = strrchr(c->files[i], '/'), *base = slash ? slash + 1 : c->files[i];
        char *text = cak_io_read_all(a, d, CAK_E4002, c->files[i], 1 << 20, NULL);
        ok = text && cak_run_write(d, run, cak_arena_print(a, "config.src/%02d-%s", i, base), text);
    }
    return ok;
}

static int train(cak_experiment *x, cak_data *data, real *const *port, cak_run *run, const cak_train_options *t)
{
    cak_batches batches = batches_of(data);
    return cak_train(x, &batches, port, run, t);
}

static cak_run *create_run(cak_diag *d, cak_experiment *x, const train_options *o, int argc, char **argv)
{
    char digest[33];
    cak_config_digest(x->config, digest);
    cak_run_spec spec = { .root = o->runs ? o->runs : "runs",
                          .dir = o->run_dir,
                          .name = x->name,
                          .seed = x->seed,
                          .config_digest = digest,
                          .argc = argc,
                          .argv = argv,
                          .threads = cak_threads(),
                          .parent = getenv("CAK_PARENT") }; /* set by a sweep for its runs */
    return cak_run_create(d, &spec);
}

/* An override in error that would be good for multirun. No note: the error recorded last may be a hidden repetition. */
static void point_to_multirun(cak_arena *a, cak_diag *d, const char *config, const char *const *override, int n)
{
    for (int i = 0; i < cak_diag_errors(d); i++) {
        int k = 0;
        cak_pos at = cak_diag_pos(d, i);
        bool ours = at.file && sscanf(at.file, "<override %d>", &k) == 1 && k <= n;
        if (!ours || !cak_multirun_several(a, override[k - 1])) continue;
        cak_warn(d, at, "each of several values is trained with `cak train -m %s '%s'`", config, override[k - 1]);
        return;
    }
}

static int train_command(cak_diag *d, int n, char **arg, const train_options *o, const cak_train_options *t, int argc,
                         char **argv)
{
    int n_over, code = CAK_EXIT_OK;
    cak_arena *a = cak_arena_open("command");
    const cak_short_form forms[] = {
        { "seed", o->seed }, { "train.max_steps", o->max_steps }, { "engine.reference", o->reference ? "true" : NULL }, { 0 }
    };
    const char **override = cak_command_overrides(a, n, arg, forms, &n_over);
    cak_experiment *x = NULL;
    cak_config *c = cak_command_load(d, arg[1], override, n_over);
    cak_data *data = c ? open_all(d, c, &x, o, t->progress) : NULL;
    if (data && cak_experiment_build(x, &data->info)) {
        cak_print_plan(stderr, x);
        real **port = open_ports(x);
        bool ready = !o->dry_run && cak_experiment_ready(x, port); /* what can go wrong goes wrong before there is a directory */
        cak_run *run = ready ? create_run(d, x, o, argc, argv) : NULL;
        if (run) {
            printf("%s\n", run->dir);
            fflush(stdout);
            if (describe_run(d, run, x, data) && write_sources(d, run, c, n_over, override, a))
                code = train(x, data, port, run, t);
            cak_run_close(run);
        }
        close_ports(x, port);
    }
    point_to_multirun(a, d, arg[1], override, n_over);
    cak_data_close(data);
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    cak_arena_close(a);
    return code;
}

#define COMMON_OPTIONS                                                                                               \
    { "threads", "N", "threads; the result does not depend on it", &o.threads },                                     \
        { "progress", "MODE", "auto, bar, plain or none", &o.progress },                                             \
        { "cache", "DIR", "where prepared data are kept (default: $XDG_CACHE_HOME/cak or ~/.cache/cak)", &o.cache }, \
    {                                                                                                                \
        "stop-after", "N", "checkpoint and stop after N batches, with exit code 75", &o.stop_after                   \
    }

int cak_cmd_train(int argc, char **argv)
{
    if (cak_is_multirun(&argc, argv)) return cak_cmd_multirun(argc, argv);
    train_options o = { 0 };
    cak_train_options t = { 0 };
    const cak_option options[] = {
        COMMON_OPTIONS,
        { "runs", "DIR", "where run directories are made (default: runs)", &o.runs },
        { "run-dir", "DIR", "the run directory itself; must be empty or absent", &o.run_dir },
        { "seed", "N", "same as seed=N", &o.seed },
        { "max-steps", "N", "same as train.max_steps=N", &o.max_steps },
        { "reference", NULL, "same as engine.reference=true", &o.reference },
        { "dry-run", NULL, "prepare data, build and plan; train nothing", &o.dry_run },
        { 0 },
    };
    char **typed = cak_heap_alloc((size_t)argc * sizeof *typed, "arguments");
    memcpy(typed, argv, (size_t)argc * sizeof *typed);
    int code, n = cak_options(
                  argc, argv, options, "CONFIG [key=value ...]",
                  "Train as the configuration says. Prints the run directory; the run is recorded there, checkpoints included.\n"
                  "'cak train -m CONFIG key=a,b ...' trains with every combination of values.",
                  &code);
    if (n == 0) code = cak_usage("train", "CONFIG is missing");
    if (n > 0 && !read_common(&o, &t)) code = CAK_EXIT_USAGE, n = 0;
    if (n > 0) {
        cak_diag *d = cak_diag_open();
        code = cak_command_end(d, train_command(d, n, argv, &o, &t, argc, typed));
    }
    cak_heap_free(typed);
    return code;
}

static int resume_command(cak_diag *d, const char *dir, const train_options *o, const cak_train_options *t)
{
    int code = CAK_EXIT_OK;
    cak_experiment *x = NULL;
    cak_run *run = cak_run_open(d, dir);
    if (run && run->state == CAK_RUN_FINISHED) {
        fprintf(stderr, "%s is finished\n", dir);
        cak_run_close(run);
        return code;
    }
    cak_config *c = run ? cak_config_load(d, cak_run_path(run, "config.yaml"), NULL, 0) : NULL;
    cak_data *data = c ? open_all(d, c, &x, o, t->progress) : NULL;
    if (data && cak_experiment_build(x, &data->info)) {
        printf("%s\n", run->dir);
        fflush(stdout);
        int n;
        real **port = open_ports(x);
        bool begun = cak_ckpt_steps(x->arena, d, run->dir, &n) && n;
        if (begun) x->init_from = NULL; /* the checkpoint holds what it gave */
        bool ready = cak_experiment_ready(x, port);
        if (ready && !begun) put_digests(run, x, data); /* it may have ended before they were written */
        if (ready) code = train(x, data, port, run, t);
        close_ports(x, port);
    }
    cak_data_close(data);
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    cak_run_close(run);
    return code;
}

int cak_cmd_resume(int argc, char **argv)
{
    train_options o = { 0 };
    cak_train_options t = { .resume = true };
    const cak_option options[] = { COMMON_OPTIONS, { 0 } };
    int code, n = cak_options(argc, argv, options, "RUN",
                              "Go on with a run that was stopped or killed, from its newest intact checkpoint.", &code);
    if (n < 0) return code;
    if (n != 1) return cak_usage("resume", "exactly one run directory is needed");
    if (!read_common(&o, &t)) return CAK_EXIT_USAGE;
    cak_diag *d = cak_diag_open();
    return cak_command_end(d, resume_command(d, argv[1], &o, &t));
}
