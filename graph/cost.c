/* What a graph costs: an estimate from shapes alone, to compare graphs that compute the same. */
#include "graph/pass.h"

static double value_cost(const cak_graph *g, const cak_value *v)
{
    cak_site s = { .attr = v->attr, .n_in = v->n_in, .y = CAK_NONE, .y_shape = v->shape };
    double most = (double)cak_shape_size(&v->shape);
    if (v->node->alias) return 0;
    for (int k = 0; k < v->n_in; k++) {
        s.in[k] = v->in[k];
        s.in_shape[k] = *cak_shape_of(g, v->in[k]);
        double size = (double)cak_shape_size(&s.in_shape[k]);
        most = size > most ? size : most;
    }
    return v->node->flops ? v->node->flops(&s) : most;
}

double cak_graph_cost(const cak_graph *g, const cak_ref *out, int n)
{
    double cost = 0;
    cak_arena *a = cak_arena_open("cost");
    const bool *live = cak_pass_live(g, out, n, a);
    for (int id = 0; id < cak_graph_size(g); id++)
        if (live[id] && !cak_value_name(g, (cak_ref){ id })) cost += value_cost(g, cak_graph_value(g, (cak_ref){ id }));
    cak_arena_close(a);
    return cost;
}
