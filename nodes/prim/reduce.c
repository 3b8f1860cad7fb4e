/* Sums and broadcasts: reduce_sum and expand, an adjoint pair. */
#include <string.h>

#include "graph/ops.h"
#include "graph/par.h"

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

/* Every reduction is a chain of groups [outer, n, inner] -> [outer, inner], from the last axes to the first; neighbouring axes are one
** group, but axis 0 stays alone, so that the samples of a batch are folded last and in order. Between groups the sums are double. */
typedef struct group {
    int64_t outer, n, inner;
} group;

static int find_groups(const cak_shape *x, const cak_ints *axes, group *out)
{
    bool reduced[CAK_MAX_DIM] = { false };
    int k = 0;
    for (int i = 0; i < axes->n; i++) reduced[axes->v[i]] = true;
    int64_t dim[CAK_MAX_DIM];
    memcpy(dim, x->dim, sizeof dim);
    for (int i = x->rank - 1; i >= 0; i--) {
        if (!reduced[i] || dim[i] == 1) continue;
        int first = i;
        while (first > 1 && reduced[first - 1]) first--;
        group gr = { 1, 1, 1 };
        for (int j = 0; j < first; j++) gr.outer *= dim[j];
        for (int j = first; j <= i; j++) gr.n *= dim[j];
        for (int j = i + 1; j < x->rank; j++) gr.inner *= dim[j];
        for (int j = first; j <= i; j++) dim[j] = 1;
        out[k++] = gr;
        i = first;
    }
    return k;
}

enum { FOLD = 256 }; /* columns a thread owns when a sum runs over leading axes */

static int64_t row_blocks(const group *gr) { return gr->inner == 1 ? cak_blocks(gr->n) : 1; }

/* Doubles that hold what any group leaves for the next one, or the sums of its blocks. */
static int64_t stage_room(const group *gr, int k)
{
    int64_t most = 1;
    for (int i = 0; i < k; i++) most = cak_max64(most, gr[i].outer * cak_max64(gr[i].inner, row_blocks(&gr[i])));
    return most;
}

static size_t sum_scratch(const cak_site *s)
{
    group gr[CAK_MAX_DIM];
    int k = find_groups(&s->in_shape[0], s->attr, gr);
    return 2 * (size_t)stage_room(gr, k) * sizeof(double); /* one to read, one to write */
}

/* [outer, n] -> [outer]: blocks of rows, then blocks in order. */
static void sum_rows(const group *gr, const real *x, double *y, double *partial)
{
    int64_t blocks = row_blocks(gr);
    CAK_PARALLEL_FOR (item, gr->outer * blocks, gr->outer * gr->n) {
        int64_t from = item % blocks * CAK_BLOCK;
        partial[item] = cak_sum_block(x + item / blocks * gr->n + from, cak_min64(CAK_BLOCK, gr->n - from));
    }
    for (int64_t o = 0; o < gr->outer; o++) {
        double sum = 0;
        for (int64_t b = 0; b < blocks; b++) sum += partial[o * blocks + b];
        y[o] = sum;
    }
}

/* [outer, n, inner] -> [outer, inner], in the order of n; a thread owns FOLD columns. x is real in the first group, double later. */
static void sum_columns(const group *gr, const real *x, const double *xd, double *y)
{
    int64_t strips = (gr->inner + FOLD - 1) / FOLD;
    CAK_PARALLEL_FOR (item, gr->outer * strips, gr->outer * gr->n * gr->inner) {
        int64_t o = item / strips, from = item % strips * FOLD, m = cak_min64(FOLD, gr->inner - from);
        double sum[FOLD] = { 0 };
        for (int64_t i = 0; i < gr->n; i++) {
            int64_t at = (o * gr->n + i) * gr->inner + from;
            if (x)
                for (int64_t j = 0; j < m; j++) sum[j] += (double)x[at + j];
            else
                for (int64_t j = 0; j < m; j++) sum[j] += xd[at + j];
        }
        memcpy(y + o * gr->inner + from, sum, (size_t)m * sizeof *y);
    }
}

static void sum_run(const cak_work *w)
{
    group gr[CAK_MAX_DIM];
    int k = find_groups(&w->in[0].shape, w->attr, gr);
    int64_t n = cak_shape_size(&w->y.shape);
    double *now = w->scratch, *next = now + stage_room(gr, k);
    if (k == 0) {
        memcpy(w->y.data, w->in[0].data, (size_t)n * sizeof(real));
        return;
    }
    if (gr[0].inner == 1) sum_rows(&gr[0], w->in[0].data, now, next);
    else sum_columns(&gr[0], w->in[0].data, NULL, now);
    for (int i = 1; i < k; i++) {
        sum_columns(&gr[i], NULL, now, next);
        double *t = now;
        now = next;
        next = t;
    }
    for (int64_t i = 0; i < n; i++) w->y.data[i] = (real)now[i];
}

static void sum_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin) { gin[0] = cak_expand(g, gy, &s->in_shape[0]); }

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
    const cak_ints *to = s->attr;
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

static void expand_run(const cak_work *w)
{
    const cak_shape *x = &w->in[0].shape, *y = &w->y.shape;
    int64_t step[CAK_MAX_DIM], size = 1, row = y->rank ? y->dim[y->rank - 1] : 1, n = cak_shape_size(y);
    for (int i = y->rank - 1; i >= 0; i--) {
        int from = i - (y->rank - x->rank);
        int64_t d = from < 0 ? 1 : x->dim[from];
        step[i] = d == 1 ? 0 : size;
        size *= d;
    }
    CAK_PARALLEL_FOR (r, n / row, n) {
        int64_t at = 0, rest = r;
        for (int i = y->rank - 2; i >= 0; i--) {
            at += rest % y->dim[i] * step[i];
            rest /= y->dim[i];
        }
        real *out = w->y.data + r * row;
        const real *in = w->in[0].data + at;
        if (y->rank && step[y->rank - 1]) memcpy(out, in, (size_t)row * sizeof *out);
        else
            for (int64_t i = 0; i < row; i++) out[i] = in[0];
    }
}

/* The central unbroadcast of the gradient does the sum. */
static void expand_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin) { (void)g, (void)s, gin[0] = gy; }

static const cak_attr expand_attrs[] = {
    { .name = "shape", .doc = "shape to broadcast to; 0 keeps the axis of x", .kind = CAK_INTS, .offset = 0, .required = true },
    { .kind = CAK_END },
};
CAK_NODE(expand) = {
    .name = "expand",
    .doc = "broadcast to a larger shape; torch.Tensor.expand",
    .formula = "y[i, j] = x[0, j] where x has extent 1",
    .in = x_in,
    .out = one_out,
    .attr = expand_attrs,
    .attr_size = sizeof(cak_ints),
    .shape = expand_shape,
    .run = expand_run,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = expand_grad,
};
