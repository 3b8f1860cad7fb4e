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
    cak_ref *result; /* what the rounds over the batch complete */
    int n;
} search;

/* The results in a graph of their own in which the facts are used; the caller closes it. */
static cak_graph *use_facts(const search *s, const cak_facts *facts, cak_ref *result)
{
    memcpy(result, s->result, (size_t)s->n * sizeof *result);
    cak_graph *with = cak_pass_facts(s->g, result, s->n, facts), *less = cak_pass_algebra(with, result, s->n);
    cak_graph *clean = cak_pass_dce(less, result, s->n);
    cak_graph_close(with);
    cak_graph_close(less);
    return clean;
}

static double cost_with(const search *s, const cak_facts *facts)
{
    cak_ref *result = cak_arena_alloc(s->a, (size_t)s->n * sizeof *result);
    cak_graph *g = use_facts(s, facts, result);
    double cost = cak_graph_cost(g, result, s->n);
    cak_graph_close(g);
    return cost;
}

/* Leave out the facts that save nothing; false: all of them together do not. */
static bool choose_facts(const search *s, cak_facts *facts)
{
    cak_facts none = { .n = 0 };
    double all = cost_with(s, &none), best = facts->n ? cost_with(s, facts) : all;
    if (best > (1 - worth) * all) return false;
    for (int i = facts->n - 1; i >= 0; i--) {
        cak_facts less = *facts;
        memmove(&less.fact[i], &less.fact[i + 1], (size_t)(less.n - i - 1) * sizeof *less.fact);
        less.n--;
        double cost = cost_with(s, &less);
        if (cost > best + worth * all) continue;
        *facts = less;
        best = cost;
    }
    return facts->n > 0;
}

static void find_results(search *s, const cak_ref *out, int n)
{
    const bool *live = cak_pass_live(s->g, out, n, s->a);
    cak_slices c = cak_find_slices(s->a, s->g, live, out, n, NULL, false);
    s->result = cak_arena_alloc(s->a, ((size_t)cak_graph_size(s->g) + 1) * sizeof *s->result);
    for (int id = 0; id < cak_graph_size(s->g) && c.batch; id++)
        if (live[id] && c.sliced[id] && (c.total[id] || c.stored[id])) s->result[s->n++] = (cak_ref){ id };
}

static void append_all(cak_graph *to, const cak_graph *from, cak_ref *result, int n, cak_arena *a)
{
    cak_ref *renamed = cak_arena_alloc(a, ((size_t)cak_graph_size(from) + 1) * sizeof *renamed);
    for (int id = 0; id < cak_graph_size(from); id++) {
        const cak_value *v = cak_graph_value(from, (cak_ref){ id });
        cak_ref in[CAK_MAX_IN];
        for (int k = 0; k < v->n_in; k++) in[k] = renamed[v->in[k].id];
        cak_where old = cak_graph_at(to, v->origin, v->label);
        renamed[id] = cak_append(to, v->node, v->attr, in, v->n_in);
        cak_graph_restore(to, old);
    }
    for (int i = 0; i < n; i++) result[i] = renamed[result[i].id];
}

static bool is_zero(const cak_graph *g, cak_ref r)
{
    const cak_value *v = cak_graph_value(g, r);
    while (v->node->alias || v->node == &cak_node_expand) v = cak_graph_value(g, v->in[0]);
    return v->node == &cak_node_const && *(const double *)v->attr == 0;
}

/* Every result must be computed from the samples of a slice alone, or be nothing. */
static bool fits(search *s, const cak_ref *out, int n, cak_special *f)
{
    const bool *early = cak_special_only(s->a, s->g, out, n, f);
    bool *live = cak_pass_live(s->g, out, n, s->a), *special = cak_pass_live(s->g, f->instead, f->n_results, s->a);
    for (int id = 0; id < cak_graph_size(s->g); id++) live[id] = live[id] || special[id];
    cak_slices c = cak_find_slices(s->a, s->g, live, out, n, early, false);
    for (int i = 0; i < f->n_results; i++) {
        int id = f->result[i].id, other = f->instead[i].id;
        if (!c.sliced[id] || !(c.total[id] || c.stored[id])) return false;
        if (c.total[id] && is_zero(s->g, f->instead[i])) f->instead[i] = CAK_NONE;
        else if (!c.sliced[other] || c.stage[other] > c.stage[id]) return false;
    }
    return true;
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

const cak_special *cak_specialise(cak_arena *a, cak_graph *g, const cak_ref *out, int n)
{
    search s = { .a = cak_arena_open("special samples"), .g = g };
    cak_special *f = cak_arena_alloc(a, sizeof *f);
    find_results(&s, out, n);
    cak_facts facts = cak_facts_candidates(g, s.result, s.n);
    bool found = s.n > 0 && choose_facts(&s, &facts);
    if (found) {
        size_t bytes = (size_t)s.n * sizeof *f->result;
        *f = (cak_special){ .n_results = s.n, .fact = cak_arena_alloc(a, (size_t)facts.n * sizeof *f->fact) };
        f->result = memcpy(cak_arena_alloc(a, bytes), s.result, bytes);
        f->instead = cak_arena_alloc(a, bytes);
        name_facts(&s, &facts, f);
        cak_graph *special = use_facts(&s, &facts, f->instead);
        append_all(g, special, f->instead, s.n, s.a);
        cak_graph_close(special);
        found = fits(&s, out, n, f);
    }
    cak_arena_close(s.a);
    return found ? f : NULL;
}
