/* Finding and describing run directories from outside. */
#include "experiments/run_list.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/provenance.h"
#include "graph/io.h"
#include "graph/text.h"

enum { MAX_DEPTH = 8, MAX_OVERRIDES = 1 << 20 };

#define RUNS "runs" /* where runs are when nothing else is said */

typedef struct walk { /* what is collected below a directory */
    cak_arena *a;
    cak_diag *d;
    const char **dir;
    cak_run_file *file;
    int n, cap;
} walk;

/* ---- finding ---- */

static void find(walk *w, const char *dir, int depth)
{
    if (cak_io_exists(cak_arena_print(w->a, "%s/run.json", dir))) {
        w->dir = cak_arena_grow(w->a, w->dir, &w->cap, w->n + 1, sizeof *w->dir);
        w->dir[w->n++] = dir;
        return;
    }
    int n;
    const cak_io_entry *entry = cak_io_list(w->a, w->d, dir, &n);
    for (int i = 0; i < n; i++)
        if (entry[i].kind == CAK_IO_DIR && entry[i].name[0] != '.' && depth < MAX_DEPTH)
            find(w, cak_arena_print(w->a, "%s/%s", dir, entry[i].name), depth + 1);
}

const char *const *cak_run_find(cak_arena *a, cak_diag *d, const char *root, int *n)
{
    walk w = { .a = a, .d = d };
    char *path = cak_arena_text(a, root);
    for (size_t k = strlen(path); k > 1 && path[k - 1] == '/';) path[--k] = '\0';
    find(&w, path, 0);
    *n = w.n;
    return w.dir;
}

/* ---- naming ---- */

enum { SHOWN = 3 };

/* "a, b, c (and 4 more)" */
static const char *some_of(cak_arena *a, const char *const *dir, int n)
{
    cak_text_builder b = { .a = a };
    for (int i = 0; i < n && i < SHOWN; i++) cak_text_add(&b, "%s%s", i ? ", " : "", dir[i]);
    if (n > SHOWN) cak_text_add(&b, " (and %d more)", n - SHOWN);
    return cak_text_done(&b);
}

/* The runs below ./runs that have this id: one, unless somebody made copies. */
static const char *const *with_id(cak_arena *a, cak_diag *d, const char *id, int *n)
{
    int found = 0;
    const char *const *dir = cak_io_exists(RUNS) ? cak_run_find(a, d, RUNS, &found) : NULL;
    const char **same = cak_arena_alloc(a, ((size_t)found + 1) * sizeof *same);
    *n = 0;
    for (int i = 0; i < found; i++) {
        cak_run *run = cak_run_peek(d, dir[i]);
        if (run && strcmp(run->id, id) == 0) same[(*n)++] = dir[i];
        cak_run_close(run);
    }
    return same;
}

const char *cak_run_locate(cak_arena *a, cak_diag *d, const char *word)
{
    if (cak_io_exists(cak_arena_print(a, "%s/run.json", word))) return word;
    cak_diag *quiet = cak_diag_open(); /* what cannot be read names no run */
    int n_below = 0, n_same = 0;
    const char *const *below = cak_io_exists(word) ? cak_run_find(a, quiet, word, &n_below) : NULL;
    const char *const *same = with_id(a, quiet, word, &n_same);
    cak_diag_close(quiet);
    if (n_same == 1) return same[0];
    if (n_same > 1) cak_error(d, CAK_E4011, CAK_NOWHERE, "%d runs have the id %s: %s", n_same, word, some_of(a, same, n_same));
    else if (n_below)
        cak_error(d, CAK_E4011, CAK_NOWHERE, "%s is not a run directory; runs below it: %s", word, some_of(a, below, n_below));
    else
        cak_error(d, CAK_E4011, CAK_NOWHERE, "%s is not a run directory (it has no run.json), nor the id of a run below ./" RUNS,
                  word);
    return NULL;
}

/* ---- files ---- */

static void collect(walk *w, const char *dir, const char *below, int depth)
{
    int n;
    const cak_io_entry *entry = cak_io_list(w->a, w->d, dir, &n);
    for (int i = 0; i < n; i++) {
        const char *name = cak_arena_print(w->a, "%s%s", below, entry[i].name);
        if (entry[i].kind == CAK_IO_DIR && depth < MAX_DEPTH)
            collect(w, cak_arena_print(w->a, "%s/%s", dir, entry[i].name), cak_arena_print(w->a, "%s/", name), depth + 1);
        if (entry[i].kind != CAK_IO_FILE) continue;
        w->file = cak_arena_grow(w->a, w->file, &w->cap, w->n + 1, sizeof *w->file);
        w->file[w->n++] = (cak_run_file){ name, entry[i].size };
    }
}

const cak_run_file *cak_run_files(cak_arena *a, cak_diag *d, const char *dir, int *n)
{
    walk w = { .a = a, .d = d };
    collect(&w, dir, "", 0);
    *n = w.n;
    return w.file;
}

/* ---- describing ---- */

/* Records are numbered from 0, so the newest number + 1 counts them. */
static int64_t count(const cak_metrics_table *t, const char *name)
{
    int c = cak_metrics_column(t, name);
    return t->n_rows && c >= 0 && t->value[c] >= 0 && t->value[c] < 1e15 ? (int64_t)t->value[c] + 1 : 0;
}

static int64_t integer(const json_t *value) { return json_is_integer(value) ? json_integer_value(value) : -1; }

/* The step in which a run diverged has a record, but was not completed. */
static int64_t completed_steps(int64_t diverged, const cak_metrics_table *step)
{
    int64_t n = count(step, "step");
    return n - (n > 0 && diverged == n - 1);
}

static uint64_t total_size(cak_arena *a, cak_diag *d, const char *dir)
{
    int n;
    uint64_t size = 0;
    const cak_run_file *file = cak_run_files(a, d, dir, &n);
    for (int i = 0; i < n; i++) size += file[i].size;
    return size;
}

static const char *copy(cak_arena *a, const char *text) { return text ? cak_arena_text(a, text) : NULL; }

static int by_key(const void *x, const void *y) { return strcmp(((const cak_pair *)x)->key, ((const cak_pair *)y)->key); }

static cak_run_streams read_streams(cak_arena *a, const json_t *json)
{
    json_t *init = json_object_get(json, "init"), *digest;
    const char *name;
    cak_pair *pair = cak_arena_alloc(a, (json_object_size(init) + 1) * sizeof *pair);
    int n = 0;
    json_object_foreach(init, name, digest)
    {
        const char *text = json_string_value(digest);
        if (text) pair[n++] = (cak_pair){ cak_arena_text(a, name), cak_arena_text(a, text) };
    }
    qsort(pair, (size_t)n, sizeof *pair, by_key);
    return (cak_run_streams){ copy(a, json_string_value(json_object_get(json, "batches"))), pair, n };
}

const char *const *cak_run_overrides(cak_arena *a, cak_diag *d, const char *dir, int *n)
{
    const char *path = cak_arena_print(a, "%s/overrides.txt", dir);
    const char **line = cak_arena_alloc(a, sizeof *line);
    int cap = 1;
    *n = 0;
    if (!cak_io_exists(path)) return line;
    char *text = cak_io_read_all(a, d, CAK_E4002, path, MAX_OVERRIDES, NULL), *rest = NULL;
    if (!text) return NULL;
    for (char *l = strtok_r(text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
        line = cak_arena_grow(a, line, &cap, *n + 1, sizeof *line);
        line[(*n)++] = l;
    }
    return line;
}

static cak_run_info *describe(cak_arena *a, cak_diag *d, const cak_run *run)
{
    cak_run_info *info = cak_arena_alloc(a, sizeof *info);
    *info = (cak_run_info){ .dir = copy(a, run->dir), .id = copy(a, run->id), .name = copy(a, run->name), .state = run->state };
    info->config_hash = copy(a, cak_run_text(run, "config_hash"));
    info->seed = (uint64_t)json_integer_value(json_object_get(run->doc, "seed"));
    info->created = cak_utc_seconds(json_string_value(json_object_get(json_object_get(run->doc, "time"), "created")));
    info->parent = copy(a, cak_run_text(run, "parent"));
    info->exit_code = (int)integer(json_object_get(run->doc, "exit_code"));
    info->diverged_step = integer(json_object_get(json_object_get(run->doc, "diverged"), "step"));
    info->streams = read_streams(a, json_object_get(run->doc, "streams"));
    size_t n = json_dumpb(run->doc, NULL, 0, JSON_REAL_PRECISION(15));
    char *json = cak_arena_alloc(a, n + 1);
    json_dumpb(run->doc, json, n, JSON_REAL_PRECISION(15));
    info->json = json;
    cak_io_locked(cak_run_path(run, "run.lock"), &info->holder);
    info->size = total_size(a, d, run->dir);
    info->last = cak_metrics_last(a, d, run->dir, "epoch");
    const cak_metrics_table *step = cak_metrics_last(a, d, run->dir, "step");
    info->overrides = cak_run_overrides(a, d, run->dir, &info->n_overrides);
    if (!info->last || !step || !info->overrides) return NULL;
    info->epochs = count(info->last, "epoch");
    info->steps = completed_steps(info->diverged_step, step);
    return info;
}

cak_run_info *cak_run_describe(cak_arena *a, cak_diag *d, const char *dir)
{
    cak_run *run = cak_run_peek(d, dir);
    cak_run_info *info = run ? describe(a, d, run) : NULL;
    cak_run_close(run);
    return info;
}

/* ---- as JSON ---- */

static json_t *metrics_json(const cak_metrics_table *t)
{
    json_t *json = json_object();
    for (int c = 0; t->n_rows && c < t->n_names; c++) {
        if (cak_metrics_is_place(t->name[c])) continue;
        json_t *value = json_real(t->value[c]); /* NULL for NaN and infinity, which JSON does not have */
        json_object_set_new(json, t->name[c], value ? value : json_null());
    }
    return json;
}

json_t *cak_run_json(const cak_run_info *r)
{
    json_t *json = json_loads(r->json, 0, NULL);
    json_object_set_new(json, "state", json_string(cak_run_state_name(r->state)));
    json_object_set_new(json, "dir", json_string(r->dir));
    json_object_set_new(json, "size", json_integer((json_int_t)r->size));
    json_object_set_new(json, "epoch", json_integer(r->epochs));
    json_object_set_new(json, "step", json_integer(r->steps));
    json_object_set_new(json, "metrics", metrics_json(r->last));
    return json;
}
