/* Special samples: facts that pay, and the values that stand for the results of a program where they hold. */
#include "graph/special.h"

#include <string.h>

#include "graph/pass.h"
#include "graph/slice.h"

extern const cak_node cak_node_const, cak_node_expand;

/* A special way has to save so much of the work; one fact more has to save at least that. */
static const double worth = 0.05;

typedef struct search {
    cak_arena *a;
    cak_graph *g;
    int size;        /* values of g before any is appended */
    cak_ref *result; /* what the rounds over the batch complete */
    int n;
    cak_graph *apart; /* see set_apart() */
    cak_ref *inside;  /* the results in it */
    const char **sum; /* by id: name of the input that stands for what this became over the whole batch; NULL: none */
} search;

typedef struct way { /* to the results, where some facts hold */
    cak_graph *g;    /* of its own */
    cak_ref *result;
    double cost;
} way;

static way use_facts(const search *s, const cak_facts *facts)
{
    way w = { .result = cak_arena_alloc(s->a, (size_t)s->n * sizeof *w.result) };
    memcpy(w.result, s->inside, (size_t)s->n * sizeof *w.result);
    cak_graph *with = cak_pass_facts(s->apart, w.result, s->n, facts), *less = cak_pass_algebra(with, w.result, s->n);
    w.g = cak_pass_dce(less, w.result, s->n);
    w.cost = cak_graph_cost(w.g, w.result, s->n);
    cak_graph_close(with);
    cak_graph_close(less);
    return w;
}

/* Leave out the facts that save nothing; false: all of them together do not. The caller closes the graph of the way that is left. */
static bool choose_facts(const search *s, cak_facts *facts, way *best)
{
    double all = cak_graph_cost(s->apart, s->inside, s->n);
    if (!facts->n) return false;
    *best = use_facts(s, facts);
    for (int i = facts->n - 1; i >= 0 && best->cost <= (1 - worth) * all; i--) {
        cak_facts less = *facts;
        memmove(&less.fact[i], &less.fact[i + 1], (size_t)(less.n - i - 1) * sizeof *less.fact);
        less.n--;
        way w = use_facts(s, &less);
        bool as_good = w.cost <= best->cost + worth * all;
        cak_graph_close(as_good ? best->g : w.g);
        if (!as_good) continue;
        *facts = less;
        *best = w;
    }
    if (facts->n && best->cost <= (1 - worth) * all) return true;
    cak_graph_close(best->g);
    return false;
}

static void find_results(search *s, const cak_slices *c, const bool *live)
{
    s->result = cak_arena_alloc(s->a, ((size_t)cak_graph_size(s->g) + 1) * sizeof *s->result);
    for (int id = 0; id < cak_graph_size(s->g) && c->batch; id++)
        if (live[id] && c->sliced[id] && (c->total[id] || c->stored[id])) s->result[s->n++] = (cak_ref){ id };
}

/* ---- what is known of a sample says nothing about sums over all ---- */

static bool is_sum(const search *s, const cak_slices *c, int id)
{
    return c->sliced[id] && cak_graph_value(s->g, (cak_ref){ id })->rows == CAK_ROWS_SHARED;
}

/* By id: computed once, from sums over the samples. */
static bool *find_functions(const search *s, const cak_slices *c)
{
    bool *f = cak_arena_alloc(s->a, (size_t)cak_graph_size(s->g) + 1);
    for (int id = 0; id < cak_graph_size(s->g); id++) {
        const cak_value *v = cak_graph_value(s->g, (cak_ref){ id });
        for (int k = 0; k < v->n_in && !c->sliced[id]; k++) f[id] = f[id] || f[v->in[k].id] || is_sum(s, c, v->in[k].id);
    }
    return f;
}

static cak_ref as_input(search *s, int id)
{
    cak_graph *to = s->apart;
    if (!s->sum[id]) s->sum[id] = cak_arena_print(cak_graph_arena(to), "%%%d", id);
    return cak_input(to, s->sum[id], cak_shape_of(s->g, (cak_ref){ id }), false);
}

/* The graph of the results in which sums that a later round reads, and functions of them, are inputs. */
static void set_apart(search *s, const cak_slices *c, const bool *live)
{
    size_t room = (size_t)cak_graph_size(s->g) + 1;
    const bool *function = find_functions(s, c);
    cak_ref *renamed = cak_arena_alloc(s->a, room * sizeof *renamed);
    s->sum = cak_arena_alloc(s->a, room * sizeof *s->sum);
    s->inside = cak_arena_alloc(s->a, room * sizeof *s->inside);
    s->apart = cak_graph_open(cak_graph_diag(s->g));
    for (int id = 0; id < cak_graph_size(s->g); id++) {
        const cak_value *v = cak_graph_value(s->g, (cak_ref){ id });
        cak_ref in[CAK_MAX_IN];
        if (!live[id] || function[id] || v->rows == CAK_ROWS_MIXED) continue;
        for (int k = 0; k < v->n_in; k++) {
            int from = v->in[k].id;
            bool part = is_sum(s, c, id) && c->stage[from] == c->stage[id];
            bool outside = c->sliced[id] && (function[from] || (is_sum(s, c, from) && !part));
            in[k] = outside ? as_input(s, from) : renamed[from];
        }
        cak_where old = cak_graph_at(s->apart, v->origin, v->label);
        renamed[id] = cak_pass_keep(s->apart, v, in);
        cak_graph_restore(s->apart, old);
    }
    for (int i = 0; i < s->n; i++) s->inside[i] = renamed[s->result[i].id];
}

/* ---- back into the graph ---- */

/* The value for which an input of the graph set apart stands; none: it is an input of g, too. */
static cak_ref stands_for(const search *s, const char *name)
{
    for (int id = 0; name && id < s->size; id++)
        if (s->sum[id] && !strcmp(s->sum[id], name)) return (cak_ref){ id };
    return CAK_NONE;
}

static void append_all(const search *s, const cak_graph *from, cak_ref *result)
{
    cak_ref *renamed = cak_arena_alloc(s->a, ((size_t)cak_graph_size(from) + 1) * sizeof *renamed);
    for (int id = 0; id < cak_graph_size(from); id++) {
        const cak_value *v = cak_graph_value(from, (cak_ref){ id });
        cak_ref in[CAK_MAX_IN];
        for (int k = 0; k < v->n_in; k++) in[k] = renamed[v->in[k].id];
        cak_where old = cak_graph_at(s->g, v->origin, v->label);
        renamed[id] = stands_for(s, cak_value_name(from, (cak_ref){ id }));
        if (cak_is_none(renamed[id])) renamed[id] = cak_append(s->g, v->node, v->attr, in, v->n_in);
        cak_graph_restore(s->g, old);
    }
    for (int i = 0; i < s->n; i++) result[i] = renamed[result[i].id];
}

static bool is_zero(const cak_graph *g, cak_ref r)
{
    const cak_value *v = cak_graph_value(g, r);
    while (v->node->alias || v->node == &cak_node_expand) v = cak_graph_value(g, v->in[0]);
    return v->node == &cak_node_const && *(const double *)v->attr == 0;
}

/* What takes the place of a result must be computed from the samples of a slice alone, or be nothing; others stay as they are. */
static void check_results(search *s, const cak_ref *out, int n, cak_special *f)
{
    const bool *early = cak_special_only(s->a, s->g, out, n, f);
    bool *live = cak_pass_live(s->g, out, n, s->a), *special = cak_pass_live(s->g, f->instead, f->n_results, s->a);
    for (int id = 0; id < cak_graph_size(s->g); id++) live[id] = live[id] || special[id];
    cak_slices c = cak_find_slices(s->a, s->g, live, out, n, early, false);
    for (int i = 0; i < f->n_results; i++) {
        int id = f->result[i].id, other = f->instead[i].id;
        if (c.total[id] && is_zero(s->g, f->instead[i])) f->instead[i] = CAK_NONE;
        else if (!c.sliced[other] || c.stage[other] > c.stage[id]) f->instead[i] = f->result[i];
    }
}

static bool pays(const search *s, const cak_special *f)
{
    return cak_graph_cost(s->g, f->instead, f->n_results) <= (1 - worth) * cak_graph_cost(s->g, f->result, f->n_results);
}

static void name_facts(const search *s, const cak_facts *facts, cak_special *f)
{
    for (int i = 0; i < facts->n; i++) {
        cak_same_rows *t = &f->fact[f->n_facts++];
        *t = (cak_same_rows){ CAK_NONE, CAK_NONE };
        for (int id = 0; id < cak_graph_size(s->g); id++) {
            const char *name = cak_value_name(s->g, (cak_ref){ id });
            if (name && !strcmp(name, facts->fact[i].a)) t->a.id = id;
            if (name && facts->fact[i].b && !strcmp(name, facts->fact[i].b)) t->b.id = id;
        }
    }
}

static const cak_special *find_special(search *s, cak_arena *a, const cak_ref *out, int n)
{
    cak_facts facts = cak_facts_candidates(s->apart, s->inside, s->n);
    way best;
    if (!choose_facts(s, &facts, &best)) return NULL;
    cak_special *f = cak_arena_alloc(a, sizeof *f);
    size_t bytes = (size_t)s->n * sizeof *f->result;
    *f = (cak_special){ .n_results = s->n, .fact = cak_arena_alloc(a, (size_t)facts.n * sizeof *f->fact) };
    f->result = memcpy(cak_arena_alloc(a, bytes), s->result, bytes);
    f->instead = memcpy(cak_arena_alloc(a, bytes), best.result, bytes);
    name_facts(s, &facts, f);
    append_all(s, best.g, f->instead);
    cak_graph_close(best.g);
    check_results(s, out, n, f);
    return pays(s, f) ? f : NULL;
}

const cak_special *cak_specialise(cak_arena *a, cak_graph *g, const cak_ref *out, int n)
{
    search s = { .a = cak_arena_open("special samples"), .g = g, .size = cak_graph_size(g) };
    const bool *live = cak_pass_live(g, out, n, s.a);
    cak_slices c = cak_find_slices(s.a, g, live, out, n, NULL, false);
    find_results(&s, &c, live);
    if (s.n) set_apart(&s, &c, live);
    const cak_special *f = s.n ? find_special(&s, a, out, n) : NULL;
    cak_graph_close(s.apart);
    cak_arena_close(s.a);
    return f;
}
