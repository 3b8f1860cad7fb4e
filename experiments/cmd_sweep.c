/* cak sweep and cak train -m: from a sweep file, or from the command line, to a plan on disk and to runs. */
#include <string.h>
#include <sys/stat.h>

#include "experiments/command.h"
#include "experiments/launch_slurm.h"
#include "experiments/sweep_cost.h"
#include "graph/io.h"

typedef struct sweep_options {
    const char *sweeps, *sweep_dir, *run_cap, *jobs, *threads, *cache, *progress, *retry, *strict, *dry_run, *launcher, *force;
} sweep_options;

typedef struct sweep_numbers { /* the same, read */
    cak_sweep_options run;
    int64_t run_cap;
    cak_launcher_type launcher;
} sweep_numbers;

static bool read_launcher(const char *verb, const char *word, sweep_numbers *out)
{
    static const char *const names[] = { [CAK_LAUNCH_LOCAL] = "local", [CAK_LAUNCH_SLURM] = "slurm" };
    for (int i = 0; word && i < 2; i++)
        if (!strcmp(word, names[i])) out->launcher = (cak_launcher_type)i, out->run.launcher = &out->launcher;
    return !word || out->run.launcher || (cak_usage(verb, "--launcher takes 'local' or 'slurm', got '%s'", word), false);
}

static bool read_options(const char *verb, const sweep_options *o, sweep_numbers *out)
{
    cak_sweep_options *r = &out->run;
    r->cache = o->cache;
    r->strict_diverged = o->strict != NULL;
    r->retry_failed = o->retry != NULL;
    r->force = o->force != NULL;
    if (!read_launcher(verb, o->launcher, out)) return false;
    if (o->retry && strcmp(o->retry, "failed")) return cak_usage(verb, "--retry takes 'failed', got '%s'", o->retry), false;
    if (o->progress && !cak_progress_parse(o->progress, &r->progress))
        return cak_usage(verb, "--progress needs auto, bar, plain or none, got '%s'", o->progress), false;
    return (!o->run_cap || cak_option_int("run-cap", o->run_cap, 1, 100000, &out->run_cap)) &&
           (!o->jobs || cak_option_int("jobs", o->jobs, 1, 1024, &r->jobs)) &&
           (!o->threads || cak_option_int("threads", o->threads, 1, 1024, &r->threads));
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char *in_dir(cak_arena *a, const char *dir, const char *name) { return cak_arena_print(a, "%s/%s", dir, name); }

/* The bill, and what would be submitted. `dir` need not exist. */
static void print_dry_run(cak_diag *d, cak_sweep *s, const char *dir, const sweep_numbers *n, const char *cost)
{
    const cak_sweep_dir x = { .arena = s->arena, .dir = dir, .sweep = s };
    cak_launcher_type launcher = n->run.launcher ? *n->run.launcher : s->launcher.type;
    printf("%s", cost);
    if (launcher == CAK_LAUNCH_SLURM) cak_slurm_print(d, &x, &n->run);
}

static void warn_censoring(cak_diag *d, const cak_sweep *s)
{
    const char *text = cak_sweep_censoring(s);
    if (text) cak_warn(d, (cak_pos){ .file = s->path }, "%s", text);
}

/* ---- planning ---- */

typedef struct planning {
    cak_arena *a;
    cak_diag *d;
    const char *dir;
    cak_sweep_dir *old; /* the directory as it was, NULL: there was none */
    cak_sweep_checked *checked;
    cak_sweep_cost *cost; /* NULL: nothing is new, so nothing was measured */
} planning;

/* Is every point in the plan already? */
static bool planned(const planning *p, const cak_sweep *s)
{
    int same = p->old ? p->old->sweep->n_points : -1;
    for (int i = 0; i < s->n_points && same == s->n_points; i++)
        if (strcmp(p->old->sweep->point[i].id, s->point[i].id)) same = -1;
    return same == s->n_points;
}

/* Whoever was killed between writing sweep.yaml and the plan left two that do not fit; making the directory puts that right. */
static void open_old(planning *p)
{
    cak_diag *quiet = cak_diag_open();
    if (cak_io_exists(in_dir(p->a, p->dir, "plan.jsonl"))) {
        p->old = cak_sweep_dir_open(quiet, p->dir);
        if (!p->old) cak_warn(p->d, cak_diag_pos(quiet, 0), "%s", cak_diag_message(quiet, 0));
    }
    cak_diag_close(quiet);
}

/* Check the points and price them. False after an error. */
static bool prepare(planning *p, const cak_sweep *s, const sweep_numbers *n, bool dry_run)
{
    p->checked = cak_sweep_check(p->a, p->d, s);
    if (!p->checked) return false;
    open_old(p);
    bool known = planned(p, s) && cak_io_exists(in_dir(p->a, p->dir, "plan.txt"));
    cak_cost_options o = { n->run.jobs, n->run.threads, n->run.cache, n->run.progress };
    if (!known || dry_run) p->cost = cak_sweep_cost_of(p->a, p->d, s, p->checked, p->old, &o);
    return !p->cost || cak_sweep_cost_fits(p->d, p->cost, p->dir);
}

/* Warnings are shown before the runs, which may take days. */
static void show_warnings(cak_diag *d)
{
    if (cak_diag_errors(d)) return;
    cak_diag_print(d, stderr);
    cak_diag_clear(d);
}

static int write_and_run(planning *p, cak_sweep *s, const sweep_numbers *n)
{
    int code = CAK_EXIT_OK;
    cak_sweep_dir *x = cak_sweep_dir_make(p->d, p->dir, s, p->checked->config_hash);
    if (!x) return code;
    if (p->cost) {
        cak_io_part part = { p->cost->text, strlen(p->cost->text) };
        if (n->run.progress != CAK_PROGRESS_NONE) fprintf(stderr, "%s", p->cost->summary);
        cak_io_replace(p->d, in_dir(p->a, p->dir, "plan.txt"), &part, 1);
    }
    if (!cak_diag_errors(p->d)) {
        show_warnings(p->d);
        printf("%s\n", p->dir);
        fflush(stdout);
        code = cak_sweep_run(p->d, x, &n->run);
    }
    cak_sweep_dir_close(x);
    return code;
}

static int plan_and_run(cak_diag *d, cak_sweep *s, const sweep_options *o, const sweep_numbers *n)
{
    int code = CAK_EXIT_OK;
    planning p = { .a = cak_arena_open("plan"), .d = d };
    p.dir = o->sweep_dir ? o->sweep_dir : cak_arena_print(p.a, "%s/%s", o->sweeps ? o->sweeps : "sweeps", s->name);
    bool ready = prepare(&p, s, n, o->dry_run != NULL);
    if (ready && o->dry_run) {
        warn_censoring(d, s);
        print_dry_run(d, s, p.dir, n, p.cost->text);
    } else if (ready) {
        code = write_and_run(&p, s, n);
    }
    cak_sweep_dir_close(p.old);
    cak_arena_close(p.a);
    return code;
}

/* ---- cak sweep ---- */

/* A directory goes on as it was planned. */
static int run_directory(cak_diag *d, const char *dir, const sweep_options *o, const sweep_numbers *n)
{
    int code = CAK_EXIT_OK;
    cak_arena *a = cak_arena_open("plan");
    cak_sweep_dir *x = cak_sweep_dir_open(d, dir);
    cak_cost_options co = { n->run.jobs, n->run.threads, n->run.cache, n->run.progress };
    if (x && o->dry_run) {
        cak_sweep_checked *c = cak_sweep_check(a, d, x->sweep);
        cak_sweep_cost *cost = c ? cak_sweep_cost_of(a, d, x->sweep, c, x, &co) : NULL;
        if (cost) print_dry_run(d, x->sweep, x->dir, n, cost->text);
    } else if (x) {
        show_warnings(d);
        code = cak_sweep_run(d, x, &n->run);
    }
    cak_sweep_dir_close(x);
    cak_arena_close(a);
    return code;
}

static int run_file(cak_diag *d, const char *path, const sweep_options *o, const sweep_numbers *n)
{
    cak_sweep *s = cak_sweep_load(d, path, n->run_cap);
    int code = s ? plan_and_run(d, s, o, n) : CAK_EXIT_OK;
    cak_sweep_close(s);
    return code;
}

#define RUN_OPTIONS                                                                                                  \
    { "jobs", "N", "runs at a time", &o.jobs }, { "threads", "N", "threads of each run", &o.threads },               \
        { "cache", "DIR", "where prepared data are kept (default: $XDG_CACHE_HOME/cak or ~/.cache/cak)", &o.cache }, \
        { "progress", "MODE", "auto, bar, plain or none", &o.progress },                                             \
        { "sweeps", "DIR", "where sweep directories are made (default: sweeps)", &o.sweeps },                        \
        { "sweep-dir", "DIR", "the sweep directory itself", &o.sweep_dir },                                          \
        { "retry", "failed", "start failed points again", &o.retry },                                                \
        { "strict-diverged", NULL, "exit code 10 for diverged points, too", &o.strict },                             \
        { "launcher", "TYPE", "local or slurm, whatever the sweep file says", &o.launcher },                         \
        { "force", NULL, "slurm: submit although tasks of the sweep are pending or running", &o.force },             \
    {                                                                                                                \
        "dry-run", NULL, "check every point, print the plan with its cost, write no sweep directory", &o.dry_run     \
    }

int cak_cmd_sweep(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "status")) return cak_cmd_sweep_status(argc - 1, argv + 1);
    sweep_options o = { 0 };
    sweep_numbers numbers = { 0 };
    const cak_option options[] = { RUN_OPTIONS,
                                   { "run-cap", "N", "points at most; same as run_cap in the file", &o.run_cap },
                                   { 0 } };
    int code,
        n = cak_options(argc, argv, options, "FILE|DIR",
                        "Run every point of a sweep file. The plan is written to sweeps/<name> first; the same command, or the\n"
                        "directory in place of the file, goes on where it stopped. Points that are new in the file are added.\n"
                        "'cak sweep status DIR' shows what became of them.",
                        &code);
    if (n < 0) return code;
    if (n != 1) return cak_usage("sweep", "exactly one sweep file or sweep directory is needed");
    if (!read_options("sweep", &o, &numbers)) return CAK_EXIT_USAGE;
    bool dir = is_directory(argv[1]);
    if (dir && (o.sweeps || o.sweep_dir || o.run_cap))
        return cak_usage("sweep", "--sweeps, --sweep-dir and --run-cap belong to a sweep file; %s is a directory", argv[1]);
    cak_diag *d = cak_diag_open();
    return cak_command_end(d, (dir ? run_directory : run_file)(d, argv[1], &o, &numbers));
}

/* ---- cak train -m ---- */

/* The flag may stand anywhere, as in Hydra; it is taken out. */
bool cak_is_multirun(int *argc, char **argv)
{
    int n = 1;
    bool found = false;
    for (int i = 1; i < *argc; i++) {
        bool flag = !strcmp(argv[i], "-m") || !strcmp(argv[i], "--multirun");
        if (!strcmp(argv[i], "--")) break;
        found = found || flag;
    }
    for (int i = 1; i < *argc && found; i++)
        if (strcmp(argv[i], "-m") && strcmp(argv[i], "--multirun")) argv[n++] = argv[i];
    if (found) *argc = n;
    return found;
}

/* Options of one run that mean nothing for many. */
static const char *single_run_option(const char *const *given)
{
    static const char *const why[] = {
        "--run-dir names one run; each point has a directory of its own: see --sweep-dir",
        "--runs is where single runs go; see --sweeps",
        "--seed sets one seed; write seed=0,1,2 or seed=range(0,3)",
        "--max-steps: write train.max_steps=N",
        "--reference: write ++engine.reference=true",
        "--stop-after stops one run; interrupt the sweep instead",
    };
    for (size_t i = 0; i < sizeof why / sizeof *why; i++)
        if (given[i]) return why[i];
    return NULL;
}

int cak_cmd_multirun(int argc, char **argv)
{
    sweep_options o = { 0 };
    sweep_numbers numbers = { 0 };
    const char *single[6] = { 0 };
    const cak_option options[] = { RUN_OPTIONS,
                                   { "run-dir", "DIR", NULL, &single[0] },
                                   { "runs", "DIR", NULL, &single[1] },
                                   { "seed", "N", NULL, &single[2] },
                                   { "max-steps", "N", NULL, &single[3] },
                                   { "reference", NULL, NULL, &single[4] },
                                   { "stop-after", "N", NULL, &single[5] },
                                   { 0 } };
    int code, n = cak_options(argc, argv, options, "-m CONFIG key=a,b key=range(0,5) ...",
                              "Train with every combination of the values: a sweep without a file. It lies in\n"
                              "sweeps/<config>-<digest of the keys>; the same command goes on with it. Settings of single runs\n"
                              "are overrides here: seed=0,1,2 train.max_steps=N ++engine.reference=true.",
                              &code);
    if (n < 0) return code;
    if (n == 0) return cak_usage("train", "CONFIG is missing");
    if (single_run_option(single)) return cak_usage("train", "%s", single_run_option(single));
    if (!read_options("train", &o, &numbers)) return CAK_EXIT_USAGE;
    cak_diag *d = cak_diag_open();
    cak_sweep *s = cak_sweep_multirun(d, argv[1], (const char *const *)argv + 2, n - 1);
    code = s ? plan_and_run(d, s, &o, &numbers) : CAK_EXIT_OK;
    cak_sweep_close(s);
    return cak_command_end(d, code);
}

/* ---- cak check on a sweep file ---- */

void cak_check_sweep(cak_diag *d, const char *path, bool quiet)
{
    cak_sweep *s = cak_sweep_load(d, path, 0);
    cak_arena *a = cak_arena_open("check");
    cak_sweep_checked *c = s ? cak_sweep_check(a, d, s) : NULL;
    if (c && !quiet)
        printf("%s: ok\npoints: %d, different programs: %d, data sections: %d; 'cak sweep --dry-run' tells what they cost\n",
               path, s->n_points, c->n_programs, c->n_data);
    cak_arena_close(a);
    cak_sweep_close(s);
}
