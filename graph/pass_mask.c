/* The mask of a leaky ReLU is read off its result, so that its input can be forgotten: y = x mask(x) has the sign of x, and is kept for the
** gradient anyway. Results keep their bits. */
#include "graph/pass.h"

extern const cak_node cak_node_leaky_mask, cak_node_mul;

/* by id of a mask: the product that shows it, where nothing but the two reads the input; 0: none (a product is never the first value) */
static int *find_products(const cak_graph *g, const bool *live, const int *readers, cak_arena *a)
{
    int *product = cak_arena_alloc(a, ((size_t)cak_graph_size(g) + 1) * sizeof *product);
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

/* The mask of the input becomes that of the product wherever this exists already. */
static cak_ref read_product(const void *ctx, cak_graph *to, cak_ref old, const cak_value *v, const cak_ref *have,
                            const cak_ref *renamed)
{
    const int *product = ctx;
    cak_ref in[CAK_MAX_IN];
    for (int k = 0; k < v->n_in; k++) {
        int y = product[v->in[k].id];
        in[k] = have[k];
        if (y && y < old.id) in[k] = cak_append(to, &cak_node_leaky_mask, cak_graph_value(to, in[k])->attr, &renamed[y], 1);
    }
    return cak_pass_keep(to, v, in);
}

cak_graph *cak_pass_mask(const cak_graph *g, cak_ref *out, int n)
{
    cak_arena *a = cak_arena_open("pass");
    const bool *live = cak_pass_live(g, out, n, a);
    const int *product = find_products(g, live, cak_pass_readers(g, live, out, n, a), a);
    cak_graph *to = cak_pass_run_far(g, out, n, live, read_product, product);
    cak_arena_close(a);
    return to;
}
