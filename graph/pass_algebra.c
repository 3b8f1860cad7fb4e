/* Algebra: values with equal normal forms are computed once, multiples of a value by one product, sums from the terms that are left. */
#include <math.h>

#include "graph/form.h"
#include "graph/pass_algebra.h"

extern const cak_node cak_node_add, cak_node_sub, cak_node_mul, cak_node_neg, cak_node_const, cak_node_expand;

enum { ROUNDS = 8, SHORT = 2 };

typedef struct algebra {
    const cak_graph *from;
    cak_graph *to, *canon;
    cak_arena *a;
    cak_form *form;  /* by id of from */
    const int *uses; /* by id of from */
    int *sum;        /* by id of from: kernels of the sum that ends in it and that nobody else reads */
    bool *inner;     /* by id of from: only a sum reads it */
    cak_form *known; /* by id of canon: 1 / k of this form is value `base` of to; base none: not computed yet */
    int cap;
    bool full; /* too many values: the others are kept */
} algebra;

/* ---- sums as they are written ---- */

static bool is_sum(const cak_value *v) { return v->node == &cak_node_add || v->node == &cak_node_sub; }

static void count_sums(algebra *s)
{
    const cak_graph *g = s->from;
    double c;
    cak_ref x;
    for (int id = 0; id < cak_graph_size(g); id++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        if (!is_sum(v) && !cak_is_scale(g, v, &c, &x)) continue;
        s->sum[id] = 1;
        for (int k = 0; k < v->n_in; k++) {
            int in = v->in[k].id;
            if (s->uses[in] != 1 || !cak_shape_equal(cak_shape_of(g, v->in[k]), &v->shape)) continue;
            s->sum[id] += s->sum[in];
            s->inner[in] = true;
        }
    }
}

/* ---- what is computed already ---- */

static cak_form *known(algebra *s, cak_ref base)
{
    int old = s->cap;
    s->known = cak_arena_grow(s->a, s->known, &s->cap, base.id + 1, sizeof *s->known);
    for (int i = old; i < s->cap; i++) s->known[i] = (cak_form){ 0, CAK_NONE };
    return &s->known[base.id];
}

/* ---- rules: what stands for value v of form f; CAK_NONE: the rule does not apply ---- */

typedef struct target {
    const cak_value *v;
    int id;
    cak_form f;
    const cak_ref *in; /* what stands for its inputs */
} target;
typedef cak_ref rule(algebra *s, const target *t);

/* x with the shape and the rows of v */
static cak_ref spread(algebra *s, cak_ref x, const cak_value *v)
{
    return v->rows == CAK_ROWS_SAMPLE ? cak_expand_samples(s->to, x, &v->shape) : cak_expand(s->to, x, &v->shape);
}

/* k everywhere, or 0, is a constant; for samples it keeps their axis */
static cak_ref filled(algebra *s, const target *t)
{
    if (!(cak_form_zero(t->f) || cak_form_uniform(s->canon, t->f)) || t->v->node->alias) return CAK_NONE;
    return spread(s, cak_const(s->to, t->f.k), t->v);
}

/* Is v written as a constant times y? */
static bool scales(const algebra *s, const target *t, cak_ref y)
{
    double c;
    cak_ref x;
    bool same = false;
    for (int k = 0; k < t->v->n_in; k++) same = same || t->in[k].id == y.id;
    return same && cak_is_scale(s->from, t->v, &c, &x);
}

/* k x, where j x is computed already, is k / j times that */
static cak_ref again(algebra *s, const target *t)
{
    if (cak_form_zero(t->f)) return CAK_NONE;
    cak_form have = *known(s, t->f.base);
    if (cak_is_none(have.base)) return CAK_NONE;
    if (have.k == t->f.k) return have.base;
    return t->v->node->alias || scales(s, t, have.base) ? CAK_NONE : cak_times(s->to, have.base, t->f.k / have.k);
}

/* x + 0 and x * 1 with the shape of the other side: x is broadcast */
static cak_ref broadcast(algebra *s, const target *t)
{
    if (cak_form_zero(t->f)) return CAK_NONE;
    const cak_value *e = cak_graph_value(s->canon, t->f.base);
    if (e->node != &cak_node_expand || t->v->node == &cak_node_expand || t->v->node->alias) return CAK_NONE;
    cak_form have = *known(s, e->in[0]);
    if (cak_is_none(have.base) || have.k != t->f.k) return CAK_NONE;
    return spread(s, have.base, t->v);
}

typedef struct sum_plan {
    cak_ref x[CAK_MAX_TERMS];
    double k[CAK_MAX_TERMS], all; /* all (k[0] x[0] + k[1] x[1] + ...), with at least one k of +1 */
    int n, kernels;
} sum_plan;

/* How to compute the terms from what is known; false: a term is not known. */
static bool plan_sum(algebra *s, cak_form f, sum_plan *p)
{
    cak_terms terms;
    cak_form_terms(s->canon, f, &terms);
    *p = (sum_plan){ .n = terms.n, .all = 1 };
    int positive = 0;
    bool equal = true;
    for (int i = 0; i < p->n; i++) {
        cak_form have = *known(s, terms.term[i].base);
        if (cak_is_none(have.base)) return false;
        p->x[i] = have.base;
        p->k[i] = terms.term[i].k / have.k;
        positive += p->k[i] > 0;
        equal = equal && fabs(p->k[i]) == fabs(p->k[0]);
    }
    if (equal || !positive) p->all = copysign(equal ? fabs(p->k[0]) : 1, positive ? 1 : -1);
    p->kernels = p->n - 1 + (p->all != 1);
    for (int i = 0; i < p->n; i++) {
        p->k[i] /= p->all;
        p->kernels += fabs(p->k[i]) != 1;
    }
    return true;
}

static cak_ref build_sum(cak_graph *to, const sum_plan *p)
{
    int first = 0;
    while (p->k[first] < 0) first++;
    cak_ref y = cak_times(to, p->x[first], p->k[first]);
    for (int i = 0; i < p->n; i++) {
        if (i == first) continue;
        cak_ref x = cak_times(to, p->x[i], fabs(p->k[i]));
        y = p->k[i] < 0 ? cak_sub(to, y, x) : cak_add(to, y, x);
    }
    return cak_times(to, y, p->all);
}

/* a sum, from the terms that did not cancel, where that takes fewer kernels; a x + a y = a (x + y), x + -y = x - y. What is a part of a
** larger sum is written again with that one, unless it is short. */
static cak_ref shorter_sum(algebra *s, const target *t)
{
    sum_plan p;
    if (!is_sum(t->v) || cak_form_zero(t->f) || !plan_sum(s, t->f, &p) || p.kernels >= s->sum[t->id]) return CAK_NONE;
    if (s->inner[t->id] && p.kernels > SHORT) return CAK_NONE;
    return build_sum(s->to, &p);
}

static cak_ref kept(algebra *s, const target *t) { return cak_pass_keep(s->to, t->v, t->in); }

static rule *const rules[] = { filled, again, broadcast, shorter_sum, kept };

/* The first rule whose value has the rows of v: a fold of samples must stay one. */
static cak_ref stand_in(algebra *s, const target *t)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        cak_ref y = rules[i](s, t);
        if (!cak_is_none(y) && cak_graph_value(s->to, y)->rows == t->v->rows) return y;
    }
    CAK_CHECK(!"a value keeps its rows");
    return CAK_NONE;
}

static cak_ref rewrite(algebra *s, int id, const cak_ref *renamed)
{
    const cak_value *v = cak_graph_value(s->from, (cak_ref){ id });
    cak_form form[CAK_MAX_IN];
    cak_ref in[CAK_MAX_IN];
    for (int k = 0; k < v->n_in; k++) {
        form[k] = s->form[v->in[k].id];
        in[k] = renamed[v->in[k].id];
    }
    if (cak_graph_size(s->canon) > CAK_MAX_VALUES - CAK_FORM_ROOM) s->full = true;
    if (!cak_pass_room(s->from, id, s->to, CAK_FORM_ROOM)) s->full = true;
    if (s->full) return cak_pass_keep(s->to, v, in);
    target t = { v, id, s->form[id] = cak_form_of(s->canon, s->from, v, form), in };
    cak_ref y = stand_in(s, &t);
    if (!cak_form_zero(t.f) && cak_is_none(known(s, t.f.base)->base)) *known(s, t.f.base) = (cak_form){ t.f.k, y };
    return y;
}

static cak_graph *merge(const cak_graph *g, cak_ref *out, int n)
{
    size_t size = (size_t)cak_graph_size(g) + 1;
    algebra s = { .from = g, .to = cak_graph_open(cak_graph_diag(g)), .canon = cak_graph_open(cak_graph_diag(g)) };
    s.a = cak_graph_arena(s.canon);
    s.form = cak_arena_alloc(s.a, size * sizeof *s.form);
    s.uses = cak_pass_uses(g, out, n, s.a);
    s.sum = cak_arena_alloc(s.a, size * sizeof *s.sum);
    s.inner = cak_arena_alloc(s.a, size * sizeof *s.inner);
    cak_ref *renamed = cak_arena_alloc(s.a, size * sizeof *renamed);
    const bool *live = cak_pass_live(g, out, n, s.a);
    count_sums(&s);
    for (int id = 0; id < cak_graph_size(g); id++) {
        if (!live[id]) continue;
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        cak_where old = cak_graph_at(s.to, v->origin, v->label);
        renamed[id] = rewrite(&s, id, renamed);
        cak_graph_restore(s.to, old);
        CAK_CHECK(cak_shape_equal(cak_shape_of(s.to, renamed[id]), &v->shape));
    }
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) out[i] = renamed[out[i].id];
    cak_graph_close(s.canon);
    cak_verify(s.to);
    return s.to;
}

static bool same_graph(const cak_graph *a, const cak_graph *b)
{
    if (cak_graph_size(a) != cak_graph_size(b)) return false;
    for (int id = 0; id < cak_graph_size(a); id++) {
        const cak_value *v = cak_graph_value(a, (cak_ref){ id }), *w = cak_graph_value(b, (cak_ref){ id });
        if (v->node != w->node || v->n_in != w->n_in || !cak_attr_equal(v->node->attr, v->attr, w->attr)) return false;
        for (int k = 0; k < v->n_in; k++)
            if (v->in[k].id != w->in[k].id) return false;
    }
    return true;
}

typedef cak_graph *pass(const cak_graph *g, cak_ref *out, int n);

static cak_graph *rewrite_once(const cak_graph *g, cak_ref *out, int n)
{
    static pass *const passes[] = { cak_pass_fold, cak_pass_factor, cak_pass_fold, cak_pass_dce };
    cak_graph *now = merge(g, out, n);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        cak_graph *next = passes[i](now, out, n);
        cak_graph_close(now);
        now = next;
    }
    return now;
}

cak_graph *cak_pass_algebra(const cak_graph *g, cak_ref *out, int n)
{
    cak_graph *now = cak_pass_dce(g, out, n);
    bool changed = true;
    for (int round = 0; round < ROUNDS && changed; round++) {
        cak_graph *next = rewrite_once(now, out, n);
        changed = !same_graph(now, next);
        cak_graph_close(now);
        now = next;
    }
    return now;
}
