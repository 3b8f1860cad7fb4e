/* Checking the points of a sweep before anything is written. */
#include "experiments/sweep_check.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "experiments/command.h"
#include "experiments/record.h"
#include "graph/text.h"

const char *cak_point_text(cak_arena *a, const cak_sweep *s, const cak_point *p)
{
    cak_text_builder b = { .a = a };
    const char **line = cak_point_overrides(a, s, p);
    for (int i = 0; i < s->n_keys; i++) cak_text_add(&b, "%s%s", i ? " " : "", line[i]);
    return cak_text_done(&b);
}

cak_config *cak_point_compose(cak_diag *d, const cak_sweep *s, const cak_point *p)
{
    cak_arena *a = cak_arena_open("overrides");
    cak_config *c = cak_config_load(d, s->base, cak_point_overrides(a, s, p), s->n_keys);
    cak_arena_close(a);
    return c;
}

/* ---- what points have in common ---- */

typedef struct set { /* digests in the order of appearance */
    uint64_t *digest;
    int n, cap;
} set;

static int find(const set *s, uint64_t digest)
{
    for (int i = 0; i < s->n; i++)
        if (s->digest[i] == digest) return i;
    return -1;
}

static int add(cak_arena *a, set *s, uint64_t digest)
{
    s->digest = cak_arena_grow(a, s->digest, &s->cap, s->n + 1, sizeof *s->digest);
    s->digest[s->n] = digest;
    return s->n++;
}

static void remove_key(cak_yaml *map, const char *key)
{
    cak_yaml *n = cak_yaml_get(map, key);
    if (n) cak_yaml_remove(n);
}

static uint64_t tree_digest(cak_arena *a, const cak_yaml *n)
{
    const char *text = n ? cak_yaml_print(a, n) : "";
    return XXH3_64bits(text, strlen(text));
}

/* Of what decides the graph: the rest is read, and checked, without it. */
static uint64_t program_digest(cak_arena *a, const cak_config *c)
{
    static const char *const free_keys[] = { "name", "description", "tags", "seed", "log" };
    static const char *const free_of_train[] = { "epochs", "max_steps", "guard", "checkpoint" };
    cak_yaml *root = cak_yaml_clone(a, c->root), *train = cak_yaml_get(root, "train"), *phases = cak_yaml_get(train, "phases");
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++) remove_key(root, free_keys[i]);
    for (size_t i = 0; i < sizeof free_of_train / sizeof *free_of_train; i++) remove_key(train, free_of_train[i]);
    for (cak_yaml *p = phases ? phases->child : NULL; p; p = p->next) remove_key(p, "optimizer");
    return tree_digest(a, root);
}

/* ---- mistakes ---- */

enum { MAX_SHOWN = 20 }; /* points that fail in different ways, each shown with all its errors */

typedef struct failure {   /* points that fail in the same way */
    uint64_t early, whole; /* digests of the errors before the graph was built, of all */
    int point, count;      /* the first one */
} failure;

typedef struct checking {
    cak_arena *a;
    cak_diag *d, *quiet; /* quiet: of the point that is looked at */
    const cak_sweep *s;
    cak_sweep_checked *out;
    set programs, data;
    int *failed; /* by program: index of its failure, -1: none */
    int failed_cap;
    failure *failure;
    int n_failures, failures_cap;
} checking;

/* 0: there are no errors. */
static uint64_t errors_digest(const cak_diag *d)
{
    cak_arena *a = cak_arena_open("errors");
    cak_text_builder b = { .a = a };
    for (int i = 0; i < cak_diag_errors(d); i++) {
        cak_pos at = cak_diag_pos(d, i);
        cak_text_add(&b, "%d %s:%d:%d %s\n", (int)cak_diag_code(d, i), at.file ? at.file : "", at.line, at.col,
                     cak_diag_message(d, i));
    }
    const char *text = cak_text_done(&b);
    uint64_t digest = *text ? XXH3_64bits(text, strlen(text)) : 0;
    cak_arena_close(a);
    return digest;
}

static int note_failure(checking *k, int point, uint64_t early)
{
    uint64_t whole = errors_digest(k->quiet);
    int i = 0;
    while (i < k->n_failures && k->failure[i].whole != whole) i++;
    if (i == k->n_failures) {
        k->failure = cak_arena_grow(k->a, k->failure, &k->failures_cap, ++k->n_failures, sizeof *k->failure);
        k->failure[i] = (failure){ early, whole, point, 0 };
    }
    return i;
}

static int early_failure(const checking *k, uint64_t early)
{
    for (int i = 0; i < k->n_failures; i++)
        if (k->failure[i].early == early) return i;
    return -1;
}

/* The metric of the sweep must be one that a run records at the end of an epoch. */
static void check_metric(cak_diag *d, const cak_sweep *s, const cak_experiment *x)
{
    cak_record r;
    if (!s->metric || cak_diag_errors(d)) return;
    cak_record_open(&r, x);
    const char **names = cak_arena_alloc(x->arena, ((size_t)r.epoch_fields.n + 1) * sizeof *names);
    for (int i = 0; i < r.epoch_fields.n; i++) {
        names[i] = r.epoch_fields.field[i].name;
        if (!strcmp(names[i], s->metric)) return;
    }
    const char *near = cak_suggest(s->metric, names, r.epoch_fields.n);
    cak_text_builder b = { .a = x->arena };
    for (int i = 0; i < r.epoch_fields.n; i++) cak_text_add(&b, "%s%s", i ? ", " : "", names[i]);
    cak_error(d, CAK_E1202, s->metric_at, "'%s' is not recorded at the end of an epoch%s%s%s", s->metric,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    cak_note(d, CAK_NOWHERE, "recorded are: %s", cak_text_done(&b));
}

static void check_graph(cak_diag *d, const cak_sweep *s, cak_config *c)
{
    cak_experiment *x = cak_command_experiment(d, c, false);
    check_metric(d, s, x);
    cak_experiment_close(x);
}

/* ---- one point ---- */

static int new_program(checking *k, int point, uint64_t digest)
{
    int i = add(k->a, &k->programs, digest);
    k->failed = cak_arena_grow(k->a, k->failed, &k->failed_cap, i + 1, sizeof *k->failed);
    k->failed[i] = -1;
    k->out->program_of[i] = point;
    return i;
}

/* Everything about a point: a program that was not seen yet, or mistakes that were not. Returns its failure, -1: none. */
static int check_whole(checking *k, int point, cak_config *c, uint64_t early, int program)
{
    int before = cak_diag_errors(k->quiet);
    check_graph(k->quiet, k->s, c);
    int failed = cak_diag_errors(k->quiet) ? note_failure(k, point, early) : -1;
    if (cak_diag_errors(k->quiet) > before) k->failed[program] = failed;
    return failed;
}

static int check_config(checking *k, int point, cak_config *c)
{
    cak_arena *a = cak_arena_open("configuration of a point");
    char *hex = cak_arena_alloc(k->a, 33);
    cak_config_digest(c, hex); /* of what was composed: opening it makes paths absolute, and forgets numbers that nothing reads */
    cak_experiment *x = cak_experiment_open(c);
    k->out->train[point] = x->train;
    cak_experiment_close(x);
    uint64_t early = errors_digest(k->quiet), program = program_digest(a, c),
             data = tree_digest(a, cak_yaml_get(c->root, "data"));
    cak_arena_close(a);
    int p = find(&k->programs, program), s = find(&k->data, data), known = early ? early_failure(k, early) : -1;
    bool is_new = p < 0;
    if (is_new) p = new_program(k, point, program);
    if (s < 0) k->out->data_of[s = add(k->a, &k->data, data)] = point;
    k->out->config_hash[point] = hex;
    k->out->program[point] = p, k->out->data[point] = s;
    if (is_new || (early && known < 0)) return check_whole(k, point, c, early, p);
    return early ? known : k->failed[p];
}

static void check_point(checking *k, int point)
{
    cak_diag_clear(k->quiet);
    cak_config *c = cak_point_compose(k->quiet, k->s, &k->s->point[point]);
    int failed = -1;
    if (c) failed = check_config(k, point, c);
    else if ((failed = early_failure(k, errors_digest(k->quiet))) < 0) failed = note_failure(k, point, errors_digest(k->quiet));
    if (c) cak_config_close(c);
    if (failed >= 0) k->failure[failed].count++;
}

/* ---- report ---- */

/* "<override 3>" is the third parameter. */
static cak_pos parameter_place(const cak_sweep *s, cak_pos at)
{
    int number = 0;
    bool override = at.file && sscanf(at.file, "<override %d>", &number) == 1 && number >= 1 && number <= s->n_keys;
    return override ? s->key_at[number - 1] : CAK_NOWHERE;
}

/* Look at the point again, with everything that there is to say. */
static void report(checking *k, const failure *f)
{
    const cak_point *p = &k->s->point[f->point];
    int before = cak_diag_errors(k->d);
    cak_config *c = cak_point_compose(k->d, k->s, p);
    if (c) check_graph(k->d, k->s, c);
    if (c) cak_config_close(c);
    if (cak_diag_errors(k->d) == before) return; /* all known from points before */
    cak_pos at = parameter_place(k->s, cak_diag_pos(k->d, before));
    const char *more = f->count > 1 ? cak_arena_print(k->a, ", and %d more point%s", f->count - 1, f->count > 2 ? "s" : "") : "";
    cak_note(k->d, at, "in point %s%s", cak_point_text(k->a, k->s, p), more);
}

cak_sweep_checked *cak_sweep_check(cak_arena *a, cak_diag *d, const cak_sweep *s)
{
    size_t n = (size_t)s->n_points + 1;
    cak_sweep_checked *out = cak_arena_alloc(a, sizeof *out);
    *out = (cak_sweep_checked){ .config_hash = cak_arena_alloc(a, n * sizeof *out->config_hash),
                                .train = cak_arena_alloc(a, n * sizeof *out->train),
                                .program = cak_arena_alloc(a, n * sizeof *out->program),
                                .data = cak_arena_alloc(a, n * sizeof *out->data),
                                .program_of = cak_arena_alloc(a, n * sizeof *out->program_of),
                                .data_of = cak_arena_alloc(a, n * sizeof *out->data_of) };
    checking k = { .a = a, .d = d, .quiet = cak_diag_open(), .s = s, .out = out };
    int i = 0;
    for (; i < s->n_points && k.n_failures <= MAX_SHOWN; i++) check_point(&k, i);
    cak_diag_close(k.quiet);
    for (int f = 0; f < k.n_failures && f < MAX_SHOWN; f++) report(&k, &k.failure[f]);
    if (k.n_failures > MAX_SHOWN) cak_note(d, CAK_NOWHERE, "the other %d points were not looked at", s->n_points - i + 1);
    out->n_programs = k.programs.n;
    out->n_data = k.data.n;
    return k.n_failures ? NULL : out;
}
