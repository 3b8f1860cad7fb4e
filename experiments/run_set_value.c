/* Many runs and the values that describe them: looking values up, filtering. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "experiments/run_set.h"
#include "graph/number.h"

/* ---- lists of words ---- */

cak_names cak_names_split(cak_arena *a, const char *text)
{
    const char **name = cak_arena_alloc(a, (text ? strlen(text) + 1 : 1) * sizeof *name);
    int n = 0;
    for (const char *p = text ? text : ""; *p; p += *p == ',') {
        size_t length = strcspn(p, ",");
        if (length) name[n++] = cak_arena_print(a, "%.*s", (int)length, p);
        p += length;
    }
    return (cak_names){ name, n };
}

bool cak_names_have(cak_names list, const char *name)
{
    for (int i = 0; i < list.n; i++)
        if (strcmp(list.name[i], name) == 0) return true;
    return false;
}

/* ---- what every run has ---- */

typedef const char *field_value(cak_arena *a, const cak_member *r);

static const char *number(cak_arena *a, int64_t v) { return cak_arena_print(a, "%" PRId64, v); }
static const char *state(cak_arena *a, const cak_member *r) { return (void)a, r->state; }
static const char *dir(cak_arena *a, const cak_member *r) { return (void)a, r->label; }
static const char *id(cak_arena *a, const cak_member *r) { return (void)a, r->info ? r->info->id : NULL; }
static const char *name(cak_arena *a, const cak_member *r) { return (void)a, r->info ? r->info->name : NULL; }
static const char *epoch(cak_arena *a, const cak_member *r) { return number(a, r->info ? r->info->epochs : 0); }
static const char *step(cak_arena *a, const cak_member *r) { return number(a, r->info ? r->info->steps : 0); }
static const char *exit_code(cak_arena *a, const cak_member *r)
{
    return r->info && r->info->exit_code >= 0 ? number(a, r->info->exit_code) : NULL;
}
static const char *diverged_step(cak_arena *a, const cak_member *r)
{
    return r->info && r->info->diverged_step >= 0 ? number(a, r->info->diverged_step) : NULL;
}

static const char *size(cak_arena *a, const cak_member *r) { return r->info ? number(a, (int64_t)r->info->size) : NULL; }
static const char *created(cak_arena *a, const cak_member *r)
{
    struct tm tm;
    char text[32];
    const time_t t = r->info ? (time_t)r->info->created : 0;
    if (!t || !gmtime_r(&t, &tm)) return NULL;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return cak_arena_text(a, text);
}

typedef struct field {
    const char *name;
    field_value *value;
} field;

static const field fields[] = {
    { "state", state }, { "name", name }, { "id", id },     { "dir", dir },         { "exit_code", exit_code },
    { "epoch", epoch }, { "step", step }, { "size", size }, { "created", created }, { "diverged_step", diverged_step },
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* ---- metrics ---- */

bool cak_is_headline(const char *metric)
{
    return !cak_metrics_is_place(metric) && strcmp(metric, "wall") != 0 && !strchr(metric, '.');
}

static int metric_column(const cak_member *r, const char *metric)
{
    if (!r->info || !r->info->last->n_rows || cak_metrics_is_place(metric)) return -1;
    return cak_metrics_column(r->info->last, metric);
}

double cak_member_metric(const cak_member *r, const char *metric)
{
    int c = metric_column(r, metric);
    return c < 0 ? (double)NAN : r->info->last->value[c];
}

const char *cak_metric_text(cak_arena *a, double v)
{
    char buf[CAK_NUMBER_TEXT];
    if (isnan(v)) return "nan";
    return isinf(v) ? v > 0 ? "inf" : "-inf" : cak_arena_text(a, cak_number_text(v, buf));
}

cak_names cak_run_set_metrics(const cak_run_set *s, bool headlines)
{
    const char **name = NULL;
    int n = 0, cap = 0;
    for (int i = 0; i < s->n; i++) {
        const cak_metrics_table *t = s->run[i].info ? s->run[i].info->last : NULL;
        for (int c = 0; t && c < t->n_names; c++) {
            if (headlines ? !cak_is_headline(t->name[c]) : cak_metrics_is_place(t->name[c])) continue;
            if (cak_names_have((cak_names){ name, n }, t->name[c])) continue;
            name = cak_arena_grow(s->arena, name, &cap, n + 1, sizeof *name);
            name[n++] = t->name[c];
        }
    }
    return (cak_names){ name, n };
}

/* ---- all ---- */

static cak_setting seed(const cak_run_set *s, const cak_member *r)
{
    return cak_setting_of(r->info ? number(s->arena, (int64_t)r->info->seed) : NULL);
}

cak_setting cak_run_set_value(const cak_run_set *s, const cak_member *r, const char *key)
{
    static const char prefix[] = "metrics.";
    for (int i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, key) == 0) return cak_setting_of(fields[i].value(s->arena, r));
    int k = cak_run_set_key(s, key);
    if (k >= 0 && k < r->n_values && r->value[k].text) return r->value[k];
    if (strcmp(key, "seed") == 0) return seed(s, r);
    const char *metric = strncmp(key, prefix, sizeof prefix - 1) == 0 ? key + sizeof prefix - 1 : key;
    int c = metric_column(r, metric);
    return cak_setting_of(c < 0 ? NULL : cak_metric_text(s->arena, r->info->last->value[c]));
}

typedef struct name_list {
    cak_arena *a;
    const char **name;
    int n, cap;
} name_list;

static void add_name(name_list *l, const char *text)
{
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->name[i], text) == 0) return;
    l->name = cak_arena_grow(l->a, l->name, &l->cap, l->n + 1, sizeof *l->name);
    l->name[l->n++] = text;
}

const char *const *cak_run_set_names(cak_arena *a, const cak_run_set *s, int *n)
{
    name_list l = { .a = a };
    for (int i = 0; i < FIELDS; i++) add_name(&l, fields[i].name);
    add_name(&l, "seed");
    for (int k = 0; k < s->n_keys; k++) add_name(&l, s->key[k].name);
    for (int i = 0; i < s->n; i++) {
        const cak_metrics_table *t = s->run[i].info ? s->run[i].info->last : NULL;
        for (int c = 0; t && c < t->n_names; c++) {
            if (cak_metrics_is_place(t->name[c])) continue;
            add_name(&l, t->name[c]);
            add_name(&l, cak_arena_print(a, "metrics.%s", t->name[c]));
        }
    }
    *n = l.n;
    return l.name;
}

bool cak_run_set_knows(const cak_run_set *s, cak_diag *d, const char *option, const char *key)
{
    cak_arena *a = cak_arena_open("names");
    int n;
    const char *const *known = cak_run_set_names(a, s, &n);
    bool ok = false;
    for (int i = 0; i < n && !ok; i++) ok = strcmp(known[i], key) == 0;
    if (!ok) cak_error(d, CAK_E5001, CAK_NOWHERE, "%s: no run has '%s'%s", option, key, cak_where_suggest(a, key, known, n));
    cak_arena_close(a);
    return ok;
}

/* ---- filtering ---- */

typedef struct looked_at {
    const cak_run_set *s;
    const cak_member *r;
} looked_at;

static cak_setting look(const void *ctx, const char *key)
{
    const looked_at *x = ctx;
    return cak_run_set_value(x->s, x->r, key);
}

bool cak_run_set_filter(cak_run_set *s, cak_diag *d, const char *option, const char *expression)
{
    const cak_where *w = cak_where_parse(s->arena, d, option, expression);
    if (!w || !s->n) return w != NULL;
    int n_names, n = 0;
    const char *const *known = cak_run_set_names(s->arena, s, &n_names);
    if (!cak_where_check(d, w, known, n_names)) return false;
    for (int i = 0; i < s->n; i++)
        if (cak_where_matches(w, look, &(looked_at){ s, &s->run[i] })) s->run[n++] = s->run[i];
    s->n = n;
    return true;
}

/* ---- order ---- */

typedef struct sort_key {
    cak_member run;
    cak_setting value;
    int place; /* before */
    bool descending;
} sort_key;

static int kind_of(cak_setting v) { return !v.text ? 2 : isnan(v.number); }

static int compare_keys(const void *p, const void *q)
{
    const sort_key *x = p, *y = q;
    const int kind = kind_of(x->value);
    int order = 0;
    if (kind != kind_of(y->value)) return kind - kind_of(y->value);
    if (kind == 0) order = (x->value.number > y->value.number) - (x->value.number < y->value.number);
    if (kind == 1) order = strcmp(x->value.text, y->value.text);
    if (order) return x->descending ? -order : order;
    return x->place - y->place;
}

bool cak_run_set_sort(cak_run_set *s, cak_diag *d, const char *option, const char *key)
{
    const bool descending = *key == '-';
    key += descending;
    if (!s->n) return true;
    if (!cak_run_set_knows(s, d, option, key)) return false;
    sort_key *list = cak_arena_alloc(s->arena, (size_t)s->n * sizeof *list);
    for (int i = 0; i < s->n; i++) list[i] = (sort_key){ s->run[i], cak_run_set_value(s, &s->run[i], key), i, descending };
    qsort(list, (size_t)s->n, sizeof *list, compare_keys);
    for (int i = 0; i < s->n; i++) s->run[i] = list[i].run;
    return true;
}
