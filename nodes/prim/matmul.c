/* Matrix product with optional transposition, closed under differentiation. */
#include "graph/graph.h"
#include "graph/ops.h"
#include "nodes/kernels/gemm.h"

typedef struct matmul_attr {
    bool tx, ty;
} matmul_attr;

extern const cak_node cak_node_matmul;

cak_ref cak_matmul(cak_graph *g, cak_ref x, cak_ref y, bool tx, bool ty)
{
    matmul_attr a = { tx, ty };
    return cak_append(g, &cak_node_matmul, &a, (const cak_ref[]){ x, y }, 2);
}

static bool matmul_shape(cak_graph *g, const cak_site *s, cak_shape *z)
{
    const matmul_attr *a = s->attr;
    const cak_shape *x = &s->in_shape[0], *y = &s->in_shape[1];
    char p[CAK_SHAPE_TEXT], q[CAK_SHAPE_TEXT];
    if (x->rank != 2 || y->rank != 2)
        return cak_fail(g, "matmul needs two matrices, got %s and %s", cak_shape_text(x, p), cak_shape_text(y, q));
    if (x->dim[!a->tx] != y->dim[a->ty])
        return cak_fail(g, "matrices %s%s and %s%s do not fit", cak_shape_text(x, p), a->tx ? "^T" : "", cak_shape_text(y, q),
                        a->ty ? "^T" : "");
    *z = CAK_SHAPE(x->dim[a->tx], y->dim[!a->ty]);
    return true;
}

static size_t matmul_scratch(const cak_site *s)
{
    const matmul_attr *a = s->attr;
    return cak_gemm_scratch(s->y_shape.dim[0], s->y_shape.dim[1], s->in_shape[0].dim[!a->tx]);
}

static double matmul_flops(const cak_site *s)
{
    const matmul_attr *a = s->attr;
    return 2 * (double)cak_shape_size(&s->y_shape) * (double)s->in_shape[0].dim[!a->tx];
}

static cak_matrix view(const cak_view *v, bool transposed)
{
    int64_t n = v->shape.dim[1];
    return transposed ? (cak_matrix){ v->data, 1, n } : (cak_matrix){ v->data, n, 1 };
}

static void matmul_run(const cak_work *w)
{
    const matmul_attr *a = w->attr;
    cak_gemm(w->y.shape.dim[0], w->y.shape.dim[1], w->in[0].shape.dim[!a->tx], view(&w->in[0], a->tx), view(&w->in[1], a->ty),
             w->y.data, w->scratch);
}

/* z = op(x) op(y): the gradient of op(x) is gz op(y)^T, that of op(y) is op(x)^T gz; transposed where op transposes. */
static void matmul_grad(cak_graph *g, const cak_site *s, cak_ref gz, cak_ref *gin)
{
    const matmul_attr *a = s->attr;
    cak_ref x = s->in[0], y = s->in[1];
    gin[0] = a->tx ? cak_matmul(g, y, gz, a->ty, true) : cak_matmul(g, gz, y, false, !a->ty);
    gin[1] = a->ty ? cak_matmul(g, gz, x, true, a->tx) : cak_matmul(g, x, gz, !a->tx, false);
}

/* Samples are the rows of x, or what is summed over (a fold), or they meet. */
static cak_rows matmul_rows(const cak_site *s, const cak_rows *in)
{
    const matmul_attr *a = s->attr;
    if (in[0] == CAK_ROWS_SHARED && in[1] == CAK_ROWS_SHARED) return CAK_ROWS_SHARED;
    if (in[0] == CAK_ROWS_SAMPLE && in[1] == CAK_ROWS_SHARED && !a->tx) return CAK_ROWS_SAMPLE;
    bool fold = in[0] == CAK_ROWS_SAMPLE && in[1] == CAK_ROWS_SAMPLE && a->tx && !a->ty;
    return fold ? CAK_ROWS_SHARED : CAK_ROWS_MIXED;
}

static const cak_port matmul_in[] = { { "x", "matrix [m,k], or [k,m] with tx", false },
                                      { "y", "matrix [k,n], or [n,k] with ty", false },
                                      { 0 } };
static const cak_port one_out[] = { { "z", "matrix [m,n]", false }, { 0 } };
static const cak_attr matmul_attrs[] = {
    { .name = "tx", .doc = "transpose x", .kind = CAK_BOOL, .offset = offsetof(matmul_attr, tx) },
    { .name = "ty", .doc = "transpose y", .kind = CAK_BOOL, .offset = offsetof(matmul_attr, ty) },
    { .kind = CAK_END },
};
CAK_NODE(matmul) = {
    .name = "matmul",
    .doc = "matrix product; torch.matmul",
    .formula = "z[i,j] = sum over k of x[i,k] y[k,j]",
    .in = matmul_in,
    .out = one_out,
    .attr = matmul_attrs,
    .attr_size = sizeof(matmul_attr),
    .shape = matmul_shape,
    .run = matmul_run,
    .scratch = matmul_scratch,
    .linear = CAK_LINEAR_EACH,
    .flops = matmul_flops,
    .diff = CAK_DIFF_RULE,
    .grad = matmul_grad,
    .rows = matmul_rows,
};
