/* The mask of a leaky ReLU is read off its result, so that its input can be forgotten: y = x mask(x) has the sign of x, and is kept for the
** gradient anyway. Results keep their bits. */
#include <string.h>

#include "graph/pass.h"

extern const cak_node cak_node_leaky_mask, cak_node_mul;

/* by id of a mask: the product that shows it, where nothing but the two reads the input; 0: none (a product is never the first value) */
static int *find_products(const cak_graph *g, const bool *live, const cak_ref *out, int n, cak_arena *a)
{
    size_t room = (size_t)cak_graph_size(g) + 1;
    int *product = cak_arena_alloc(a, room * sizeof *product), *readers = cak_arena_alloc(a, room * sizeof *readers);
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) readers[out[i].id]++;
    for (int id = 0; id < cak_graph_size(g); id++)
        for (int k = 0; live[id] && k < cak_graph_value(g, (cak_ref){ id })->n_in; k++)
            readers[cak_graph_value(g, (cak_ref){ id })->in[k].id]++;
    for (int id = 0; id < cak_graph_size(g); id++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        for (int k = 0; live[id] && v->node == &cak_node_mul && k < 2; k++) {
            const cak_value *m = cak_graph_value(g, v->in[k]);
            if (m->node != &cak_node_leaky_mask || m->in[0].id != v->in[1 - k].id || readers[m->in[0].id] != 2) continue;
            if (*(const double *)m->attr > 0) product[v->in[k].id] = id;
        }
    }
    return product;
}

cak_graph *cak_pass_mask(const cak_graph *g, cak_ref *out, int n)
{
    cak_graph *to = cak_graph_open(cak_graph_diag(g));
    cak_arena *a = cak_graph_arena(to);
    const bool *live = cak_pass_live(g, out, n, a);
    const int *product = find_products(g, live, out, n, a);
    cak_ref *renamed = cak_arena_alloc(a, ((size_t)cak_graph_size(g) + 1) * sizeof *renamed);
    for (int id = 0; id < cak_graph_size(g); id++) {
        if (!live[id]) continue;
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        cak_ref in[CAK_MAX_IN];
        cak_where old = cak_graph_at(to, v->origin, v->label);
        for (int k = 0; k < v->n_in; k++) {
            int y = product[v->in[k].id];
            in[k] = renamed[v->in[k].id];
            if (y && y < id) in[k] = cak_append(to, &cak_node_leaky_mask, cak_graph_value(to, in[k])->attr, &renamed[y], 1);
        }
        renamed[id] = cak_pass_keep(to, v, in);
        cak_graph_restore(to, old);
    }
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) out[i] = renamed[out[i].id];
    cak_verify(to);
    return to;
}
