/* What differs between two runs, two configuration files, or a run and a file. */
#include "experiments/diff.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "graph/config.h"
#include "graph/io.h"

enum { MAX_GRAPH = 64 << 20, MAX_PHASES = 64 };

typedef struct work {
    cak_arena *a;
    cak_diag *d;
    cak_differences *out;
    const cak_member *x, *y;
    json_t *doc_x, *doc_y; /* run.json; NULL of a file */
    int compared;          /* in this section so far */
} work;

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static void add(work *w, const char *section, const char *key, const char *a, const char *b)
{
    cak_differences *o = w->out;
    if (!a && !b) return;
    w->compared++;
    if (same_text(a, b)) return;
    o->item = cak_arena_grow(w->a, o->item, &o->cap, o->n + 1, sizeof *o->item);
    o->item[o->n++] = (cak_difference){ section, cak_arena_text(w->a, key), a, b };
}

/* ---- reading ---- */

static bool is_file(cak_arena *a, const char *word)
{
    return cak_io_exists(word) && !cak_io_exists(cak_arena_print(a, "%s/.", word));
}

static bool read_file(cak_run_set *s, cak_diag *d, const char *path)
{
    cak_config *c = cak_config_load(d, path, NULL, 0);
    const bool ok = c && cak_diag_errors(d) == 0;
    if (ok) cak_run_set_flatten(s, cak_run_set_append(s, path, NULL), c->root);
    if (c) cak_config_close(c);
    return ok;
}

static bool read_run(cak_run_set *s, cak_diag *d, const char *word)
{
    const char *dir = cak_run_locate(s->arena, d, word);
    const cak_run_info *info = dir ? cak_run_describe(s->arena, d, dir) : NULL;
    cak_member *r = info ? cak_run_set_append(s, info->dir, info) : NULL;
    if (r) cak_run_set_ask_sweep(s, d, r); /* it may have been stopped early */
    return r && cak_run_set_describe(s, d, r);
}

static bool read_side(cak_run_set *s, cak_diag *d, const char *word)
{
    return is_file(s->arena, word) ? read_file(s, d, word) : read_run(s, d, word);
}

/* ---- sections ---- */

/* A file has what a run resolved (hp), a run has what it found (levels of the corpus): no differences of one and the other. */
static bool of_one_kind(const char *key)
{
    const char *dot = strrchr(key, '.');
    if (strncmp(key, "hp.", 3) == 0) return true;
    return strncmp(key, "data.", 5) == 0 && (strcmp(dot, ".low") == 0 || strcmp(dot, ".high") == 0);
}

static void diff_config(work *w, const cak_run_set *s)
{
    const bool mixed = !w->x->info != !w->y->info;
    for (int k = 0; k < s->n_keys; k++) {
        const cak_setting x = cak_run_set_at(s, 0, k), y = cak_run_set_at(s, 1, k);
        const bool same = x.text && cak_setting_same(x, y);
        w->out->same_keys += same;
        if (mixed && (!x.text || !y.text) && (of_one_kind(s->key[k].name) || !s->key[k].config)) continue;
        add(w, "config", s->key[k].name, x.text, same ? x.text : y.text);
    }
}

/* The text of an override by what stands before '='; the last one counts. */
static const char *override_like(const cak_run_info *r, const char *text)
{
    const char *found = NULL;
    size_t n = strcspn(text, "=");
    for (int i = 0; r && i < r->n_overrides; i++)
        if (strcspn(r->overrides[i], "=") == n && strncmp(r->overrides[i], text, n) == 0) found = r->overrides[i];
    return found;
}

static void diff_overrides(work *w, const cak_run_info *x, const cak_run_info *y)
{
    for (int i = 0; x && i < x->n_overrides; i++) {
        const char *text = x->overrides[i], *key = cak_arena_print(w->a, "%.*s", (int)strcspn(text, "="), text);
        if (override_like(x, text) == text) add(w, "overrides", key, text, override_like(y, text));
    }
    for (int i = 0; y && i < y->n_overrides; i++) {
        const char *text = y->overrides[i], *key = cak_arena_print(w->a, "%.*s", (int)strcspn(text, "="), text);
        if (override_like(y, text) == text && !override_like(x, text)) add(w, "overrides", key, NULL, text);
    }
}

static const char *json_text(cak_arena *a, const json_t *v)
{
    if (!v || json_is_null(v)) return NULL;
    if (json_is_string(v)) return cak_arena_text(a, json_string_value(v));
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15), n = json_dumpb(v, NULL, 0, flags);
    char *text = cak_arena_alloc(a, n + 1);
    json_dumpb(v, text, n, flags);
    return text;
}

/* Fields of two JSON values, objects in depth. */
static void diff_json(work *w, const char *section, const char *path, const json_t *x, const json_t *y)
{
    const char *key;
    json_t *v;
    if (!json_is_object(x) && !json_is_object(y)) {
        add(w, section, path, json_text(w->a, x), json_text(w->a, y));
        return;
    }
    const char *dot = *path ? "." : "";
    json_object_foreach((json_t *)x, key, v)
        diff_json(w, section, cak_arena_print(w->a, "%s%s%s", path, dot, key), v, json_object_get(y, key));
    json_object_foreach((json_t *)y, key, v) if (!json_object_get(x, key))
        diff_json(w, section, cak_arena_print(w->a, "%s%s%s", path, dot, key), NULL, v);
}

static void diff_field(work *w, const char *section, const char *field, const char *path)
{
    diff_json(w, section, path, json_object_get(w->doc_x, field), json_object_get(w->doc_y, field));
}

static void diff_outcome(work *w)
{
    const cak_run_info *x = w->x->info, *y = w->y->info;
    add(w, "outcome", "state", w->x->state, w->y->state);
    add(w, "outcome", "epochs", cak_arena_print(w->a, "%" PRId64, x->epochs), cak_arena_print(w->a, "%" PRId64, y->epochs));
    add(w, "outcome", "steps", cak_arena_print(w->a, "%" PRId64, x->steps), cak_arena_print(w->a, "%" PRId64, y->steps));
    diff_field(w, "outcome", "exit_code", "exit_code");
    diff_field(w, "outcome", "diverged", "diverged");
}

static const char *last_value(cak_arena *a, const cak_member *r, const char *name)
{
    const cak_metrics_table *t = r->info->last;
    int c = t->n_rows ? cak_metrics_column(t, name) : -1;
    return c < 0 ? NULL : cak_metric_text(a, t->value[c]);
}

static void diff_metrics(work *w)
{
    const cak_member *side[] = { w->x, w->y };
    for (int i = 0; i < 2; i++) {
        const cak_metrics_table *t = side[i]->info->last;
        for (int c = 0; t->n_rows && c < t->n_names; c++) {
            if (cak_metrics_is_place(t->name[c]) || strcmp(t->name[c], "wall") == 0) continue;
            if (i == 1 && last_value(w->a, w->x, t->name[c])) continue;
            add(w, "metrics", t->name[c], last_value(w->a, w->x, t->name[c]), last_value(w->a, w->y, t->name[c]));
        }
    }
}

/* ---- graph.txt: "phase NAME", then a line per node ---- */

typedef struct phase {
    const char *name, *text; /* text: its lines */
    size_t size;
    int nodes;
} phase;

static int read_graph(work *w, const cak_member *r, phase *list)
{
    size_t size;
    const char *path = cak_arena_print(w->a, "%s/graph.txt", r->info->dir);
    const char *text = cak_io_exists(path) ? cak_io_read_all(w->a, w->d, CAK_E4002, path, MAX_GRAPH, &size) : NULL;
    int n = 0;
    for (const char *p = text; p && *p;) {
        const size_t length = strcspn(p, "\n");
        if (strncmp(p, "phase ", 6) == 0 && n < MAX_PHASES)
            list[n++] = (phase){ cak_arena_print(w->a, "%.*s", (int)length - 6, p + 6), p + length + (p[length] == '\n'), 0, 0 };
        else if (n) list[n - 1].nodes += *p == '%';
        p += length + (p[length] == '\n');
        if (n) list[n - 1].size = (size_t)(p - list[n - 1].text);
    }
    return n;
}

/* The first lines that differ. */
static void first_difference(work *w, const phase *x, const phase *y)
{
    const char *p = x->text, *q = y->text, *end_p = p + x->size, *end_q = q + y->size;
    while (p < end_p && q < end_q) {
        const size_t n = strcspn(p, "\n"), m = strcspn(q, "\n");
        if (n != m || memcmp(p, q, n) != 0) break;
        p += n + (p[n] == '\n');
        q += m + (q[m] == '\n');
    }
    const char *a = p < end_p ? cak_arena_print(w->a, "%.*s", (int)strcspn(p, "\n"), p) : NULL;
    const char *b = q < end_q ? cak_arena_print(w->a, "%.*s", (int)strcspn(q, "\n"), q) : NULL;
    add(w, "graph", cak_arena_print(w->a, "%s: first difference", x->name), a, b);
}

static void diff_graph(work *w)
{
    static const phase none = { "", "", 0, 0 };
    phase *x = cak_arena_alloc(w->a, MAX_PHASES * sizeof *x), *y = cak_arena_alloc(w->a, MAX_PHASES * sizeof *y);
    const int n = read_graph(w, w->x, x), m = read_graph(w, w->y, y);
    for (int i = 0; i < n; i++) {
        const phase *other = &none;
        for (int j = 0; j < m; j++)
            if (strcmp(x[i].name, y[j].name) == 0) other = &y[j];
        const char *nodes = cak_arena_print(w->a, "%d", x[i].nodes);
        add(w, "graph", cak_arena_print(w->a, "%s: nodes", x[i].name), nodes,
            other == &none ? NULL : cak_arena_print(w->a, "%d", other->nodes));
        if (other != &none) first_difference(w, &x[i], other);
    }
    for (int j = 0; j < m; j++) {
        bool known = false;
        for (int i = 0; i < n; i++) known = known || strcmp(x[i].name, y[j].name) == 0;
        if (!known) add(w, "graph", cak_arena_print(w->a, "%s: nodes", y[j].name), NULL, cak_arena_print(w->a, "%d", y[j].nodes));
    }
}

/* ---- all ---- */

static void diff_overrides_of_runs(work *w) { diff_overrides(w, w->x->info, w->y->info); }
static void diff_program(work *w) { diff_field(w, "program", "program", ""); }
static void diff_data(work *w)
{
    diff_field(w, "data", "data_hash", "data_hash");
    diff_field(w, "data", "data_files", "data_files");
}
static void diff_streams(work *w) { diff_field(w, "streams", "streams", ""); }

typedef struct section {
    const char *name;
    void (*diff)(work *w);
} section;

static const section sections[] = { { "overrides", diff_overrides_of_runs },
                                    { "program", diff_program },
                                    { "data", diff_data },
                                    { "streams", diff_streams },
                                    { "graph", diff_graph },
                                    { "outcome", diff_outcome },
                                    { "metrics", diff_metrics } };
enum { SECTIONS = sizeof sections / sizeof *sections };

static void diff_runs(work *w)
{
    w->doc_x = json_loads(w->x->info->json, 0, NULL);
    w->doc_y = json_loads(w->y->info->json, 0, NULL);
    w->out->same = cak_arena_alloc(w->a, SECTIONS * sizeof *w->out->same);
    for (int i = 0; i < SECTIONS; i++) {
        const int before = w->out->n;
        w->compared = 0;
        sections[i].diff(w);
        if (w->compared && w->out->n == before) w->out->same[w->out->n_same++] = sections[i].name;
    }
    json_decref(w->doc_x);
    json_decref(w->doc_y);
}

cak_differences *cak_differences_find(cak_arena *a, cak_diag *d, const char *word_a, const char *word_b)
{
    cak_run_set *s = cak_run_set_open(a);
    const bool ok_a = read_side(s, d, word_a), ok_b = read_side(s, d, word_b);
    cak_run_set_close(s); /* its values stay */
    if (!ok_a || !ok_b) return NULL;
    cak_differences *out = cak_arena_alloc(a, sizeof *out);
    *out = (cak_differences){ .a = s->run[0].label, .b = s->run[1].label };
    work w = { .a = a, .d = d, .out = out, .x = &s->run[0], .y = &s->run[1] };
    diff_config(&w, s);
    if (w.x->info && w.y->info) diff_runs(&w);
    return cak_diag_errors(d) ? NULL : out;
}
