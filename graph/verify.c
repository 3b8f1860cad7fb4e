/* Check a whole graph again: edges point backwards, shapes and sample rows are what the nodes say. */
#include "graph/graph.h"

void cak_verify(const cak_graph *g)
{
    cak_graph *scratch = (cak_graph *)g; /* shape functions take a graph only to report errors; there are none here */
    for (int i = 0; i < cak_graph_size(g); i++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ i });
        for (int k = 0; k < v->n_in; k++) CAK_CHECK(v->in[k].id >= 0 && v->in[k].id < i);
        cak_shape shape = { 0 };
        CAK_CHECK(cak_graph_infer(scratch, v, &shape));
        CAK_CHECK(cak_shape_equal(&shape, &v->shape));
        CAK_CHECK(cak_graph_rows(g, v) == v->rows);
        CAK_CHECK(v->node->run || v->node->alias || cak_value_name(g, (cak_ref){ i }));
    }
}
