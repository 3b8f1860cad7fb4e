/* What a graph costs: an estimate from shapes alone, to compare graphs that compute the same. */
#include "graph/pass.h"
#include "graph/slice.h"

double cak_value_cost(const cak_graph *g, cak_ref r, int64_t rows)
{
    const cak_node *node = cak_graph_value(g, r)->node;
    cak_site s = cak_site_in_slice(g, r, rows);
    int64_t most = cak_shape_size(&s.y_shape);
    if (node->alias) return 0;
    for (int k = 0; k < s.n_in; k++) {
        int64_t size = cak_shape_size(&s.in_shape[k]);
        most = size > most ? size : most;
    }
    return node->flops ? node->flops(&s) : (double)most;
}

double cak_graph_cost(const cak_graph *g, const cak_ref *out, int n)
{
    double cost = 0;
    cak_arena *a = cak_arena_open("cost");
    const bool *live = cak_pass_live(g, out, n, a);
    for (int id = 0; id < cak_graph_size(g); id++)
        if (live[id] && !cak_value_name(g, (cak_ref){ id })) cost += cak_value_cost(g, (cak_ref){ id }, 0);
    cak_arena_close(a);
    return cost;
}
