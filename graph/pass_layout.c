/* The layout pass: which values keep their channels in blocks of 16, so that convolutions can be lowered and few values are copied.
**
** Values are plain [B,C,H,W] or blocked [B,C/16,H,W,16]. Every value works in one of the two; one that is read in the other is copied
** once. Element-wise values, sums and broadcasts work in either; a convolution saves time when it works on blocks; all others are plain.
** The choice that costs the least is a minimal cut: blocked values on one side, plain ones on the other. */
#include <string.h>

#include "graph/attr_types.h"
#include "graph/lower_conv.h"
#include "graph/min_cut.h"
#include "graph/pass.h"
#include "nodes/prim/conv2d.h"

extern const cak_node cak_node_detach, cak_node_reduce_sum, cak_node_expand;

typedef struct layouter {
    const cak_graph *g;
    const bool *live;
    cak_lowering *lowering; /* by id, as are the others; without a row: not a convolution that can be lowered */
    int *work, *form;       /* network nodes: how a value is computed, and the layout of its result; CAK_SINK: plain */
    const bool *blocked;    /* by network node */
    cak_graph *to;
    cak_ref *made; /* the result in the new graph, in the layout of `form` */
} layouter;

/* ---- shapes ---- */

/* As an image, with leading axes of extent 1; s has at most four axes. */
static cak_shape lifted(const cak_shape *s)
{
    cak_shape y = CAK_SHAPE(1, 1, 1, 1);
    for (int i = 0; i < s->rank; i++) y.dim[4 - s->rank + i] = s->dim[i];
    return y;
}

/* Blocked channels, or the only channel, which is in no block. */
static cak_shape blocked_shape(const cak_shape *s)
{
    return s->dim[1] == 1 ? CAK_SHAPE(s->dim[0], 1, s->dim[2], s->dim[3], 1) : cak_blocked(s);
}

static bool has_blocks(const cak_shape *shape)
{
    cak_shape s = lifted(shape);
    return s.dim[1] == 1 || s.dim[1] % CAK_LANES == 0;
}

/* In the other layout it is only another view. */
static bool is_view(const cak_shape *shape)
{
    cak_shape s = lifted(shape);
    return s.dim[1] == 1 || s.dim[2] * s.dim[3] == 1;
}

/* What a change of the layout costs: the elements that are copied; a view costs a trifle, so that there are few. */
static int64_t price(const cak_shape *s)
{
    if (s->rank == 0) return 0; /* broadcasts as it is */
    return is_view(s) ? 1 : cak_shape_size(s);
}

/* ---- the choice ---- */

static bool elementwise(const cak_node *node) { return node->in_place || node == &cak_node_detach; }

/* A value that can be computed from blocked inputs as well. */
static bool either(const cak_graph *g, const cak_value *v)
{
    if (!elementwise(v->node) && v->node != &cak_node_reduce_sum && v->node != &cak_node_expand) return false;
    if (v->rows == CAK_ROWS_MIXED || v->shape.rank != 4 || !has_blocks(&v->shape)) return false;
    for (int k = 0; k < v->n_in; k++)
        if (!has_blocks(cak_shape_of(g, v->in[k]))) return false;
    return true;
}

static void find_choices(layouter *l)
{
    int nodes = CAK_SINK + 1;
    for (int id = 0; id < cak_graph_size(l->g); id++) {
        l->work[id] = l->form[id] = CAK_SINK;
        if (!l->live[id]) continue;
        const cak_value *v = cak_graph_value(l->g, (cak_ref){ id });
        bool conv = cak_lowering_of(l->g, v, &l->lowering[id]);
        if (!conv && !either(l->g, v)) continue;
        l->work[id] = nodes++;
        if (!conv || l->lowering[id].y_blocked) l->form[id] = l->work[id];
    }
}

/* The layout in which value `id` reads input k. */
static int reads(const layouter *l, int id, int k)
{
    return l->lowering[id].row && !l->lowering[id].in_blocked[k] ? CAK_SINK : l->work[id];
}

/* `value` is read in the layout of node `reader`: copied once, whoever else reads it so. Its network nodes: a copy from and to blocks. */
static void add_use(const layouter *l, cak_network *w, int value, int reader, int copies)
{
    if (reader == l->form[value]) return;
    int out_of = copies + 2 * value, into = out_of + 1;
    cak_network_edge(w, out_of, reader, CAK_UNCUT);
    cak_network_edge(w, reader, into, CAK_UNCUT);
}

static void choose(layouter *l, cak_arena *a, const cak_ref *out, int n)
{
    int size = cak_graph_size(l->g), copies = size + 2;
    cak_network *w = cak_network_open(a, copies + 2 * size);
    for (int id = 0; id < size; id++) {
        if (!l->live[id]) continue;
        const cak_value *v = cak_graph_value(l->g, (cak_ref){ id });
        int64_t gain = l->lowering[id].gain, cost = v->shape.rank > 4 ? 0 : price(&v->shape);
        cak_network_edge(w, CAK_SOURCE, l->work[id], gain);
        cak_network_edge(w, l->work[id], CAK_SINK, -gain);
        cak_network_edge(w, l->form[id], copies + 2 * id, cost);
        cak_network_edge(w, copies + 2 * id + 1, l->form[id], cost);
        for (int k = 0; k < v->n_in; k++) add_use(l, w, v->in[k].id, reads(l, id, k), copies);
    }
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) add_use(l, w, out[i].id, CAK_SINK, copies);
    l->blocked = cak_network_cut(w);
}

/* ---- the new graph ---- */

static cak_ref to_blocked(cak_graph *to, cak_ref x, const cak_shape *shape)
{
    cak_shape s = lifted(shape), y = blocked_shape(&s);
    if (shape->rank == 0) return x;
    if (is_view(shape)) return cak_reshape(to, x, &y);
    x = cak_reshape(to, x, &CAK_SHAPE(s.dim[0], s.dim[1] / CAK_LANES, CAK_LANES, s.dim[2], s.dim[3]));
    return cak_permute(to, x, &(cak_ints){ 5, { 0, 1, 3, 4, 2 } });
}

static cak_ref to_plain(cak_graph *to, cak_ref x, const cak_shape *shape)
{
    if (!is_view(shape)) x = cak_permute(to, x, &(cak_ints){ 5, { 0, 1, 4, 2, 3 } });
    return cak_reshape(to, x, shape);
}

/* The new value for an old one, in the layout asked for; equal conversions are one value. */
static cak_ref get(const layouter *l, cak_ref old, bool blocked)
{
    const cak_shape *shape = cak_shape_of(l->g, old);
    bool have = l->blocked[l->form[old.id]];
    if (have == blocked) return l->made[old.id];
    return blocked ? to_blocked(l->to, l->made[old.id], shape) : to_plain(l->to, l->made[old.id], shape);
}

/* The same node on blocked inputs: a sum over channels is one over blocks and lanes. */
static cak_ref rebuild(cak_graph *to, const cak_value *v, const cak_ref *in)
{
    if (v->node == &cak_node_expand) {
        cak_expand_attr a = *(const cak_expand_attr *)v->attr;
        cak_shape y = blocked_shape(&v->shape);
        a.shape.n = y.rank;
        memcpy(a.shape.v, y.dim, sizeof y.dim);
        return cak_append(to, v->node, &a, in, 1);
    }
    if (v->node != &cak_node_reduce_sum) return cak_append(to, v->node, v->attr, in, v->n_in);
    cak_ints axes = *(const cak_ints *)v->attr;
    for (int i = axes.n - 1; i >= 0; i--)
        if (axes.v[i] == 1) axes.v[axes.n++] = 4;
    return cak_append(to, v->node, &axes, in, 1);
}

static cak_ref remake(const layouter *l, int id)
{
    const cak_value *v = cak_graph_value(l->g, (cak_ref){ id });
    bool blocked = l->blocked[l->work[id]];
    cak_ref in[CAK_MAX_IN];
    for (int k = 0; k < v->n_in; k++) in[k] = get(l, v->in[k], l->blocked[reads(l, id, k)]);
    if (!blocked) return cak_pass_keep(l->to, v, in);
    return l->lowering[id].row ? cak_lower(l->to, v, &l->lowering[id], in) : rebuild(l->to, v, in);
}

cak_graph *cak_pass_layout(const cak_graph *g, cak_ref *out, int n)
{
    size_t size = (size_t)cak_graph_size(g) + 1;
    cak_arena *a = cak_arena_open("layout");
    layouter l = { .g = g, .live = cak_pass_live(g, out, n, a), .to = cak_graph_open(cak_graph_diag(g)) };
    l.lowering = cak_arena_alloc(a, size * sizeof *l.lowering);
    l.work = cak_arena_alloc(a, size * sizeof *l.work);
    l.form = cak_arena_alloc(a, size * sizeof *l.form);
    l.made = cak_arena_alloc(a, size * sizeof *l.made);
    find_choices(&l);
    choose(&l, a, out, n);
    for (int id = 0; id < cak_graph_size(g); id++) {
        if (!l.live[id]) continue;
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        cak_where old = cak_graph_at(l.to, v->origin, v->label);
        l.made[id] = remake(&l, id);
        CAK_CHECK(cak_graph_value(l.to, l.made[id])->rows == v->rows);
        cak_graph_restore(l.to, old);
    }
    for (int i = 0; i < n; i++) {
        if (cak_is_none(out[i])) continue;
        cak_shape shape = *cak_shape_of(g, out[i]);
        out[i] = get(&l, out[i], false);
        CAK_CHECK(cak_shape_equal(cak_shape_of(l.to, out[i]), &shape));
    }
    cak_arena_close(a);
    cak_verify(l.to);
    return l.to;
}
