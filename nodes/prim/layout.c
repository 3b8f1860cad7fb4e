/* Layout: reshape, permute, and the adjoint pair slice and pad. */
#include <string.h>

#include "graph/ops.h"
#include "graph/par.h"

static const cak_port x_in[] = { { "x", "any shape", false }, { 0 } };
static const cak_port one_out[] = { { "y", "result", false }, { 0 } };

/* ---- reshape ---- */

static bool reshape_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_ints *to = s->attr;
    const cak_shape *x = &s->in_shape[0];
    int64_t left = cak_shape_size(x); /* elements per row of the axes so far, kept exact by dividing */
    int open = -1;
    bool fits = true;
    char a[CAK_SHAPE_TEXT];
    *y = (cak_shape){ .rank = to->n };
    if (to->n > CAK_MAX_DIM) return cak_fail(g, "a tensor has at most %d axes", CAK_MAX_DIM);
    for (int i = 0; i < to->n; i++) {
        if (to->v[i] < -1) return cak_fail(g, "extent %lld of axis %d is negative", (long long)to->v[i], i);
        if (to->v[i] == -1 && open >= 0) return cak_fail(g, "only one axis of a reshape may be -1");
        if (to->v[i] == -1) open = i;
        else y->dim[i] = to->v[i] > 0 ? to->v[i] : i < x->rank ? x->dim[i] : 1;
        if (i == open) continue;
        fits = fits && left % y->dim[i] == 0;
        left /= y->dim[i];
    }
    if (open >= 0) y->dim[open] = left;
    if (fits && (open >= 0 || left == 1)) return true;
    return cak_fail(g, "%s cannot be reshaped: %lld elements do not fit", cak_shape_text(x, a), (long long)cak_shape_size(x));
}

static void reshape_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    gin[0] = cak_reshape(g, gy, &s->in_shape[0]);
}

/* The sample axis survives when axis 0 keeps its extent. */
static cak_rows reshape_rows(const cak_site *s, const cak_rows *in)
{
    if (in[0] != CAK_ROWS_SAMPLE) return in[0];
    return s->y_shape.rank && s->y_shape.dim[0] == s->in_shape[0].dim[0] ? CAK_ROWS_SAMPLE : CAK_ROWS_MIXED;
}

static const cak_attr reshape_attrs[] = {
    { .name = "shape",
      .doc = "new shape; 0 keeps the axis of x, -1 takes what is left",
      .kind = CAK_INTS,
      .offset = 0,
      .required = true },
    { .kind = CAK_END },
};
CAK_NODE(reshape) = {
    .name = "reshape",
    .doc = "the same elements in another shape; torch.reshape",
    .formula = "y = x",
    .in = x_in,
    .out = one_out,
    .attr = reshape_attrs,
    .attr_size = sizeof(cak_ints),
    .shape = reshape_shape,
    .rows = reshape_rows,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = reshape_grad,
    .alias = true,
};

/* ---- permute ---- */

static bool permute_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_ints *order = s->attr;
    const cak_shape *x = &s->in_shape[0];
    int seen = 0;
    *y = (cak_shape){ .rank = x->rank };
    for (int i = 0; i < order->n && i < x->rank; i++) {
        if (order->v[i] < 0 || order->v[i] >= x->rank) break;
        seen |= 1 << order->v[i];
        y->dim[i] = x->dim[order->v[i]];
    }
    if (order->n == x->rank && seen == (1 << x->rank) - 1) return true;
    return cak_fail(g, "order must name each of the %d axes once", x->rank);
}

static void permute_run(const cak_work *w)
{
    const cak_ints *order = w->attr;
    const cak_shape *x = &w->in[0].shape, *y = &w->y.shape;
    int64_t step[CAK_MAX_DIM], size = 1, n = cak_shape_size(y), row = y->rank ? y->dim[y->rank - 1] : 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        step[i] = size;
        size *= x->dim[i];
    }
    CAK_PARALLEL_FOR (r, n / row, n) {
        int64_t at = 0, rest = r;
        for (int i = y->rank - 2; i >= 0; i--) {
            at += rest % y->dim[i] * step[order->v[i]];
            rest /= y->dim[i];
        }
        int64_t last = y->rank ? step[order->v[y->rank - 1]] : 0;
        for (int64_t i = 0; i < row; i++) w->y.data[r * row + i] = w->in[0].data[at + i * last];
    }
}

static void permute_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    const cak_ints *order = s->attr;
    cak_ints back = { .n = order->n };
    for (int i = 0; i < order->n; i++) back.v[order->v[i]] = i;
    gin[0] = cak_permute(g, gy, &back);
}

static cak_rows permute_rows(const cak_site *s, const cak_rows *in)
{
    return in[0] == CAK_ROWS_SAMPLE && ((const cak_ints *)s->attr)->v[0] != 0 ? CAK_ROWS_MIXED : in[0];
}

static const cak_attr permute_attrs[] = {
    { .name = "order", .doc = "axis i of y is axis order[i] of x", .kind = CAK_INTS, .offset = 0, .required = true },
    { .kind = CAK_END },
};
CAK_NODE(permute) = {
    .name = "permute",
    .doc = "axes in another order; torch.permute",
    .formula = "y[i, j] = x[j, i]",
    .in = x_in,
    .out = one_out,
    .attr = permute_attrs,
    .attr_size = sizeof(cak_ints),
    .shape = permute_shape,
    .run = permute_run,
    .rows = permute_rows,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = permute_grad,
};

/* ---- slice and pad ---- */

typedef struct cut {
    int64_t axis, a, b;
} cut; /* slice: from a, count b; pad: a before, b after */

static bool cut_axis(cak_graph *g, const cak_site *s, const cut *c, cak_shape *y)
{
    *y = s->in_shape[0];
    if (c->axis >= 0 && c->axis < y->rank) return true;
    return cak_fail(g, "axis %lld does not exist in a tensor of rank %d", (long long)c->axis, y->rank);
}

static bool slice_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cut *c = s->attr;
    if (!cut_axis(g, s, c, y)) return false;
    int64_t n = y->dim[c->axis];
    if (c->a < 0 || c->b < 1 || c->a > n - c->b)
        return cak_fail(g, "slice %lld..%lld is outside axis %lld of extent %lld", (long long)c->a, (long long)(c->a + c->b),
                        (long long)c->axis, (long long)n);
    y->dim[c->axis] = c->b;
    return true;
}

static bool pad_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cut *c = s->attr;
    if (!cut_axis(g, s, c, y)) return false;
    y->dim[c->axis] += c->a + c->b;
    return true;
}

/* Copy runs of `inner` contiguous elements: y row i comes from x row i + shift, or is zero where that does not exist. */
static void move_rows(const cak_work *w, int64_t axis, int64_t shift)
{
    const cak_shape *x = &w->in[0].shape, *y = &w->y.shape;
    int64_t inner = 1, outer = 1, nx = x->dim[axis], ny = y->dim[axis];
    for (int i = 0; i < axis; i++) outer *= y->dim[i];
    for (int i = (int)axis + 1; i < y->rank; i++) inner *= y->dim[i];
    CAK_PARALLEL_FOR (o, outer, outer * ny * inner) {
        for (int64_t i = 0; i < ny; i++) {
            real *to = w->y.data + (o * ny + i) * inner;
            int64_t from = i + shift;
            if (from < 0 || from >= nx) memset(to, 0, (size_t)inner * sizeof *to);
            else memcpy(to, w->in[0].data + (o * nx + from) * inner, (size_t)inner * sizeof *to);
        }
    }
}

static void slice_run(const cak_work *w) { move_rows(w, ((const cut *)w->attr)->axis, ((const cut *)w->attr)->a); }
static void pad_run(const cak_work *w) { move_rows(w, ((const cut *)w->attr)->axis, -((const cut *)w->attr)->a); }

static void slice_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    const cut *c = s->attr;
    gin[0] = cak_pad(g, gy, (int)c->axis, c->a, s->in_shape[0].dim[c->axis] - c->a - c->b);
}

static void pad_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    const cut *c = s->attr;
    gin[0] = cak_slice(g, gy, (int)c->axis, c->a, s->in_shape[0].dim[c->axis]);
}

static cak_rows cut_rows(const cak_site *s, const cak_rows *in)
{
    return in[0] == CAK_ROWS_SAMPLE && ((const cut *)s->attr)->axis == 0 ? CAK_ROWS_MIXED : in[0];
}

static const cak_attr slice_attrs[] = {
    { .name = "axis",
      .doc = "axis to cut",
      .kind = CAK_INT,
      .offset = offsetof(cut, axis),
      .required = true,
      .max = CAK_MAX_DIM - 1 },
    { .name = "from", .doc = "first row taken", .kind = CAK_INT, .offset = offsetof(cut, a), .max = 1e15 },
    { .name = "count",
      .doc = "rows taken",
      .kind = CAK_INT,
      .offset = offsetof(cut, b),
      .required = true,
      .min = 1,
      .max = 1e15 },
    { .kind = CAK_END },
};
static const cak_attr pad_attrs[] = {
    { .name = "axis",
      .doc = "axis to lengthen",
      .kind = CAK_INT,
      .offset = offsetof(cut, axis),
      .required = true,
      .max = CAK_MAX_DIM - 1 },
    { .name = "before", .doc = "zeros in front", .kind = CAK_INT, .offset = offsetof(cut, a), .max = 1e9 },
    { .name = "after", .doc = "zeros behind", .kind = CAK_INT, .offset = offsetof(cut, b), .max = 1e9 },
    { .kind = CAK_END },
};
CAK_NODE(slice) = {
    .name = "slice",
    .doc = "part of an axis; torch.narrow",
    .formula = "y[i] = x[from + i], i < count",
    .in = x_in,
    .out = one_out,
    .attr = slice_attrs,
    .attr_size = sizeof(cut),
    .shape = slice_shape,
    .run = slice_run,
    .rows = cut_rows,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = slice_grad,
};
CAK_NODE(pad) = {
    .name = "pad",
    .doc = "zeros in front of and behind an axis; torch.nn.functional.pad",
    .formula = "y = [0 ... 0, x, 0 ... 0]",
    .in = x_in,
    .out = one_out,
    .attr = pad_attrs,
    .attr_size = sizeof(cut),
    .shape = pad_shape,
    .run = pad_run,
    .rows = cut_rows,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = pad_grad,
};
