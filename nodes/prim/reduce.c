/* Sums and broadcasts: reduce_sum and expand, an adjoint pair. */
#include <string.h>

#include "graph/attr_types.h"
#include "graph/graph.h"
#include "graph/sweep.h"

static const cak_port x_in[] = { { "x", "any shape", false }, { 0 } };
static const cak_port one_out[] = { { "y", "result", false }, { 0 } };

/* ---- reduce_sum ---- */

static bool sum_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_ints *axes = s->attr;
    *y = s->in_shape[0];
    for (int i = 0; i < axes->n; i++) {
        if (axes->v[i] < 0 || axes->v[i] >= y->rank)
            return cak_fail(g, "axis %lld does not exist in a tensor of rank %d", (long long)axes->v[i], y->rank);
        y->dim[axes->v[i]] = 1;
    }
    return true;
}

/* Doubles of the lanes of the chunks; a row of one chunk needs no memory for them. */
static int64_t lanes_room(const cak_sum_plan *p)
{
    const cak_sum_group *gr = &p->group[0];
    int64_t chunks = cak_sum_chunks(gr->n * gr->inner);
    return cak_sum_by_lanes(p) && chunks > 1 ? gr->outer * chunks * CAK_SUM_LANES : 0;
}

static size_t sum_scratch(const cak_site *s)
{
    cak_sum_plan p = cak_sum_plan_of(&s->in_shape[0], s->attr);
    return (size_t)(2 * cak_sum_room(&p) + lanes_room(&p)) * sizeof(double); /* one to read, one to write, lanes */
}

/* Rows of one chunk are finished by the thread that has read them. */
static void sum_short_rows(const cak_sum_group *gr, const real *x, double *y)
{
    int64_t row = gr->n * gr->inner;
    CAK_PARALLEL_FOR (r, gr->outer, gr->outer * row) {
        double lane[CAK_SUM_LANES] = { 0 };
        cak_sum_lanes(x + r * row, row, lane);
        cak_sum_rows(lane, CAK_SUM_LANES, 1, 1, gr->inner > 1, y + r * gr->inner);
    }
}

static void sum_long_rows(const cak_sum_group *gr, const real *x, double *y, double *lanes)
{
    int64_t row = gr->n * gr->inner, chunks = cak_sum_chunks(row);
    CAK_PARALLEL_FOR (item, gr->outer * chunks, gr->outer * row) {
        int64_t from = item % chunks * CAK_SUM_CHUNK;
        double *lane = lanes + item * CAK_SUM_LANES;
        memset(lane, 0, CAK_SUM_LANES * sizeof *lane);
        cak_sum_lanes(x + item / chunks * row + from, cak_min64(CAK_SUM_CHUNK, row - from), lane);
    }
    cak_sum_rows(lanes, CAK_SUM_LANES, gr->outer, chunks, gr->inner > 1, y);
}

static void sum_run(const cak_work *w)
{
    cak_sum_plan p = cak_sum_plan_of(&w->in[0].shape, w->attr);
    int64_t room = cak_sum_room(&p);
    double *now = w->scratch, *next = now + room, *lanes = next + room;
    if (p.n == 0) {
        memcpy(w->y.data, w->in[0].data, (size_t)cak_shape_size(&w->y.shape) * sizeof(real));
        return;
    }
    if (!cak_sum_by_lanes(&p)) cak_sum_columns(&p.group[0], w->in[0].data, NULL, now);
    else if (lanes_room(&p)) sum_long_rows(&p.group[0], w->in[0].data, now, lanes);
    else sum_short_rows(&p.group[0], w->in[0].data, now);
    cak_sum_finish(&p, now, next, w->y.data);
}

/* What a fold of samples took apart is put together again as samples. */
static void sum_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    bool samples = cak_graph_value(g, s->in[0])->rows == CAK_ROWS_SAMPLE;
    gin[0] = samples ? cak_expand_samples(g, gy, &s->in_shape[0]) : cak_expand(g, gy, &s->in_shape[0]);
}

/* A sum over axis 0 folds the samples; any other keeps them apart. */
static cak_rows sum_rows_kind(const cak_site *s, const cak_rows *in)
{
    const cak_ints *axes = s->attr;
    for (int i = 0; i < axes->n; i++)
        if (axes->v[i] == 0 && in[0] == CAK_ROWS_SAMPLE) return CAK_ROWS_SHARED;
    return in[0];
}

static const cak_attr sum_attrs[] = {
    { .name = "axes", .doc = "axes to sum over; they stay with extent 1", .kind = CAK_INTS, .offset = 0, .required = true },
    { .kind = CAK_END },
};
CAK_NODE(reduce_sum) = {
    .name = "reduce_sum",
    .doc = "sum over axes, which stay with extent 1; torch.sum(keepdim=True)",
    .formula = "y = sum over axes of x",
    .in = x_in,
    .out = one_out,
    .attr = sum_attrs,
    .attr_size = sizeof(cak_ints),
    .shape = sum_shape,
    .run = sum_run,
    .scratch = sum_scratch,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = sum_grad,
    .rows = sum_rows_kind,
};

/* ---- expand ---- */

static bool expand_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_ints *to = &((const cak_expand_attr *)s->attr)->shape;
    char a[CAK_SHAPE_TEXT], b[CAK_SHAPE_TEXT];
    *y = (cak_shape){ .rank = to->n };
    if (to->n > CAK_MAX_DIM) return cak_fail(g, "a tensor has at most %d axes", CAK_MAX_DIM);
    for (int i = 0; i < to->n; i++) {
        int from = i - (to->n - s->in_shape[0].rank);
        if (to->v[i] < 0) return cak_fail(g, "extent %lld of axis %d is negative", (long long)to->v[i], i);
        y->dim[i] = to->v[i] > 0 ? to->v[i] : from >= 0 ? s->in_shape[0].dim[from] : 1;
    }
    cak_shape both;
    if (cak_shape_broadcast(&s->in_shape[0], y, &both) && cak_shape_equal(&both, y)) return true;
    return cak_fail(g, "shape %s does not expand to %s", cak_shape_text(&s->in_shape[0], a), cak_shape_text(y, b));
}

static void expand_map(const void *attr, const real *const *in, const int *step, real *y, int64_t n)
{
    (void)attr;
    if (step[0]) memmove(y, in[0], (size_t)n * sizeof *y);
    else
        for (int64_t i = 0; i < n; i++) y[i] = in[0][0];
}

static void expand_run(const cak_work *w) { cak_map_run(w, expand_map); }

/* The central unbroadcast of the gradient does the sum. */
static void expand_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin) { (void)g, (void)s, gin[0] = gy; }

/* Samples stay; others begin where the attribute says so. */
static cak_rows expand_rows(const cak_site *s, const cak_rows *in)
{
    const cak_expand_attr *a = s->attr;
    const cak_shape *x = &s->in_shape[0], *y = &s->y_shape;
    if (in[0] == CAK_ROWS_SHARED) return a->per_sample && y->rank ? CAK_ROWS_SAMPLE : CAK_ROWS_SHARED;
    return in[0] == CAK_ROWS_SAMPLE && x->rank == y->rank && x->dim[0] == y->dim[0] ? CAK_ROWS_SAMPLE : CAK_ROWS_MIXED;
}

static const cak_attr expand_attrs[] = {
    { .name = "shape",
      .doc = "shape to broadcast to; 0 keeps the axis of x",
      .kind = CAK_INTS,
      .offset = offsetof(cak_expand_attr, shape),
      .required = true },
    { .name = "per_sample", .doc = "axis 0 counts samples", .kind = CAK_BOOL, .offset = offsetof(cak_expand_attr, per_sample) },
    { .kind = CAK_END },
};
CAK_NODE(expand) = {
    .name = "expand",
    .doc = "broadcast to a larger shape; torch.Tensor.expand",
    .formula = "y[i, j] = x[0, j] where x has extent 1",
    .in = x_in,
    .out = one_out,
    .attr = expand_attrs,
    .attr_size = sizeof(cak_expand_attr),
    .shape = expand_shape,
    .run = expand_run,
    .map = expand_map,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = expand_grad,
    .rows = expand_rows,
};
