/* Sums of linear functions: L(x) + L(y) = L(x + y), so that what is folded over the samples goes through L once. */
#include "graph/pass.h"

extern const cak_node cak_node_add;

/* A kernel (no view, no element-wise node, which would be fused with the sum anyway) of one input that is no longer per sample. */
static bool worth_it(const cak_graph *g, const cak_value *v)
{
    return v->node->linear == CAK_LINEAR_JOINT && v->n_in == 1 && !v->node->alias && !v->node->in_place &&
           cak_graph_value(g, v->in[0])->rows == CAK_ROWS_SHARED;
}

static cak_ref gather(const void *ctx, cak_graph *to, cak_ref old, const cak_value *v, const cak_ref *in, const cak_ref *renamed)
{
    const int *readers = ctx;
    (void)old, (void)renamed;
    if (v->node != &cak_node_add || v->in[0].id == v->in[1].id) return cak_pass_keep(to, v, in);
    cak_value a = *cak_graph_value(to, in[0]), b = *cak_graph_value(to, in[1]); /* copies: the list may move */
    bool same = readers[v->in[0].id] == 1 && readers[v->in[1].id] == 1 && a.node == b.node && worth_it(to, &a) &&
                worth_it(to, &b) && cak_attr_equal(a.node->attr, a.attr, b.attr) && cak_shape_equal(&a.shape, &v->shape) &&
                cak_shape_equal(&b.shape, &v->shape) && cak_shape_equal(cak_shape_of(to, a.in[0]), cak_shape_of(to, b.in[0]));
    if (!same) return cak_pass_keep(to, v, in);
    cak_ref sum = cak_add(to, a.in[0], b.in[0]);
    return cak_append(to, a.node, a.attr, &sum, 1);
}

cak_graph *cak_pass_gather(const cak_graph *g, cak_ref *out, int n)
{
    cak_arena *a = cak_arena_open("pass");
    const bool *live = cak_pass_live(g, out, n, a);
    cak_graph *to = cak_pass_run_far(g, out, n, live, gather, cak_pass_readers(g, live, out, n, a));
    cak_arena_close(a);
    return to;
}
