/* Normal forms by a table of rules: constant factors move out of linear nodes, equal terms of sums meet. */
#include "graph/form.h"

#include <math.h>
#include <string.h>

extern const cak_node cak_node_const, cak_node_expand, cak_node_reshape, cak_node_add, cak_node_sub, cak_node_mul, cak_node_neg;

static const cak_form zero = { 0, { -1 } };

static const cak_value *value(const cak_graph *c, cak_ref r) { return cak_graph_value(c, r); }

/* x with the shape and the rows of v */
static cak_ref like(cak_graph *c, cak_ref x, const cak_value *v)
{
    return v->rows == CAK_ROWS_SAMPLE ? cak_expand_samples(c, x, &v->shape) : cak_expand(c, x, &v->shape);
}

static cak_ref ones(cak_graph *c, const cak_value *v) { return like(c, cak_const(c, 1), v); }

static bool is_ones(const cak_graph *c, cak_ref r)
{
    const cak_value *v = value(c, r);
    if (v->node == &cak_node_expand) v = value(c, v->in[0]);
    return v->node == &cak_node_const && *(const double *)v->attr == 1;
}

bool cak_form_uniform(const cak_graph *canon, cak_form f) { return !cak_form_zero(f) && is_ones(canon, f.base); }

/* The base broadcast to v. */
static cak_ref lift(cak_graph *c, cak_ref base, const cak_value *v) { return is_ones(c, base) ? ones(c, v) : like(c, base, v); }

/* The form as one value, for nodes that see the constant. */
static cak_ref whole(cak_graph *c, cak_form f, const cak_value *v)
{
    if (cak_form_zero(f)) return like(c, cak_const(c, 0), v);
    return f.k == 1 ? f.base : cak_scale(c, f.base, f.k);
}

/* ---- sums ---- */

/* Constants that differ by the rounding of their products cancel too. */
static bool cancels(double sum, double a) { return fabs(sum) <= 0x1p-48 * fabs(a); }

static bool add_term(cak_terms *s, cak_form t)
{
    int i = 0;
    while (i < s->n && s->term[i].base.id < t.base.id) i++;
    if (i < s->n && s->term[i].base.id == t.base.id) {
        double k = s->term[i].k + t.k;
        bool gone = cancels(k, t.k);
        s->term[i].k = k;
        if (gone) memmove(&s->term[i], &s->term[i + 1], sizeof *s->term * (size_t)(--s->n - i));
        return true;
    }
    if (s->n == CAK_MAX_TERMS) return false;
    memmove(&s->term[i + 1], &s->term[i], sizeof *s->term * (size_t)(s->n++ - i));
    s->term[i] = t;
    return true;
}

/* Add the terms of k * base, itself a sum, a multiple or a term; false: too many. */
static bool collect_below(const cak_graph *c, cak_form f, cak_terms *s, int depth)
{
    const cak_value *v = value(c, f.base);
    if (!depth) return false;
    if (v->node == &cak_node_add)
        return collect_below(c, (cak_form){ f.k, v->in[0] }, s, depth - 1) &&
               collect_below(c, (cak_form){ f.k, v->in[1] }, s, depth - 1);
    if (v->node == &cak_node_mul && value(c, v->in[1])->node == &cak_node_const)
        return collect_below(c, (cak_form){ f.k * *(const double *)value(c, v->in[1])->attr, v->in[0] }, s, depth - 1);
    return add_term(s, f);
}

static bool collect(const cak_graph *c, cak_form f, cak_terms *s)
{
    return cak_form_zero(f) || collect_below(c, f, s, 2 * CAK_MAX_TERMS);
}

void cak_form_terms(const cak_graph *canon, cak_form f, cak_terms *s)
{
    s->n = 0;
    if (!collect(canon, f, s)) *s = (cak_terms){ 1, { f } };
}

/* k1 (b1 + k2 / k1 b2 + ...): seeds that differ in sign or size alone give equal bases. */
static cak_form form_of_sum(cak_graph *c, const cak_terms *s)
{
    if (!s->n) return zero;
    cak_form y = s->term[0];
    for (int i = 1; i < s->n; i++) y.base = cak_add(c, y.base, whole(c, (cak_form){ s->term[i].k / y.k, s->term[i].base }, NULL));
    return y;
}

/* ---- rules: y is the form of v; false: the rule does not apply ---- */

typedef bool rule(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y);

/* constant c = c * 1 */
static bool constant(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    (void)in;
    if (v->node != &cak_node_const) return false;
    double k = *(const double *)v->attr;
    *y = k == 0 ? zero : (cak_form){ k, cak_const(c, 1) };
    return true;
}

/* f(a 1, b 1) = f(a, b) 1 for element-wise f */
static bool uniform(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    double a[CAK_MAX_IN];
    if (!v->node->fold || !v->n_in) return false;
    for (int i = 0; i < v->n_in; i++) {
        if (!cak_form_zero(in[i]) && !is_ones(c, in[i].base)) return false;
        a[i] = in[i].k;
    }
    double k = v->node->fold(v->attr, a);
    *y = k == 0 ? zero : (cak_form){ k, ones(c, v) };
    return true;
}

/* L(0) = 0, B(0, x) = B(x, 0) = 0 */
static bool linear_of_zero(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    (void)c;
    int zeros = 0;
    for (int i = 0; i < v->n_in; i++) zeros += cak_form_zero(in[i]);
    *y = zero;
    return v->node->linear == CAK_LINEAR_EACH ? zeros > 0 : v->node->linear == CAK_LINEAR_JOINT && zeros == v->n_in;
}

/* the same elements: a reshaped reshape is one reshape, a copy is the value, every layout of a 1 is 1 */
static bool same_elements(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    if (!v->node->alias && v->node != &cak_node_expand) return false;
    *y = in[0];
    if (is_ones(c, y->base)) return y->base = ones(c, v), true;
    if (v->node == &cak_node_expand) return y->base = like(c, y->base, v), true;
    while (value(c, y->base)->node == &cak_node_reshape) y->base = value(c, y->base)->in[0];
    y->base = cak_reshape(c, y->base, &v->shape);
    return true;
}

/* -(a x) = -a x */
static bool negation(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    (void)c;
    *y = (cak_form){ -in[0].k, in[0].base };
    return v->node == &cak_node_neg;
}

static cak_form product(cak_graph *c, cak_form a, cak_form b, const cak_value *v);

/* (c + d a) x = c x + d (a x): so a x + (1 - a) x is x */
static bool distribute(cak_graph *c, cak_form a, cak_form x, const cak_value *v, cak_form *y)
{
    cak_terms s, all = { 0 };
    cak_form_terms(c, a, &s);
    if (s.n != 2 || !(is_ones(c, s.term[0].base) || is_ones(c, s.term[1].base))) return false;
    for (int i = 0; i < 2; i++) {
        cak_form p = product(c, s.term[i], x, v);
        if (!collect(c, p, &all)) return false;
    }
    *y = form_of_sum(c, &all);
    return true;
}

static cak_form product(cak_graph *c, cak_form a, cak_form b, const cak_value *v)
{
    cak_form y = { a.k * b.k, CAK_NONE };
    if (is_ones(c, a.base)) return y.base = lift(c, b.base, v), y;
    if (is_ones(c, b.base)) return y.base = lift(c, a.base, v), y;
    if (distribute(c, a, b, v, &y) || distribute(c, b, a, v, &y)) return y;
    y.base = a.base.id < b.base.id ? cak_mul(c, a.base, b.base) : cak_mul(c, b.base, a.base);
    return y;
}

/* (a x) (b y) = a b (x y) */
static bool multiplication(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    if (v->node != &cak_node_mul) return false;
    *y = product(c, in[0], in[1], v);
    return true;
}

/* a x + b x = (a + b) x, in sums of any length */
static bool summation(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    cak_terms s = { 0 };
    bool fits = true;
    if (v->node != &cak_node_add && v->node != &cak_node_sub) return false;
    cak_form part[2] = { in[0], in[1] };
    if (v->node == &cak_node_sub) part[1].k = -part[1].k;
    for (int i = 0; i < 2; i++) {
        if (!cak_form_zero(part[i])) part[i].base = lift(c, part[i].base, v);
        fits = fits && collect(c, part[i], &s);
    }
    if (!fits) s.n = 0; /* the two sides stay terms */
    for (int i = 0; i < 2 && !fits; i++)
        if (!cak_form_zero(part[i])) add_term(&s, part[i]);
    *y = form_of_sum(c, &s);
    return true;
}

/* L(a x) = a L(x), B(a x, b y) = a b B(x, y), J(a x, a y) = a J(x, y) */
static bool linear(cak_graph *c, const cak_value *v, const cak_form *in, cak_form *y)
{
    cak_ref base[CAK_MAX_IN];
    bool each = v->node->linear == CAK_LINEAR_EACH;
    if (v->node->linear == CAK_LINEAR_NOT || !v->n_in) return false;
    double k = in[0].k;
    for (int i = 0; i < v->n_in; i++) {
        if (cak_form_zero(in[i]) || (!each && in[i].k != in[0].k)) return false;
        if (each && i > 0) k *= in[i].k;
        base[i] = in[i].base;
    }
    *y = (cak_form){ k, cak_append(c, v->node, v->attr, base, v->n_in) };
    return true;
}

static rule *const rules[] = { constant, uniform, linear_of_zero, same_elements, negation, multiplication, summation, linear };

/* Products of constants may leave the range of numbers; what has no samples any more is no fold of samples. */
static bool sound(const cak_graph *c, const cak_value *v, cak_form f)
{
    return cak_form_zero(f) ? f.k == 0 : isfinite(f.k) && f.k != 0 && value(c, f.base)->rows == v->rows;
}

cak_form cak_form_of(cak_graph *canon, const cak_graph *g, const cak_value *v, const cak_form *in)
{
    cak_form y;
    cak_ref all[CAK_MAX_IN];
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i](canon, v, in, &y) && sound(canon, v, y)) return y;
    for (int i = 0; i < v->n_in; i++) all[i] = whole(canon, in[i], cak_graph_value(g, v->in[i]));
    return (cak_form){ 1, cak_append(canon, v->node, v->attr, all, v->n_in) };
}
