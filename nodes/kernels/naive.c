/* Convolutions straight from the formula; one output after the other, nothing is packed, skipped or reordered. */
#include "nodes/kernels/naive.h"

#include "graph/par.h"

static bool reference;

void cak_reference_set(bool on) { reference = on; }
bool cak_reference(void) { return reference; }

typedef struct place { /* element [d0, d1, d2, d3] of a tensor */
    int64_t d0, d1, d2, d3;
} place;

static place place_of(const cak_shape *s, int64_t i)
{
    int64_t d3 = i % s->dim[3], d2 = i / s->dim[3] % s->dim[2], d1 = i / (s->dim[3] * s->dim[2]) % s->dim[1];
    return (place){ i / (s->dim[3] * s->dim[2] * s->dim[1]), d1, d2, d3 };
}

/* The element; 0 outside of the rows and columns, which is what padding means. */
static double at(const cak_shape *s, const real *x, int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    bool inside = d2 >= 0 && d2 < s->dim[2] && d3 >= 0 && d3 < s->dim[3];
    return inside ? (double)x[((d0 * s->dim[1] + d1) * s->dim[2] + d2) * s->dim[3] + d3] : 0;
}

/* y[b,o,i,j] = sum over c,k,l of x[b,c, stride i + dilation k - pad, stride j + dilation l - pad] w[o,c,k,l] */
void cak_naive_forward(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                       const real *w, real *y)
{
    int64_t n = cak_shape_size(ys);
    CAK_PARALLEL_FOR (index, n, n * (ws->dim[1] * ws->dim[2] * ws->dim[3])) {
        place p = place_of(ys, index);
        double sum = 0;
        for (int64_t c = 0; c < ws->dim[1]; c++)
            for (int64_t k = 0; k < ws->dim[2]; k++)
                for (int64_t l = 0; l < ws->dim[3]; l++)
                    sum += at(xs, x, p.d0, c, a->stride * p.d2 + a->dilation * k - a->pad,
                              a->stride * p.d3 + a->dilation * l - a->pad) *
                           at(ws, w, p.d1, c, k, l);
        y[index] = (real)sum;
    }
}

/* The output that position i of the input reaches through tap k; -1: none, where the step falls between two outputs. */
static int64_t reached(const cak_conv_attr *a, int64_t i, int64_t k)
{
    int64_t from = i + a->pad - a->dilation * k;
    return from % a->stride ? -1 : from / a->stride;
}

/* gx[b,c,i,j] = sum over o,k,l of gy[b,o,p,q] w[o,c,k,l] where stride p + dilation k - pad = i and stride q + dilation l - pad = j */
void cak_naive_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                  const real *w, real *gx)
{
    int64_t n = cak_shape_size(xs);
    CAK_PARALLEL_FOR (index, n, n * (ws->dim[0] * ws->dim[2] * ws->dim[3])) {
        place p = place_of(xs, index);
        double sum = 0;
        for (int64_t o = 0; o < ws->dim[0]; o++)
            for (int64_t k = 0; k < ws->dim[2]; k++)
                for (int64_t l = 0; l < ws->dim[3]; l++)
                    sum += at(ys, gy, p.d0, o, reached(a, p.d2, k), reached(a, p.d3, l)) * at(ws, w, o, p.d1, k, l);
        gx[index] = (real)sum;
    }
}

/* gw[o,c,k,l] = sum over b,i,j of x[b,c, stride i + dilation k - pad, stride j + dilation l - pad] gy[b,o,i,j] */
void cak_naive_dw(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                  const real *gy, real *gw)
{
    int64_t n = cak_shape_size(ws);
    CAK_PARALLEL_FOR (index, n, n * (ys->dim[0] * ys->dim[2] * ys->dim[3])) {
        place p = place_of(ws, index);
        double sum = 0;
        for (int64_t b = 0; b < ys->dim[0]; b++)
            for (int64_t i = 0; i < ys->dim[2]; i++)
                for (int64_t j = 0; j < ys->dim[3]; j++)
                    sum += at(xs, x, b, p.d1, a->stride * i + a->dilation * p.d2 - a->pad,
                              a->stride * j + a->dilation * p.d3 - a->pad) *
                           at(ys, gy, b, p.d0, i, j);
        gw[index] = (real)sum;
    }
}
