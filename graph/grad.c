/* The gradient as a graph-to-graph transform: walk the values backwards, let each node's rule append nodes, sum over uses.
**
** Three answers stay distinct: a handle; none (y does not depend on x, or only through piecewise-constant or detached nodes); and an
** error for a node without a rule (E3301). Broadcast edges are reduced here and nowhere else. */
#include "graph/graph.h"

#include <string.h>

/* Sum g, the gradient of a broadcast use, back to the shape of the value that was broadcast. */
static cak_ref unbroadcast(cak_graph *g, cak_ref gx, const cak_shape *to)
{
    const cak_shape *from = cak_shape_of(g, gx);
    if (cak_is_none(gx) || cak_shape_equal(from, to)) return gx;
    int lead = from->rank - to->rank, axes = 0;
    for (int i = 0; i < from->rank; i++)
        if (i < lead || (to->dim[i - lead] == 1 && from->dim[i] != 1)) axes |= 1 << i;
    return cak_reshape(g, cak_sum_axes(g, gx, axes), to);
}

static bool blocks(const cak_value *v) { return v->node->diff == CAK_DIFF_STOP || v->node->diff == CAK_DIFF_ZERO; }

/* A value passes its gradient on when one of its inputs leads to one of x[]. */
static bool passes_on(const cak_value *v, const bool *path)
{
    bool any = false;
    for (int k = 0; k < v->n_in; k++) any |= path[v->in[k].id];
    return any && !blocks(v);
}

/* path[i]: value i depends differentiably on one of x[]. */
static bool *find_path(cak_graph *g, cak_ref y, const cak_ref *x, int n)
{
    bool *path = cak_arena_alloc(cak_graph_arena(g), (size_t)y.id + 1);
    for (int i = 0; i < n; i++)
        if (x[i].id <= y.id) path[x[i].id] = true;
    for (int i = 0; i <= y.id; i++) path[i] |= passes_on(cak_graph_value(g, (cak_ref){ i }), path);
    return path;
}

/* Apply the rule of value `id` and add the results to the gradients of its inputs. */
static bool step_back(cak_graph *g, int id, const bool *path, cak_ref *grad)
{
    cak_value v = *cak_graph_value(g, (cak_ref){ id }); /* a copy: the list may move while the rule appends */
    cak_where old =
        cak_graph_at(g, v.origin, cak_arena_print(cak_graph_arena(g), "d/d(%s)", v.label[0] ? v.label : v.node->name));
    cak_site s = { .attr = v.attr, .n_in = v.n_in, .y = { id }, .y_shape = v.shape };
    cak_ref gin[CAK_MAX_IN];
    for (int k = 0; k < v.n_in; k++) {
        s.in[k] = v.in[k];
        s.in_shape[k] = *cak_shape_of(g, v.in[k]);
        gin[k] = CAK_NONE;
    }
    if (v.node->diff == CAK_DIFF_RULE) v.node->grad(g, &s, grad[id], gin);
    else cak_fail_code(g, CAK_E3301, "node type '%s' has no gradient rule, but a gradient is asked for", v.node->name);
    for (int k = 0; k < v.n_in; k++) {
        int in = v.in[k].id;
        if (!path[in] || cak_is_none(gin[k])) continue;
        cak_ref gx = unbroadcast(g, gin[k], &s.in_shape[k]);
        grad[in] = cak_is_none(grad[in]) ? gx : cak_add(g, grad[in], gx);
    }
    cak_graph_restore(g, old);
    return !cak_graph_failed(g);
}

bool cak_gradients(cak_graph *g, cak_ref y, const cak_ref *x, int n, cak_ref *gx)
{
    for (int i = 0; i < n; i++) gx[i] = CAK_NONE;
    if (cak_graph_failed(g) || cak_is_none(y)) return false;
    CAK_CHECK(cak_shape_size(cak_shape_of(g, y)) == 1);
    const bool *path = find_path(g, y, x, n);
    cak_ref *grad = cak_arena_alloc(cak_graph_arena(g), ((size_t)y.id + 1) * sizeof *grad);
    for (int i = 0; i <= y.id; i++) grad[i] = CAK_NONE;
    cak_shape shape = *cak_shape_of(g, y);
    grad[y.id] = cak_expand(g, cak_const(g, 1), &shape);
    for (int id = y.id; id >= 0; id--) {
        if (cak_is_none(grad[id]) || !passes_on(cak_graph_value(g, (cak_ref){ id }), path)) continue;
        if (!step_back(g, id, path, grad)) return false;
    }
    for (int i = 0; i < n; i++)
        if (x[i].id <= y.id && path[y.id]) gx[i] = grad[x[i].id];
    return !cak_graph_failed(g);
}

cak_ref cak_grad(cak_graph *g, cak_ref y, cak_ref x)
{
    cak_ref gx;
    cak_gradients(g, cak_sum(g, y), &x, 1, &gx);
    return gx;
}
