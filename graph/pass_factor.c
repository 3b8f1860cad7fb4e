/* Constant factors are applied where they cost least: on the smallest value of a linear node, several of them at once. */
#include <math.h>

#include "graph/pass_algebra.h"

extern const cak_node cak_node_mul, cak_node_neg, cak_node_const;

enum { MOST = 256 }; /* values that a rewritten one adds */

bool cak_is_scale(const cak_graph *g, const cak_value *v, double *c, cak_ref *x)
{
    *c = -1;
    *x = v->in[0];
    if (v->node == &cak_node_neg) return true;
    for (int k = 0; k < 2 && v->node == &cak_node_mul; k++) {
        const cak_value *f = cak_graph_value(g, v->in[k]);
        *x = v->in[1 - k];
        if (f->node != &cak_node_const || !cak_shape_equal(cak_shape_of(g, *x), &v->shape)) continue;
        *c = *(const double *)f->attr;
        return true;
    }
    return false;
}

cak_ref cak_times(cak_graph *g, cak_ref x, double c) { return c == 1 ? x : c == -1 ? cak_neg(g, x) : cak_scale(g, x, c); }

int *cak_pass_uses(const cak_graph *g, const cak_ref *out, int n, cak_arena *a)
{
    int *uses = cak_arena_alloc(a, ((size_t)cak_graph_size(g) + 1) * sizeof *uses);
    const bool *live = cak_pass_live(g, out, n, a);
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) uses[out[i].id]++;
    for (int id = 0; id < cak_graph_size(g); id++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        for (int k = 0; live[id] && k < v->n_in; k++) uses[v->in[k].id]++;
    }
    return uses;
}

bool cak_pass_room(const cak_graph *from, int id, const cak_graph *to, int most)
{
    return cak_graph_size(to) + (cak_graph_size(from) - id) + most <= CAK_MAX_VALUES;
}

typedef struct factors {
    const cak_graph *from;
    cak_graph *to;
    cak_ref *renamed; /* by id of from */
    int *uses;        /* by id of from */
} factors;

static const cak_value *value(const factors *s, cak_ref r) { return cak_graph_value(s->from, r); }

/* A factor of an input is one of the result. */
static bool passes_factors(const cak_value *v)
{
    return v->node->linear == CAK_LINEAR_EACH || (v->node->linear == CAK_LINEAR_JOINT && v->n_in == 1);
}

/* What stands for r without the factors that only its one reader sees; *c is multiplied by them. */
static cak_ref peel(const factors *s, cak_ref r, double *c)
{
    const cak_value *v = value(s, r);
    cak_ref x, y = s->renamed[r.id];
    double a;
    if (s->uses[r.id] != 1) return y;
    if (cak_is_scale(s->from, v, &a, &x)) {
        *c *= a;
        return peel(s, x, c);
    }
    if (!v->node->alias) return y;
    x = peel(s, v->in[0], c);
    return cak_append(s->to, v->node, v->attr, &x, 1);
}

/* The input on which a factor costs less than on the result of op, -1: none. Parameters stay as they are: what is derived from them is
** shared by all their readers. */
static int cheapest(const factors *s, const cak_value *op, const cak_ref *in)
{
    int best = -1;
    int64_t least = op->node->alias ? CAK_MAX_ELEMENTS + 1 : cak_shape_size(&op->shape);
    for (int k = 0; k < op->n_in; k++) {
        int64_t size = cak_shape_size(cak_shape_of(s->to, in[k]));
        if (size >= least || cak_value_name(s->to, in[k])) continue;
        best = k;
        least = size;
    }
    return best;
}

/* c x, with the factor below what only names x anew */
static cak_ref place(cak_graph *to, cak_ref x, double c)
{
    const cak_value *v = cak_graph_value(to, x);
    if (!v->node->alias) return cak_times(to, x, c);
    cak_value alias = *v; /* a copy: the list may move */
    cak_ref in = place(to, alias.in[0], c);
    return cak_append(to, alias.node, alias.attr, &in, 1);
}

/* c op(in) */
static cak_ref apply(const factors *s, const cak_value *op, cak_ref *in, double c)
{
    int k = cheapest(s, op, in);
    if (k >= 0) in[k] = place(s->to, in[k], c);
    cak_ref y = cak_append(s->to, op->node, op->attr, in, op->n_in);
    return k >= 0 ? y : cak_times(s->to, y, c);
}

static cak_ref kept(const factors *s, const cak_value *v)
{
    cak_ref in[CAK_MAX_IN];
    for (int k = 0; k < v->n_in; k++) in[k] = s->renamed[v->in[k].id];
    return cak_pass_keep(s->to, v, in);
}

/* v is op, or a factor times op, which nothing else reads. */
static cak_ref rewrite(const factors *s, const cak_value *v)
{
    const cak_value *op = v;
    cak_ref in[CAK_MAX_IN], x;
    double c = 1, unused;
    if (cak_is_scale(s->from, v, &c, &x)) {
        op = value(s, x);
        if (s->uses[x.id] != 1) return kept(s, v);
    } else {
        c = 1;
        if (v->node->alias) return kept(s, v);
    }
    if (!passes_factors(op) || cak_is_scale(s->from, op, &unused, &x)) return kept(s, v);
    for (int k = 0; k < op->n_in; k++) in[k] = peel(s, op->in[k], &c);
    if (!isfinite(c) || c == 0) return kept(s, v); /* the product of the factors is no number */
    cak_ref y = apply(s, op, in, c);
    return cak_graph_value(s->to, y)->rows == v->rows ? y : kept(s, v);
}

cak_graph *cak_pass_factor(const cak_graph *g, cak_ref *out, int n)
{
    cak_graph *to = cak_graph_open(cak_graph_diag(g));
    cak_arena *a = cak_graph_arena(to);
    size_t size = (size_t)cak_graph_size(g) + 1;
    factors s = { g, to, cak_arena_alloc(a, size * sizeof *s.renamed), cak_pass_uses(g, out, n, a) };
    const bool *live = cak_pass_live(g, out, n, a);
    for (int id = 0; id < cak_graph_size(g); id++) {
        if (!live[id]) continue;
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        cak_where old = cak_graph_at(to, v->origin, v->label);
        s.renamed[id] = cak_pass_room(g, id, to, MOST) ? rewrite(&s, v) : kept(&s, v);
        cak_graph_restore(to, old);
        CAK_CHECK(cak_shape_equal(cak_shape_of(to, s.renamed[id]), &v->shape));
    }
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) out[i] = s.renamed[out[i].id];
    cak_verify(to);
    return to;
}
