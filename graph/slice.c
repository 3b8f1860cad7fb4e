/* Batch slicing: kinds, stages and rounds of the values of a graph. */
#include "graph/slice.h"

#include "graph/pass.h"

enum {
    LARGE = 4096,           /* elements: larger sums go through linear nodes slice by slice, so that fewer are added up */
    KEPT = 256,             /* elements a sample: smaller values are stored between rounds, larger ones computed again */
    ROW_BYTES = 1024 * 1024 /* what the largest value of a slice should have, so that kernels are worth their start */
};

typedef struct slicer {
    const cak_graph *g;
    cak_slices *s;
    const bool *live, *early;
    bool *sum; /* by id: sliced, without a row per sample */
} slicer;

static const cak_value *value(const slicer *q, int id) { return cak_graph_value(q->g, (cak_ref){ id }); }
static bool external(const cak_graph *g, int id) { return cak_value_name(g, (cak_ref){ id }) != NULL; }
static bool has_rows(const slicer *q, int id) { return value(q, id)->rows == CAK_ROWS_SAMPLE; }
static int64_t size(const slicer *q, int id) { return cak_shape_size(&value(q, id)->shape); }

/* Samples of the batch when all values agree on them, else 0. */
static int64_t find_batch(const slicer *q)
{
    int64_t batch = 0;
    for (int id = 0; id < cak_graph_size(q->g); id++) {
        if (!q->live[id] || !has_rows(q, id)) continue;
        if (batch && value(q, id)->shape.dim[0] != batch) return 0;
        batch = value(q, id)->shape.dim[0];
    }
    return batch > 1 ? batch : 0;
}

/* A quarter of the batch at most: slices run side by side on small machines too. */
static int64_t choose_rows(const slicer *q, int64_t batch)
{
    int64_t largest = 1, rows = 1;
    for (int id = 0; id < cak_graph_size(q->g); id++)
        if (q->live[id] && has_rows(q, id) && size(q, id) / batch > largest) largest = size(q, id) / batch;
    while (2 * rows <= batch / 4 && 2 * rows * largest * (int64_t)sizeof(real) <= ROW_BYTES) rows *= 2;
    return rows;
}

/* Reading input `in` is possible from this round on (for a sum: its result, not its contributions). */
static int readable(const slicer *q, int in)
{
    bool after = q->s->sliced[in] && q->sum[in];
    return q->s->stage[in] + after;
}

/* A linear function of sums of one round, all else given before it: its contributions are those of the sums. */
static bool linear_of_sums(const slicer *q, int id, int *stage)
{
    const cak_value *v = value(q, id);
    int sums = 0, before = 0;
    bool large = q->early && q->early[id];
    if (v->node->linear == CAK_LINEAR_NOT || v->rows != CAK_ROWS_SHARED) return false;
    for (int k = 0; k < v->n_in; k++) {
        int in = v->in[k].id;
        if (q->s->sliced[in] && q->sum[in]) {
            if (sums && q->s->stage[in] != *stage) return false;
            *stage = q->s->stage[in];
            large = large || size(q, in) >= LARGE;
            sums++;
        } else if (q->s->stage[in] > before) before = q->s->stage[in];
    }
    if (!sums || !large || before > *stage) return false;
    return v->node->linear == CAK_LINEAR_JOINT ? sums == v->n_in : sums == 1;
}

/* The whole of a value is needed: a sum is added up, rows are stored. A view has no memory; it is the value that it shows. */
static void complete(const slicer *q, int id)
{
    while (value(q, id)->node->alias) id = value(q, id)->in[0].id;
    if (q->s->sliced[id]) *(q->sum[id] ? &q->s->total[id] : &q->s->stored[id]) = true;
}

static void classify(slicer *q, int id)
{
    const cak_value *v = value(q, id);
    cak_slices *s = q->s;
    bool reads_rows = false;
    int stage = 0, sums = 0;
    for (int k = 0; k < v->n_in; k++) {
        int in = v->in[k].id, at = readable(q, in);
        reads_rows = reads_rows || has_rows(q, in);
        if (v->rows == CAK_ROWS_MIXED && s->sliced[in] && !q->sum[in]) at++, complete(q, in);
        if (at > stage) stage = at;
    }
    bool linear = linear_of_sums(q, id, &sums);
    q->sum[id] = linear || (v->rows == CAK_ROWS_SHARED && reads_rows);
    s->sliced[id] = !external(q->g, id) && (q->sum[id] || v->rows == CAK_ROWS_SAMPLE);
    s->stage[id] = linear ? sums : stage;
    for (int k = 0; k < v->n_in && !linear; k++)
        if (q->sum[v->in[k].id]) complete(q, v->in[k].id);
}

static bool is_kept(const slicer *q, int id, int k)
{
    return has_rows(q, id) && q->s->stage[id] < k && size(q, id) / q->s->batch < KEPT;
}

/* What round k computes for the values in need[]. store: what it would compute once more is stored where that is little. */
static void close_over(const slicer *q, bool *need, int k, bool store)
{
    for (int id = cak_graph_size(q->g) - 1; id >= 0; id--) {
        const cak_value *v = value(q, id);
        if (!need[id]) continue;
        if (store && is_kept(q, id, k)) {
            complete(q, id);
            continue;
        }
        for (int j = 0; j < v->n_in; j++) {
            int in = v->in[j].id;
            bool result = q->sum[in] && !(q->sum[id] && q->s->stage[in] == q->s->stage[id]);
            if (!q->s->sliced[in] || result || (q->s->stored[in] && q->s->stage[in] < k)) continue;
            need[in] = true;
        }
    }
}

static slicer make_slicer(cak_arena *a, const cak_graph *g, cak_slices *s, const bool *live, const bool *early)
{
    slicer q = { g, s, live, early, cak_arena_alloc(a, (size_t)cak_graph_size(g) + 1) };
    for (int id = 0; id < cak_graph_size(g); id++) q.sum[id] = s->sliced[id] && !has_rows(&q, id);
    return q;
}

bool *cak_round_values(cak_arena *a, const cak_graph *g, const cak_slices *s, int k, const bool *roots)
{
    cak_slices copy = *s;
    slicer q = make_slicer(a, g, &copy, NULL, NULL);
    bool *need = cak_arena_alloc(a, (size_t)cak_graph_size(g) + 1);
    for (int id = 0; id < cak_graph_size(g); id++) need[id] = roots[id];
    close_over(&q, need, k, false);
    return need;
}

/* Small values that a later round needs are stored; later rounds first, because what they store must be complete in an earlier one. */
static void store_small(const slicer *q, cak_arena *a)
{
    bool *need = cak_arena_alloc(a, (size_t)cak_graph_size(q->g) + 1);
    for (int k = q->s->rounds - 1; k > 0; k--) {
        for (int id = 0; id < cak_graph_size(q->g); id++)
            need[id] = q->live[id] && q->s->sliced[id] && q->s->stage[id] == k && (q->s->total[id] || q->s->stored[id]);
        close_over(q, need, k, true);
    }
}

cak_slices cak_find_slices(cak_arena *a, const cak_graph *g, const bool *live, const cak_ref *out, int n_out, const bool *early,
                           bool whole)
{
    size_t room = (size_t)cak_graph_size(g) + 1;
    cak_slices s = { .sliced = cak_arena_alloc(a, room),
                     .total = cak_arena_alloc(a, room),
                     .stored = cak_arena_alloc(a, room),
                     .stage = cak_arena_alloc(a, room * sizeof(int)) };
    slicer q = make_slicer(a, g, &s, live, early);
    s.batch = whole ? 0 : find_batch(&q);
    if (!s.batch) return s;
    s.rows = choose_rows(&q, s.batch);
    for (int id = 0; id < cak_graph_size(g); id++)
        if (live[id]) classify(&q, id);
    for (int i = 0; i < n_out; i++)
        if (!cak_is_none(out[i])) complete(&q, out[i].id);
    for (int id = 0; id < cak_graph_size(g); id++)
        if (s.sliced[id] && (s.total[id] || s.stored[id]) && s.stage[id] >= s.rounds) s.rounds = s.stage[id] + 1;
    store_small(&q, a);
    return s;
}

const bool *cak_special_only(cak_arena *a, const cak_graph *g, const cak_ref *out, int n_out, const cak_special *f)
{
    bool *only = f ? cak_pass_live(g, f->instead, f->n_results, a) : cak_arena_alloc(a, (size_t)cak_graph_size(g) + 1);
    const bool *ordinary = cak_pass_live(g, out, n_out, a);
    for (int id = 0; id < cak_graph_size(g); id++) only[id] = only[id] && !ordinary[id];
    return only;
}

cak_shape cak_shape_in_slice(const cak_graph *g, cak_ref r, int64_t rows)
{
    const cak_value *v = cak_graph_value(g, r);
    cak_shape y = v->shape;
    if (rows && v->rows == CAK_ROWS_SAMPLE) y.dim[0] = rows;
    return y;
}

cak_site cak_site_in_slice(const cak_graph *g, cak_ref r, int64_t rows)
{
    const cak_value *v = cak_graph_value(g, r);
    cak_site s = { .attr = v->attr, .n_in = v->n_in, .y = r, .y_shape = cak_shape_in_slice(g, r, rows) };
    for (int k = 0; k < v->n_in; k++) {
        s.in[k] = v->in[k];
        s.in_shape[k] = cak_shape_in_slice(g, v->in[k], rows);
    }
    return s;
}
