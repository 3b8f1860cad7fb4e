/* Checking the points of a sweep before anything is written. */
#include "experiments/sweep_check.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "experiments/command.h"
#include "experiments/record.h"
#include "graph/io.h"
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

enum { MAX_SHOWN = 20 }; /* different mistakes */

typedef struct mistake {
    cak_code code;
    cak_pos at;
    const char *message;
    int point, count; /* the first that has it; how many have it */
} mistake;

typedef struct failure {   /* points that fail in the same way */
    uint64_t early, whole; /* digests of the errors before the graph was built, of all */
    int *mistake, n, count;
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
    mistake *mistake;
    int n_mistakes, mistakes_cap;
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

static int note_mistake(checking *k, int point, int error)
{
    cak_pos at = cak_diag_pos(k->quiet, error);
    const mistake m = { cak_diag_code(k->quiet, error), at, cak_diag_message(k->quiet, error), point, 0 };
    for (int i = 0; i < k->n_mistakes; i++) {
        const mistake *old = &k->mistake[i];
        bool same_place = old->at.line == at.line && old->at.col == at.col && !old->at.file == !at.file &&
                          (!at.file || !strcmp(old->at.file, at.file));
        if (same_place && old->code == m.code && !strcmp(old->message, m.message)) return i;
    }
    k->mistake = cak_arena_grow(k->a, k->mistake, &k->mistakes_cap, k->n_mistakes + 1, sizeof *k->mistake);
    mistake *to = &k->mistake[k->n_mistakes];
    *to = m;
    to->message = cak_arena_text(k->a, m.message);
    if (at.file) to->at.file = cak_arena_text(k->a, at.file);
    return k->n_mistakes++;
}

static int note_failure(checking *k, int point, uint64_t early)
{
    uint64_t whole = errors_digest(k->quiet);
    for (int i = 0; i < k->n_failures; i++)
        if (k->failure[i].whole == whole) return i;
    int n = cak_diag_errors(k->quiet);
    failure f = { early, whole, cak_arena_alloc(k->a, (size_t)n * sizeof(int)), n, 0 };
    for (int i = 0; i < n; i++) f.mistake[i] = note_mistake(k, point, i);
    k->failure = cak_arena_grow(k->a, k->failure, &k->failures_cap, k->n_failures + 1, sizeof *k->failure);
    k->failure[k->n_failures] = f;
    return k->n_failures++;
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
    if (!s->metric) return;
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
              near ? "; did you mean '" : "; recorded are ", near ? near : cak_text_done(&b), near ? "'?" : "");
}

static void check_graph(cak_diag *d, const cak_sweep *s, cak_config *c)
{
    int before = cak_diag_errors(d);
    cak_experiment *x = cak_command_experiment(d, c, false);
    if (cak_diag_errors(d) == before) check_metric(d, s, x);
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

/* "<override 3>" is the third parameter; 0: the place is somewhere else. */
static int parameter_number(const cak_sweep *s, cak_pos at)
{
    int number = 0;
    bool override = at.file && sscanf(at.file, "<override %d>", &number) == 1;
    return override && number >= 1 && number <= s->n_keys ? number : 0;
}

/* Let the line of the place be shown. */
static void give_source(checking *k, const mistake *m, int number)
{
    if (number) {
        cak_diag_source(k->d, m->at.file, cak_point_overrides(k->a, k->s, &k->s->point[m->point])[number - 1]);
    } else if (m->at.file) {
        const char *text = cak_io_read_all(k->a, k->quiet, CAK_E4002, m->at.file, CAK_YAML_MAX_BYTES, NULL);
        if (text) cak_diag_source(k->d, m->at.file, text);
    }
}

static void report(checking *k, const mistake *m)
{
    int number = parameter_number(k->s, m->at);
    give_source(k, m, number);
    cak_error(k->d, m->code, m->at, "%s", m->message);
    const char *more = m->count > 1 ? cak_arena_print(k->a, ", and %d more point%s", m->count - 1, m->count > 2 ? "s" : "") : "";
    cak_note(k->d, number ? k->s->key_at[number - 1] : CAK_NOWHERE, "in point %s%s",
             cak_point_text(k->a, k->s, &k->s->point[m->point]), more);
}

static void report_all(checking *k, int looked_at)
{
    for (int f = 0; f < k->n_failures; f++)
        for (int i = 0; i < k->failure[f].n; i++) k->mistake[k->failure[f].mistake[i]].count += k->failure[f].count;
    int shown = k->n_mistakes < MAX_SHOWN ? k->n_mistakes : MAX_SHOWN;
    for (int i = 0; i < shown; i++) report(k, &k->mistake[i]);
    if (looked_at < k->s->n_points)
        cak_note(k->d, CAK_NOWHERE, "not looked at: %d more point%s", k->s->n_points - looked_at,
                 k->s->n_points - looked_at == 1 ? "" : "s");
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
    while (i < s->n_points && k.n_mistakes < MAX_SHOWN) check_point(&k, i++);
    report_all(&k, i);
    cak_diag_close(k.quiet);
    out->n_programs = k.programs.n;
    out->n_data = k.data.n;
    return k.n_failures ? NULL : out;
}
