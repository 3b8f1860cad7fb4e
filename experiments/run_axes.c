/* What distinguishes the runs of a set, and the arms that this makes. */
#include "experiments/run_axes.h"

#include <stdlib.h>
#include <string.h>

#include "graph/text.h"

/* ---- classes: runs with equal values ---- */

typedef struct classes {
    int *of; /* by run; -1: not known, fits every class */
    int n, known;
} classes;

/* An absent value is one, too, unless the run has no configuration. */
static bool is_known(const cak_run_set *s, int run, int key)
{
    return s->run[run].configured || cak_run_set_at(s, run, key).text;
}

static classes classes_of(const cak_run_set *s, int key)
{
    classes c = { .of = cak_arena_alloc(s->arena, (size_t)s->n * sizeof *c.of) };
    int *first = cak_arena_alloc(s->arena, (size_t)s->n * sizeof *first);
    for (int i = 0; i < s->n; i++) {
        c.of[i] = -1;
        if (!is_known(s, i, key)) continue;
        int k = 0;
        while (k < c.n && !cak_setting_same(cak_run_set_at(s, first[k], key), cak_run_set_at(s, i, key))) k++;
        if (k == c.n) first[c.n++] = i;
        c.of[i] = k;
        c.known++;
    }
    return c;
}

typedef struct joint {
    int x, y, run;
} joint;

static int compare_joints(const void *p, const void *q)
{
    const joint *u = p, *v = q;
    return u->x != v->x ? (u->x > v->x) - (u->x < v->x) : (u->y > v->y) - (u->y < v->y);
}

/* Classes by two keys together. */
static classes both(const cak_run_set *s, classes x, classes y)
{
    classes c = { .of = cak_arena_alloc(s->arena, (size_t)s->n * sizeof *c.of) };
    joint *list = cak_arena_alloc(s->arena, (size_t)s->n * sizeof *list);
    for (int i = 0; i < s->n; i++) {
        c.of[i] = -1;
        if (x.of[i] >= 0 && y.of[i] >= 0) list[c.known++] = (joint){ x.of[i], y.of[i], i };
    }
    qsort(list, (size_t)c.known, sizeof *list, compare_joints);
    for (int i = 0; i < c.known; i++) {
        c.n += i == 0 || compare_joints(&list[i - 1], &list[i]) != 0;
        c.of[list[i].run] = c.n - 1;
    }
    return c;
}

/* Does the class in `by` say which one it is in c? */
static bool follows(const cak_run_set *s, classes c, classes by)
{
    int *value = cak_arena_alloc(s->arena, ((size_t)by.n + 1) * sizeof *value); /* from 1 */
    for (int i = 0; i < s->n; i++) {
        if (c.of[i] < 0 || by.of[i] < 0) continue;
        int *v = &value[by.of[i]];
        if (*v && *v != c.of[i] + 1) return false;
        *v = c.of[i] + 1;
    }
    return true;
}

/* Where every run has a value of its own, everything follows from it: then only a key that differs as often is believed to. */
static bool explains(const cak_run_set *s, classes by, classes c)
{
    return follows(s, c, by) && (by.n < by.known || follows(s, by, c));
}

/* ---- the search ---- */

typedef struct search {
    cak_run_set *s;
    cak_axes *x;
    cak_names except;
    classes *of; /* by key */
    classes all; /* by all levers that make arms together */
} search;

static bool never_shown(const char *key)
{
    static const char *const section[] = { "name", "description", "tags", "version", "log" };
    for (size_t i = 0; i < sizeof section / sizeof *section; i++) {
        size_t n = strlen(section[i]);
        if (strncmp(key, section[i], n) == 0 && (key[n] == '.' || key[n] == '\0')) return true;
    }
    return strncmp(key, "x-", 2) == 0;
}

static bool same_in_all(const cak_run_set *s, int x, int y)
{
    for (int i = 0; i < s->n; i++)
        if (is_known(s, i, x) && is_known(s, i, y) && !cak_setting_same(cak_run_set_at(s, i, x), cak_run_set_at(s, i, y)))
            return false;
    return true;
}

/* The levels that `normalise` found in the corpus: the resolved configuration has them as numbers. */
static bool is_statistic(const cak_run_set *s, int key)
{
    const char *name = s->key[key].name, *dot = strrchr(name, '.');
    if (strncmp(name, "data.", 5) != 0 || (strcmp(dot, ".low") != 0 && strcmp(dot, ".high") != 0)) return false;
    int type = cak_run_set_key(s, cak_arena_print(s->arena, "%.*s.type", (int)(dot - name), name));
    for (int i = 0; i < s->n; i++) {
        const char *text = cak_run_set_at(s, i, type).text;
        if (text && strcmp(text, "normalise") == 0) return true;
    }
    return false;
}

static void add_shown(search *f, int key) { f->x->shown[f->x->n_shown++] = key; }

static void fold(search *f, int key, const char *into) { f->x->folded[f->x->n_folded++] = (cak_folded){ key, into }; }

/* The key that makes no arms and has the same values (seed of data.clips.seed); NULL: none. */
static const char *excepted_cause(const search *f, int key)
{
    for (int i = 0; i < f->except.n; i++) {
        int by = cak_run_set_key(f->s, f->except.name[i]);
        if (by >= 0 && same_in_all(f->s, key, by)) return f->except.name[i];
    }
    return NULL;
}

/* ---- sorting keys into shown, same and folded ---- */

/* What is there to be changed; other keys may follow from it. */
static bool is_lever(const cak_set_key *k) { return k->overridden || k->source; }

/* Overrides make arms in the order in which they were given, other levers after them. */
static void show_levers(search *f)
{
    const cak_run_set *s = f->s;
    for (int rank = 1; rank <= s->n_overridden + 1; rank++)
        for (int k = 0; k < s->n_keys; k++) {
            const int own = s->key[k].overridden ? s->key[k].overridden : s->n_overridden + 1;
            if (!is_lever(&s->key[k]) || own != rank || f->of[k].n < 2) continue;
            if (never_shown(s->key[k].name) || cak_names_have(f->except, s->key[k].name)) continue;
            f->all = both(s, f->all, f->of[k]);
            add_shown(f, k);
        }
}

/* The name of the lever that a key follows from, the same value first; NULL: none. */
static const char *single_cause(const search *f, int key, int n_levers)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n_levers; i++) {
            int by = f->x->shown[i];
            if (pass == 0 ? same_in_all(f->s, key, by) : explains(f->s, f->of[by], f->of[key])) return f->s->key[by].name;
        }
    return NULL;
}

static const char *all_levers(const search *f, int n_levers)
{
    cak_text_builder b = { .a = f->s->arena };
    for (int i = 0; i < n_levers; i++) cak_text_add(&b, "%s%s", i ? ", " : "", f->s->key[f->x->shown[i]].name);
    return cak_text_done(&b);
}

static void sort_key(search *f, int key, int n_levers)
{
    const char *cause = single_cause(f, key, n_levers);
    if (!cause) cause = excepted_cause(f, key);
    if (!cause && n_levers && explains(f->s, f->all, f->of[key])) cause = all_levers(f, n_levers);
    if (cause) fold(f, key, cause);
    else add_shown(f, key);
}

/* By everything that makes arms and by what does not: what a corpus may depend on. */
static classes by_all(const search *f)
{
    int *zero = cak_arena_alloc(f->s->arena, ((size_t)f->s->n + 1) * sizeof *zero);
    classes c = { zero, 1, f->s->n };
    for (int i = 0; i < f->x->n_shown; i++) c = both(f->s, c, f->of[f->x->shown[i]]);
    for (int i = 0; i < f->except.n; i++) {
        int k = cak_run_set_key(f->s, f->except.name[i]);
        if (k >= 0) c = both(f->s, c, f->of[k]);
    }
    return c;
}

/* Statistics come last: they follow from any of the other keys, or make arms when they differ without a reason. */
static void sort_statistics(search *f, int n_levers)
{
    const classes all = by_all(f);
    for (int k = 0; k < f->s->n_keys; k++) {
        if (f->of[k].n < 2 || is_lever(&f->s->key[k]) || !is_statistic(f->s, k)) continue;
        if (follows(f->s, f->of[k], all)) fold(f, k, "the corpus");
        else sort_key(f, k, n_levers);
    }
}

static void sort_keys(search *f)
{
    const cak_run_set *s = f->s;
    show_levers(f);
    const int n_levers = f->x->n_shown;
    for (int k = 0; k < s->n_keys; k++) {
        const char *name = s->key[k].name;
        if (never_shown(name) || cak_names_have(f->except, name)) continue;
        if (f->of[k].n < 2) f->x->same[f->x->n_same++] = k;
        else if (!is_lever(&s->key[k]) && !is_statistic(s, k)) sort_key(f, k, n_levers);
    }
    sort_statistics(f, n_levers);
}

/* ---- short names ---- */

static const char *last_segment(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

static void name_columns(const cak_run_set *s, cak_axes *x)
{
    for (int i = 0; i < x->n_shown; i++) {
        const char *name = s->key[x->shown[i]].name, *brief = last_segment(name);
        int n = 0;
        for (int j = 0; j < x->n_shown; j++) n += strcmp(last_segment(s->key[x->shown[j]].name), brief) == 0;
        x->head[i] = n == 1 ? brief : name;
    }
}

cak_axes *cak_axes_find(cak_run_set *s, cak_names except)
{
    cak_arena *a = s->arena;
    const size_t n = (size_t)s->n_keys + 1;
    cak_axes *x = cak_arena_alloc(a, sizeof *x);
    *x = (cak_axes){ .shown = cak_arena_alloc(a, n * sizeof *x->shown), .same = cak_arena_alloc(a, n * sizeof *x->same) };
    x->head = cak_arena_alloc(a, n * sizeof *x->head);
    x->folded = cak_arena_alloc(a, n * sizeof *x->folded);
    search f = { .s = s, .x = x, .except = except, .of = cak_arena_alloc(a, n * sizeof *f.of) };
    for (int k = 0; k < s->n_keys; k++) f.of[k] = classes_of(s, k);
    f.all = (classes){ cak_arena_alloc(a, ((size_t)s->n + 1) * sizeof(int)), 1, s->n }; /* one class */
    sort_keys(&f);
    name_columns(s, x);
    return x;
}

/* ---- arms ---- */

static bool fits(const cak_run_set *s, const cak_axes *x, int run, int other)
{
    for (int i = 0; i < x->n_shown; i++) {
        int k = x->shown[i];
        if (is_known(s, run, k) && is_known(s, other, k) &&
            !cak_setting_same(cak_run_set_at(s, run, k), cak_run_set_at(s, other, k)))
            return false;
    }
    return true;
}

static void place(const cak_run_set *s, const cak_axes *x, cak_arms *arms, int run)
{
    int k = 0;
    while (k < arms->n && !fits(s, x, run, arms->first[k])) k++;
    if (k == arms->n) arms->first[arms->n++] = run;
    arms->of[run] = k;
}

cak_arms *cak_arms_make(const cak_run_set *s, const cak_axes *x)
{
    cak_arms *arms = cak_arena_alloc(s->arena, sizeof *arms);
    const size_t n = (size_t)s->n + 1;
    *arms =
        (cak_arms){ .of = cak_arena_alloc(s->arena, n * sizeof *arms->of), .first = cak_arena_alloc(s->arena, n * sizeof(int)) };
    for (int i = 0; i < s->n; i++)
        if (s->run[i].configured) place(s, x, arms, i);
    for (int i = 0; i < s->n; i++)
        if (!s->run[i].configured) place(s, x, arms, i);
    return arms;
}
