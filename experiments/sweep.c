/* Reading of sweep files. */
#include "experiments/sweep.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiments/sweep_check.h"
#include "experiments/sweep_parts.h"
#include "graph/io.h"
#include "graph/number.h"

typedef struct head { /* the plain keys of the file */
    const char *name, *description, *base, *method;
    int64_t seed, run_cap;
} head;

typedef struct reading {
    cak_sweep *s;
    cak_arena *a;
    cak_diag *d;
    cak_yaml *root;
    head h;
    cak_sweep_param *param;
    bool planned; /* the points are known already: nothing needs the base to be there */
    bool ok;
} reading;

static cak_pos place_of(const reading *r, const char *key)
{
    const cak_yaml *n = cak_yaml_get(r->root, key);
    return n ? n->pos : r->root->pos;
}

static cak_yaml *section(reading *r, const char *key, cak_yaml_kind kind)
{
    static const char *const kinds[] = { "a value", "a mapping", "a list" };
    cak_yaml *n = cak_yaml_get(r->root, key);
    if (n) n->used = true;
    if (!n || n->kind == kind) return n;
    r->ok = cak_error(r->d, CAK_E1201, n->pos, "`%s` must be %s", key, kinds[kind]);
    return NULL;
}

/* Read a mapping by its table; unknown keys are those that the table lacks. */
static bool read_map(reading *r, cak_yaml *map, const cak_attr *rows, void *out, const char *what)
{
    const char *known[16];
    int n = 0;
    for (const cak_attr *row = rows; row->kind != CAK_END; row++) known[n++] = row->name;
    known[n] = NULL;
    bool ok = cak_config_read(r->a, r->d, map, rows, out, what, NULL, NULL);
    ok = cak_config_unused(r->d, map, what, known) && ok;
    r->ok = ok && r->ok;
    return ok;
}

/* ---- name, base, method ---- */

static const char *stem(cak_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return dot && dot > name ? cak_arena_print(a, "%.*s", (int)(dot - name), name) : name;
}

/* Relative to the sweep file; where there is no such file, to the working directory. */
static void find_base(reading *r)
{
    if (!r->h.base) return;
    char full[PATH_MAX];
    const char *slash = strrchr(r->s->path, '/'), *near = r->h.base;
    if (slash && near[0] != '/') near = cak_arena_print(r->a, "%.*s/%s", (int)(slash - r->s->path), r->s->path, r->h.base);
    bool found = realpath(near, full) || realpath(r->h.base, full);
    if (found && !r->planned && cak_sweep_is(full))
        r->ok = cak_error(r->d, CAK_E1202, place_of(r, "base"), "%s is a sweep itself: base is the configuration of a run", full);
    else if (found) r->s->base = cak_arena_text(r->a, full);
    else if (r->planned) r->s->base = r->h.base;
    else if (!strcmp(near, r->h.base)) r->ok = cak_error(r->d, CAK_E1001, place_of(r, "base"), "there is no file %s", near);
    else
        r->ok = cak_error(r->d, CAK_E1001, place_of(r, "base"), "there is neither %s nor %s: base is relative to the sweep file",
                          near, r->h.base);
}

static void read_method(reading *r)
{
    static const char *const names[] = { "grid", "random", "sobol" };
    if (!r->h.method) return;
    for (int i = 0; i < 3; i++)
        if (!strcmp(r->h.method, names[i])) {
            r->s->method = (cak_sweep_method)i;
            return;
        }
    cak_pos at = place_of(r, "method");
    r->ok = false;
    if (!strcmp(r->h.method, "bayes")) {
        cak_error(r->d, CAK_E1202, at, "bayes is not offered: points of a plan do not depend on results; take random or sobol");
        return;
    }
    const char *near = cak_suggest(r->h.method, names, 3);
    cak_error(r->d, CAK_E1202, at, "unknown method '%s'; %s%s%sknown: grid, random, sobol", r->h.method,
              near ? "did you mean '" : "", near ? near : "", near ? "'? " : "");
}

static void read_head(reading *r)
{
#define ROW(key, k, text, ...)                                                           \
    {                                                                                    \
        .name = #key, .doc = text, .kind = k, .offset = offsetof(head, key), __VA_ARGS__ \
    }
    static const cak_attr rows[] = {
        ROW(name, CAK_TEXT, "name of the sweep: sweeps/<name>", 0),
        ROW(description, CAK_TEXT, "free text", 0),
        ROW(base, CAK_TEXT, "the configuration that the points change", .required = true),
        ROW(method, CAK_TEXT, "grid, random or sobol", .required = true),
        ROW(seed, CAK_INT, "of random draws", .max = 9e15),
        ROW(run_cap, CAK_INT, "points at most", .min = 0, .max = CAK_SWEEP_MAX_POINTS),
        { .kind = CAK_END },
    };
#undef ROW
    r->ok = cak_config_read(r->a, r->d, r->root, rows, &r->h, "the sweep", NULL, NULL) && r->ok;
    const cak_yaml *cap = cak_yaml_get(r->root, "run_cap");
    if (cap && cap->kind == CAK_YAML_SCALAR && !strcmp(cap->text, "0"))
        r->ok = cak_error(r->d, CAK_E1202, cap->pos, "run_cap 0 leaves no point; leave it out for no limit");
    cak_sweep *s = r->s;
    s->name = r->h.name ? r->h.name : stem(r->a, s->path);
    s->description = r->h.description;
    s->seed = (uint64_t)r->h.seed;
    cak_pos at = r->h.name ? place_of(r, "name") : (cak_pos){ .file = s->path };
    r->ok = cak_config_name(r->d, s->name, at, "sweep", true) && r->ok;
    find_base(r);
    read_method(r);
}

/* ---- sections ---- */

static void read_metric(reading *r)
{
    typedef struct metric_attr {
        const char *name;
        int32_t goal;
    } metric_attr;
    static const char *const goals[] = { "minimize", "maximize", NULL };
    static const cak_attr rows[] = {
        { .name = "name", .doc = "an epoch metric", .kind = CAK_TEXT, .offset = offsetof(metric_attr, name), .required = true },
        { .name = "goal", .kind = CAK_ENUM, .offset = offsetof(metric_attr, goal), .choices = goals },
        { .kind = CAK_END },
    };
    metric_attr m = { 0 };
    cak_yaml *map = section(r, "metric", CAK_YAML_MAP);
    if (map) read_map(r, map, rows, &m, "metric");
    if (!m.name) return;
    r->s->metric = m.name;
    r->s->metric_at = cak_yaml_get(map, "name")->pos;
    r->s->maximize = m.goal == 1;
}

static void read_pair_by(reading *r)
{
    cak_sweep *s = r->s;
    cak_yaml *list = section(r, "pair_by", CAK_YAML_LIST);
    s->pair_by = cak_arena_alloc(r->a, ((size_t)(list ? list->n : 0) + 1) * sizeof *s->pair_by);
    for (cak_yaml *n = list ? list->child : NULL; n; n = n->next) {
        int i = 0, twice = 0;
        const char *key = n->kind == CAK_YAML_SCALAR ? n->text : "";
        while (i < s->n_keys && strcmp(s->key[i], key)) i++;
        while (twice < s->n_pair_by && strcmp(s->pair_by[twice], key)) twice++;
        if (i == s->n_keys) {
            const char *near = cak_suggest(key, s->key, s->n_keys);
            r->ok = cak_error(r->d, CAK_E1202, n->pos, "'%s' is no parameter of this sweep%s%s%s", key,
                              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        } else if (twice < s->n_pair_by) {
            r->ok = cak_error(r->d, CAK_E1202, n->pos, "'%s' is named twice", key);
        } else {
            s->pair_by[s->n_pair_by++] = s->key[i];
        }
    }
}

typedef struct early_attr {
    const char *type;
    int64_t min_iter, max_iter, s;
    double eta;
    bool strict;
} early_attr;

/* First decision at min_iter, or at max_iter / eta^s. */
static void set_hyperband(reading *r, const cak_yaml *map, const early_attr *e)
{
    const cak_yaml *type = cak_yaml_get(map, "type"), *strict = cak_yaml_get(map, "strict");
    if (strcmp(e->type, "hyperband"))
        r->ok = cak_error(r->d, CAK_E1202, type->pos, "unknown early termination '%s'; known: hyperband", e->type);
    if (e->strict)
        r->ok = cak_error(r->d, CAK_E1202, strict->pos,
                          "strict is not offered: a run is judged by its value at the epoch of the decision");
    if (!e->min_iter == !e->max_iter)
        r->ok = cak_error(r->d, CAK_E1204, map->pos, "hyperband needs either `min_iter`, or `max_iter` with `s`");
    if (!e->max_iter != !e->s) r->ok = cak_error(r->d, CAK_E1204, map->pos, "`max_iter` and `s` belong together");
    double first = (double)e->max_iter;
    for (int64_t k = 0; k < e->s; k++) first /= e->eta;
    if (e->max_iter && e->s && first < 1)
        r->ok = cak_error(r->d, CAK_E1202, map->pos, "max_iter / eta^s is below 1: take a smaller `s`");
    if (!r->s->metric && !cak_yaml_get(r->root, "metric"))
        r->ok = cak_error(r->d, CAK_E1204, map->key_pos, "early termination compares runs by a metric: `metric` is missing");
    r->s->early = (cak_hyperband){ e->min_iter ? e->min_iter : (int64_t)first, e->eta };
}

static void read_early(reading *r)
{
#define ROW(key, k, ...)                                                          \
    {                                                                             \
        .name = #key, .kind = k, .offset = offsetof(early_attr, key), __VA_ARGS__ \
    }
    static const cak_attr rows[] = {
        ROW(type, CAK_TEXT, .required = true),
        ROW(min_iter, CAK_INT, .max = 1e9),
        ROW(max_iter, CAK_INT, .max = 1e9),
        ROW(s, CAK_INT, .max = 64),
        ROW(eta, CAK_NUM, .def = 3, .min = 1.1, .max = 1e6),
        ROW(strict, CAK_BOOL, .doc = "W&B's variant"),
        { .kind = CAK_END },
    };
#undef ROW
    early_attr e = { 0 };
    cak_yaml *map = section(r, "early_terminate", CAK_YAML_MAP);
    if (map && read_map(r, map, rows, &e, "early_terminate")) set_hyperband(r, map, &e);
}

static void read_on_failure(reading *r)
{
    static const cak_attr rows[] = {
        { .name = "max_retries", .kind = CAK_INT, .offset = offsetof(cak_sweep, max_retries), .max = 1000 },
        { .name = "fail_fast", .kind = CAK_INT, .offset = offsetof(cak_sweep, fail_fast), .max = 1e9 },
        { .kind = CAK_END },
    };
    read_map(r, section(r, "on_failure", CAK_YAML_MAP), rows, r->s, "on_failure");
}

static void read_keep(reading *r)
{
    typedef struct keep_attr {
        int32_t checkpoints, diverged;
    } keep_attr;
    static const char *const checkpoints[] = { "all", "last", "none", NULL }, *const diverged[] = { "snapshot", "nothing", NULL };
    static const cak_attr rows[] = {
        { .name = "checkpoints", .kind = CAK_ENUM, .offset = offsetof(keep_attr, checkpoints), .choices = checkpoints },
        { .name = "diverged", .kind = CAK_ENUM, .offset = offsetof(keep_attr, diverged), .choices = diverged },
        { .kind = CAK_END },
    };
    keep_attr k = { 0 };
    read_map(r, section(r, "keep", CAK_YAML_MAP), rows, &k, "keep");
    r->s->keep = (cak_keep_checkpoints)k.checkpoints;
    r->s->keep_snapshot = k.diverged == 0;
}

/* {cpus_per_task: 8, requeue: true} -> "--cpus-per-task=8", "--requeue" */
static void read_sbatch(reading *r, cak_yaml *map)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    cak_launcher *l = &r->s->launcher;
    map->used = true;
    if (map->kind != CAK_YAML_MAP) {
        r->ok = cak_error(r->d, CAK_E1201, map->pos, "`sbatch` must be a mapping of long options, such as {mem: 8G}");
        return;
    }
    l->sbatch = cak_arena_alloc(r->a, ((size_t)map->n + 1) * sizeof *l->sbatch);
    cak_yaml_each (n, map) {
        bool flag = n->kind == CAK_YAML_SCALAR && !n->quoted && !strcmp(n->text, "true");
        bool off = n->kind == CAK_YAML_SCALAR && !n->quoted && !strcmp(n->text, "false");
        n->used = true;
        if (!n->key[0] || n->key[strspn(n->key, letters)] || n->key[0] == '-') {
            r->ok = cak_error(r->d, CAK_E1205, n->key_pos, "'%s' is no long option of sbatch", n->key);
        } else if (off || n->kind != CAK_YAML_SCALAR || !n->text[0] || strpbrk(n->text, "\n\r")) {
            r->ok = cak_error(r->d, CAK_E1201, n->pos, "an option of sbatch is a text on one line, or true for a flag");
        } else {
            char *line = cak_arena_print(r->a, flag ? "--%s" : "--%s=%s", n->key, n->text);
            for (char *c = line; *c && *c != '='; c++)
                if (*c == '_') *c = '-';
            l->sbatch[l->n_sbatch++] = line;
        }
    }
}

static void read_launcher(reading *r)
{
    typedef struct launcher_attr {
        int32_t type;
        int64_t jobs, threads_per_job, array_limit;
    } launcher_attr;
    static const char *const types[] = { "local", "slurm", NULL };
    static const cak_attr rows[] = {
        { .name = "type", .kind = CAK_ENUM, .offset = offsetof(launcher_attr, type), .choices = types },
        { .name = "jobs", .kind = CAK_INT, .offset = offsetof(launcher_attr, jobs), .max = 1024 },
        { .name = "threads_per_job", .kind = CAK_INT, .offset = offsetof(launcher_attr, threads_per_job), .max = 1024 },
        { .name = "array_limit", .kind = CAK_INT, .offset = offsetof(launcher_attr, array_limit), .max = 1e6 },
        { .kind = CAK_END },
    };
    static const char *const known[] = { "type", "jobs", "threads_per_job", "array_limit", "sbatch", NULL };
    launcher_attr l = { 0 };
    cak_yaml *map = section(r, "launcher", CAK_YAML_MAP), *sbatch = cak_yaml_get(map, "sbatch");
    if (!map) return;
    r->ok = cak_config_read(r->a, r->d, map, rows, &l, "launcher", NULL, NULL) && r->ok;
    r->s->launcher = (cak_launcher){
        .type = (cak_launcher_type)l.type, .jobs = l.jobs, .threads_per_job = l.threads_per_job, .array_limit = l.array_limit
    };
    if (sbatch) read_sbatch(r, sbatch);
    r->ok = cak_config_unused(r->d, map, "launcher", known) && r->ok;
}

/* ---- parameters ---- */

static void read_parameters(reading *r)
{
    cak_sweep *s = r->s;
    cak_yaml *map = cak_yaml_get(r->root, "parameters");
    if (!map) {
        r->ok = cak_error(r->d, CAK_E1204, r->root->pos, "the sweep needs the key 'parameters'");
        return;
    }
    r->ok = cak_sweep_params(r->a, r->d, map, &r->param, &s->n_keys) && r->ok;
    s->key = cak_arena_alloc(r->a, ((size_t)s->n_keys + 1) * sizeof *s->key);
    s->key_at = cak_arena_alloc(r->a, ((size_t)s->n_keys + 1) * sizeof *s->key_at);
    for (int i = 0; i < s->n_keys; i++) s->key[i] = r->param[i].key, s->key_at[i] = r->param[i].at;
}

/* ---- the file ---- */

/* Keys of W&B files that mean nothing here, and what to do instead. */
static void refuse_foreign_keys(reading *r)
{
    static const char *const keys[][2] = {
        { "program", "a training script of W&B; name the configuration with 'base'" },
        { "command", "how W&B starts a script; overrides are the keys of 'parameters' here" },
        { "entity", "an account of W&B; nothing is uploaded" },
        { "project", "a project of W&B; a sweep is the directory sweeps/<name>" },
        { "controller", "where W&B runs its scheduler; the plan is made before the first run here" },
        { "job", "a job of W&B Launch; name the configuration with 'base'" },
        { "image_uri", "a container of W&B Launch; leave it out" },
        { "scheduler", "a setting of W&B Launch; see 'launcher'" },
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        cak_yaml *n = cak_yaml_get(r->root, keys[i][0]);
        if (!n) continue;
        n->used = true;
        r->ok = cak_error(r->d, CAK_E1203, n->key_pos, "'%s' is %s", keys[i][0], keys[i][1]);
    }
}

static void set_scalar(reading *r, const char *key, const char *text)
{
    cak_yaml *n = cak_yaml_get(r->root, key);
    if (!n) {
        n = cak_arena_alloc(r->a, sizeof *n);
        *n = (cak_yaml){ .kind = CAK_YAML_SCALAR, .key = key };
        cak_yaml_append(r->root, n);
    }
    n->text = text;
}

/* The copy in a sweep directory means the same wherever it lies. */
static void write_text(reading *r)
{
    set_scalar(r, "name", r->s->name);
    set_scalar(r, "base", r->s->base);
    if (r->h.run_cap) set_scalar(r, "run_cap", cak_arena_print(r->a, "%lld", (long long)r->h.run_cap));
    r->s->text = cak_yaml_print(r->a, r->root);
}

static bool read_all(reading *r)
{
    static const char *const known[] = { "name",       "description", "base",     "method", "metric",
                                         "parameters", "pair_by",     "run_cap",  "seed",   "early_terminate",
                                         "on_failure", "keep",        "launcher", NULL };
    refuse_foreign_keys(r);
    read_head(r);
    read_parameters(r);
    read_metric(r);
    read_pair_by(r);
    read_early(r);
    read_on_failure(r);
    read_keep(r);
    read_launcher(r);
    r->ok = cak_config_unused(r->d, r->root, "the sweep", known) && r->ok;
    return r->ok;
}

static bool expand(reading *r, int64_t run_cap)
{
    if (run_cap) r->h.run_cap = run_cap;
    for (int i = 0; i < r->s->n_keys; i++) cak_param_warn(r->d, &r->param[i]);
    return cak_sweep_expand(r->d, r->s, r->param, r->h.run_cap, place_of(r, r->h.run_cap ? "run_cap" : "method"));
}

/* ---- files with mistakes ---- */

/* A value that is good for a look at the configuration; NULL: there is none, or it takes more to know one. */
static const char *some_value(cak_arena *a, const cak_sweep_param *p)
{
    if (strpbrk(p->key, "=~ ")) return NULL;
    if (p->n) return p->value[0];
    return p->min < p->max && !cak_param_listed(p) ? cak_param_draw(a, p, 0.5) : NULL;
}

/* Mistakes of the base, of keys and of the metric show in the same run as those of the file: with one point, as far as it is known. */
static void check_a_point(reading *r)
{
    cak_sweep s = *r->s;
    cak_point point = { .value = cak_arena_alloc(r->a, ((size_t)s.n_keys + 1) * sizeof *point.value) };
    s.key = cak_arena_alloc(r->a, ((size_t)s.n_keys + 1) * sizeof *s.key);
    s.key_at = cak_arena_alloc(r->a, ((size_t)s.n_keys + 1) * sizeof *s.key_at);
    s.n_keys = 0;
    for (int i = 0; i < r->s->n_keys; i++) {
        const char *value = some_value(r->a, &r->param[i]);
        if (!value) continue;
        s.key[s.n_keys] = r->param[i].key, s.key_at[s.n_keys] = r->param[i].at;
        point.value[s.n_keys++] = value;
    }
    s.point = &point, s.n_points = 1;
    cak_sweep_check(r->a, r->d, &s);
}

/* No key of a sweep, but some of an experiment? */
static bool is_experiment(const cak_yaml *root)
{
    static const char *const of_sweeps[] = { "base", "method", "parameters" }, *const of_experiments[] = { "version", "defaults",
                                                                                                           "data", "train",
                                                                                                           "losses" };
    bool ours = false, theirs = false;
    for (size_t i = 0; i < sizeof of_sweeps / sizeof *of_sweeps; i++) ours = ours || cak_yaml_get(root, of_sweeps[i]);
    for (size_t i = 0; i < sizeof of_experiments / sizeof *of_experiments; i++)
        theirs = theirs || cak_yaml_get(root, of_experiments[i]);
    return theirs && !ours;
}

static bool check_kind(const reading *r)
{
    const char *path = r->s->path;
    return !is_experiment(r->root) ||
           cak_error(r->d, CAK_E5001, r->root->pos,
                     "this is an experiment: train it with `cak train %s`, or write a sweep with `base: %s`", path, path);
}

/* ---- the whole ---- */

static cak_sweep *load(cak_diag *d, const char *path, cak_yaml *root(cak_arena *, cak_diag *, const char *, const char *),
                       const char *text, bool points, int64_t run_cap)
{
    cak_arena *a = cak_arena_open("sweep");
    reading r = { .a = a, .d = d, .planned = !points, .ok = true, .root = root(a, d, path, text) };
    r.s = cak_arena_alloc(a, sizeof *r.s);
    *r.s = (cak_sweep){ .arena = a, .path = cak_arena_text(a, path) };
    bool ours = r.root && check_kind(&r);
    if (ours && read_all(&r) && (!points || expand(&r, run_cap))) {
        write_text(&r);
        return r.s;
    }
    if (ours && points && r.s->base) check_a_point(&r);
    cak_arena_close(a);
    return NULL;
}

static cak_yaml *of_file(cak_arena *a, cak_diag *d, const char *path, const char *text)
{
    (void)text;
    return cak_yaml_load(a, d, path);
}

static cak_yaml *of_text(cak_arena *a, cak_diag *d, const char *name, const char *text)
{
    cak_diag_source(d, name, text);
    return cak_yaml_parse(a, d, name, text, strlen(text));
}

cak_sweep *cak_sweep_load(cak_diag *d, const char *path, int64_t run_cap) { return load(d, path, of_file, NULL, true, run_cap); }
cak_sweep *cak_sweep_read(cak_diag *d, const char *path) { return load(d, path, of_file, NULL, false, 0); }
cak_sweep *cak_sweep_parse(cak_diag *d, const char *name, const char *text) { return load(d, name, of_text, text, true, 0); }

void cak_sweep_close(cak_sweep *s)
{
    if (s) cak_arena_close(s->arena); /* s lives in it */
}

bool cak_sweep_is(const char *path)
{
    cak_arena *a = cak_arena_open("sweep");
    cak_diag *quiet = cak_diag_open();
    const cak_yaml *root = cak_yaml_load(a, quiet, path);
    bool is = cak_yaml_get(root, "parameters") || cak_yaml_get(root, "method");
    cak_diag_close(quiet);
    cak_arena_close(a);
    return is;
}
