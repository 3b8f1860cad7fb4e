/* Many runs and the values that describe them: gathering. */
#include "experiments/run_set.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "graph/io.h"
#include "graph/text.h"
#include "graph/yaml.h"

cak_run_set *cak_run_set_open(cak_arena *a)
{
    cak_run_set *s = cak_arena_alloc(a, sizeof *s);
    s->arena = a;
    return s;
}

void cak_run_set_close(cak_run_set *s)
{
    if (s) cak_run_set_close_sweeps(s);
}

/* ---- values ---- */

static int find_key(const cak_run_set *s, const char *name, int guess)
{
    if (guess < s->n_keys && strcmp(s->key[guess].name, name) == 0) return guess;
    for (int i = 0; i < s->n_keys; i++)
        if (strcmp(s->key[i].name, name) == 0) return i;
    return -1;
}

int cak_run_set_key(const cak_run_set *s, const char *name) { return find_key(s, name, 0); }

/* Configurations have their keys in the same order, so `guess` is right almost always. */
static int add_key(cak_run_set *s, const char *name, int guess)
{
    int k = find_key(s, name, guess);
    if (k >= 0) return k;
    s->key = cak_arena_grow(s->arena, s->key, &s->cap_keys, s->n_keys + 1, sizeof *s->key);
    s->key[s->n_keys] = (cak_set_key){ .name = cak_arena_text(s->arena, name) };
    return s->n_keys++;
}

static void put(cak_run_set *s, cak_member *r, int key, const char *value)
{
    int cap = r->n_values;
    if (key >= cap) {
        r->value = cak_arena_grow(s->arena, r->value, &cap, key + 1, sizeof *r->value);
        r->n_values = cap;
    }
    r->value[key] = cak_setting_of(cak_arena_text(s->arena, value));
}

cak_set_key *cak_run_set_put(cak_run_set *s, cak_member *r, const char *key, const char *value)
{
    int k = add_key(s, key, 0);
    put(s, r, k, value);
    return &s->key[k];
}

void cak_run_set_override(cak_run_set *s, cak_member *r, const char *key, const char *value)
{
    cak_set_key *k = cak_run_set_put(s, r, key, value);
    if (!k->overridden) k->overridden = ++s->n_overridden;
}

cak_setting cak_run_set_at(const cak_run_set *s, int run, int key)
{
    const cak_member *r = &s->run[run];
    return key >= 0 && key < r->n_values && r->value[key].text ? r->value[key] : cak_setting_of(NULL);
}

const char *cak_run_set_any(const cak_run_set *s, int key)
{
    const char *text = NULL;
    for (int i = 0; i < s->n && !text; i++) text = cak_run_set_at(s, i, key).text;
    return text;
}

/* ---- config.yaml ---- */

static void flow(cak_text_builder *b, const cak_yaml *n)
{
    if (n->kind == CAK_YAML_SCALAR) {
        cak_text_add(b, "%s", n->text);
        return;
    }
    const char *gap = "";
    cak_text_add(b, n->kind == CAK_YAML_LIST ? "[" : "{");
    cak_yaml_each (c, n) {
        cak_text_add(b, "%s", gap);
        if (n->kind == CAK_YAML_MAP) cak_text_add(b, "%s: ", c->key);
        flow(b, c);
        gap = ", ";
    }
    cak_text_add(b, n->kind == CAK_YAML_LIST ? "]" : "}");
}

typedef struct flattening {
    cak_run_set *s;
    cak_member *r;
    int guess; /* key that is expected next */
} flattening;

static void flatten(flattening *f, const cak_yaml *n, const char *path)
{
    if (n->kind == CAK_YAML_MAP && n->n) {
        cak_yaml_each (c, n) flatten(f, c, *path ? cak_arena_print(f->s->arena, "%s.%s", path, c->key) : c->key);
        return;
    }
    if (!*path) return; /* an empty file */
    cak_text_builder b = { .a = f->s->arena };
    flow(&b, n);
    int k = add_key(f->s, path, f->guess);
    put(f->s, f->r, k, cak_text_done(&b));
    f->s->key[k].config = true;
    f->guess = k + 1;
}

void cak_run_set_flatten(cak_run_set *s, cak_member *r, const cak_yaml *root)
{
    flattening f = { .s = s, .r = r };
    flatten(&f, root, "");
    r->configured = true;
}

/* ---- overrides ---- */

static bool is_below(const char *key, const char *parent)
{
    size_t n = strlen(parent);
    return strncmp(key, parent, n) == 0 && (key[n] == '.' || key[n] == '\0');
}

/* Keys of the configuration that an override sets: its own, all below a mapping, the list of an item. */
static bool mark_overridden(cak_run_set *s, const cak_member *r, const char *path)
{
    bool any = false;
    for (int k = 0; k < s->n_keys; k++) {
        const char *name = s->key[k].name;
        if (!s->key[k].config || k >= r->n_values || !r->value[k].text) continue;
        if (!is_below(name, path) && !is_below(path, name)) continue;
        if (!s->key[k].overridden) s->key[k].overridden = ++s->n_overridden;
        any = true;
    }
    return any;
}

static const char *without_quotes(cak_arena *a, const char *text)
{
    size_t n = strlen(text);
    bool quoted = n >= 2 && (*text == '"' || *text == '\'') && text[n - 1] == *text;
    return quoted ? cak_arena_print(a, "%.*s", (int)n - 2, text + 1) : text;
}

/* "++hp.lr=1e-3". What the configuration holds it holds in its final form; the rest is known from here only. */
static void take_override(cak_run_set *s, cak_member *r, const char *text)
{
    const char *equals = strchr(text, '=');
    if (*text == '~' || !equals) return; /* something was removed */
    text += strspn(text, "+");
    const char *key = cak_arena_print(s->arena, "%.*s", (int)(equals - text), text);
    if (mark_overridden(s, r, key)) return;
    cak_run_set_override(s, r, key, without_quotes(s->arena, equals + 1));
}

bool cak_run_set_describe(cak_run_set *s, cak_diag *d, cak_member *r)
{
    const char *path = cak_arena_print(s->arena, "%s/config.yaml", r->info->dir);
    if (cak_io_exists(path)) {
        const cak_yaml *root = cak_yaml_load(s->arena, d, path);
        if (!root) return false;
        cak_run_set_flatten(s, r, root);
        cak_run_set_sources(s, r);
    }
    for (int i = 0; i < r->info->n_overrides; i++) take_override(s, r, r->info->overrides[i]);
    return true;
}

/* ---- members ---- */

static const cak_outcome outcome_of[CAK_RUN_STATES] = {
    [CAK_RUN_CREATED] = CAK_OUTCOME_INCOMPLETE, [CAK_RUN_RUNNING] = CAK_OUTCOME_RUNNING,
    [CAK_RUN_FINISHED] = CAK_OUTCOME_FINISHED,  [CAK_RUN_DIVERGED] = CAK_OUTCOME_DIVERGED,
    [CAK_RUN_FAILED] = CAK_OUTCOME_INCOMPLETE,  [CAK_RUN_INTERRUPTED] = CAK_OUTCOME_INCOMPLETE,
    [CAK_RUN_CRASHED] = CAK_OUTCOME_INCOMPLETE,
};

cak_member *cak_run_set_append(cak_run_set *s, const char *label, const cak_run_info *info)
{
    s->run = cak_arena_grow(s->arena, s->run, &s->cap, s->n + 1, sizeof *s->run);
    cak_member *r = &s->run[s->n++];
    *r = (cak_member){ .label = label, .info = info, .outcome = CAK_OUTCOME_INCOMPLETE, .state = "failed" };
    if (info) {
        r->outcome = outcome_of[info->state];
        r->state = cak_run_state_name(info->state);
    }
    return r;
}

static const char *real_path(cak_arena *a, const char *dir)
{
    char full[PATH_MAX];
    return realpath(dir, full) ? cak_arena_text(a, full) : NULL;
}

static bool is_member(const cak_run_set *s, const char *full)
{
    for (int i = 0; i < s->n; i++)
        if (full && s->run[i].full && strcmp(s->run[i].full, full) == 0) return true;
    return false;
}

/* One unreadable run must not hide the others. */
static void add_run(cak_run_set *s, cak_diag *d, const char *dir)
{
    const char *full = real_path(s->arena, dir);
    if (is_member(s, full)) return;
    cak_diag *own = cak_diag_open();
    const int before = s->n;
    const cak_run_info *info = cak_run_describe(s->arena, own, dir);
    cak_member *r = info ? cak_run_set_append(s, info->dir, info) : NULL;
    if (r) r->full = full;
    if (r && (s->plain || cak_run_set_describe(s, own, r))) {
        cak_run_set_ask_sweep(s, d, r);
    } else {
        s->n = before;
        cak_warn(d, cak_diag_pos(own, 0), "left out: %s", cak_diag_message(own, 0));
    }
    cak_diag_close(own);
}

bool cak_run_set_add_below(cak_run_set *s, cak_diag *d, const char *root)
{
    int n, errors = cak_diag_errors(d);
    const char *const *dir = cak_run_find(s->arena, d, root, &n);
    for (int i = 0; i < n; i++) add_run(s, d, dir[i]);
    return cak_diag_errors(d) == errors;
}

bool cak_run_set_add(cak_run_set *s, cak_diag *d, const char *word)
{
    if (cak_is_sweep(word)) return cak_run_set_add_sweep(s, d, word);
    if (cak_io_exists(word)) return cak_run_set_add_below(s, d, word);
    const char *dir = cak_run_locate(s->arena, d, word);
    if (dir) add_run(s, d, dir);
    return dir != NULL;
}
