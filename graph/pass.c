/* Passes: graph -> new graph. Each copies the live values in order and may rename them on the way; appending to the new graph merges
** equal values again, so common sub-expressions need no pass of their own. */
#include <string.h>

#include "graph/pass.h"

extern const cak_node cak_node_const, cak_node_expand, cak_node_add, cak_node_sub, cak_node_mul, cak_node_div, cak_node_param;

bool *cak_pass_live(const cak_graph *g, const cak_ref *out, int n, cak_arena *a)
{
    bool *live = cak_arena_alloc(a, (size_t)cak_graph_size(g) + 1);
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) live[out[i].id] = true;
    for (int id = cak_graph_size(g) - 1; id >= 0; id--) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        for (int k = 0; live[id] && k < v->n_in; k++) live[v->in[k].id] = true;
    }
    return live;
}

int *cak_pass_readers(const cak_graph *g, const bool *live, const cak_ref *out, int n, cak_arena *a)
{
    int *readers = cak_arena_alloc(a, ((size_t)cak_graph_size(g) + 1) * sizeof *readers);
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) readers[out[i].id]++;
    for (int id = 0; id < cak_graph_size(g); id++)
        for (int k = 0; live[id] && k < cak_graph_value(g, (cak_ref){ id })->n_in; k++)
            readers[cak_graph_value(g, (cak_ref){ id })->in[k].id]++;
    return readers;
}

cak_graph *cak_pass_run_far(const cak_graph *g, cak_ref *out, int n, const bool *live, cak_pass_far_rule *rule, const void *ctx)
{
    cak_graph *to = cak_graph_open(cak_graph_diag(g));
    cak_ref *renamed = cak_arena_alloc(cak_graph_arena(to), ((size_t)cak_graph_size(g) + 1) * sizeof *renamed);
    for (int id = 0; id < cak_graph_size(g); id++) {
        if (!live[id]) continue;
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        cak_ref in[CAK_MAX_IN];
        for (int k = 0; k < v->n_in; k++) in[k] = renamed[v->in[k].id];
        cak_where old = cak_graph_at(to, v->origin, v->label);
        renamed[id] = rule(ctx, to, (cak_ref){ id }, v, in, renamed);
        cak_graph_restore(to, old);
        CAK_CHECK(cak_shape_equal(cak_shape_of(to, renamed[id]), &v->shape));
    }
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) out[i] = renamed[out[i].id];
    cak_verify(to);
    return to;
}

typedef struct near_rule {
    cak_pass_rule *rule;
} near_rule;

static cak_ref look_near(const void *ctx, cak_graph *to, cak_ref old, const cak_value *v, const cak_ref *in,
                         const cak_ref *renamed)
{
    (void)old, (void)renamed;
    return ((const near_rule *)ctx)->rule(to, v, in);
}

cak_graph *cak_pass_run(const cak_graph *g, cak_ref *out, int n, cak_pass_rule *rule)
{
    cak_arena *a = cak_arena_open("pass");
    cak_graph *to = cak_pass_run_far(g, out, n, cak_pass_live(g, out, n, a), look_near, &(near_rule){ rule });
    cak_arena_close(a);
    return to;
}

cak_ref cak_pass_keep(cak_graph *to, const cak_value *v, const cak_ref *in)
{
    return cak_append(to, v->node, v->attr, in, v->n_in);
}

cak_graph *cak_pass_dce(const cak_graph *g, cak_ref *out, int n) { return cak_pass_run(g, out, n, cak_pass_keep); }

/* ---- constant folding ---- */

static bool const_value(const cak_graph *g, cak_ref r, double *v)
{
    const cak_value *c = cak_graph_value(g, r);
    if (c->node != &cak_node_const) return false;
    *v = *(const double *)c->attr;
    return true;
}

/* A binary element-wise node need not see its input expanded when the other input gives the shape. */
static void absorb_expand(const cak_graph *to, const cak_value *v, cak_ref *in)
{
    if (!v->node->in_place || v->n_in != 2) return;
    for (int k = 0; k < 2; k++) {
        const cak_value *e = cak_graph_value(to, in[k]);
        cak_shape y;
        const cak_value *other = cak_graph_value(to, in[1 - k]);
        if (e->node != &cak_node_expand || (e->rows == CAK_ROWS_SAMPLE && other->rows != CAK_ROWS_SAMPLE)) continue;
        if (cak_shape_broadcast(cak_shape_of(to, e->in[0]), cak_shape_of(to, in[1 - k]), &y) && cak_shape_equal(&y, &v->shape))
            in[k] = e->in[0];
    }
}

/* x + 0, x - 0, x * 1, x / 1 are x. (0 * x is not folded: x may hold a NaN that must be seen.) */
static bool neutral(const cak_graph *to, const cak_value *v, const cak_ref *in, cak_ref *y)
{
    double c;
    bool sum = v->node == &cak_node_add, diff = v->node == &cak_node_sub, prod = v->node == &cak_node_mul,
         quot = v->node == &cak_node_div;
    if (!sum && !diff && !prod && !quot) return false;
    double unit = prod || quot ? 1 : 0;
    for (int k = 0; k < 2; k++) {
        if (k == 0 && (diff || quot)) continue; /* 0 - x is not x */
        if (!const_value(to, in[k], &c) || c != unit || !cak_shape_equal(cak_shape_of(to, in[1 - k]), &v->shape)) continue;
        *y = in[1 - k];
        return true;
    }
    return false;
}

/* a * (b * x) -> (a b) * x, with the constants first found at either side. */
static bool merge_scales(cak_graph *to, const cak_value *v, const cak_ref *in, cak_ref *y)
{
    double a, b;
    if (v->node != &cak_node_mul) return false;
    for (int k = 0; k < 2; k++) {
        const cak_value *m = cak_graph_value(to, in[1 - k]);
        if (!const_value(to, in[k], &a) || m->node != &cak_node_mul) continue;
        for (int j = 0; j < 2; j++)
            if (const_value(to, m->in[j], &b) && cak_shape_equal(cak_shape_of(to, m->in[1 - j]), &v->shape)) {
                *y = cak_scale(to, m->in[1 - j], a * b);
                return true;
            }
    }
    return false;
}

static cak_ref fold(cak_graph *to, const cak_value *v, const cak_ref *old_in)
{
    cak_ref in[CAK_MAX_IN], y;
    double c[CAK_MAX_IN];
    memcpy(in, old_in, sizeof(cak_ref) * (size_t)v->n_in);
    bool all = v->node->fold && v->n_in > 0;
    for (int k = 0; k < v->n_in && all; k++) all = const_value(to, in[k], &c[k]);
    if (all && v->shape.rank == 0) return cak_const(to, v->node->fold(v->attr, c));
    absorb_expand(to, v, in);
    if (neutral(to, v, in, &y) || merge_scales(to, v, in, &y)) return y;
    return cak_pass_keep(to, v, in);
}

cak_graph *cak_pass_fold(const cak_graph *g, cak_ref *out, int n) { return cak_pass_run(g, out, n, fold); }
