/* Sums over axes in one fixed order. */
#include "graph/sum.h"

#include <string.h>

#include "nodes/kernels/isa.h"

int cak_row_axis(const cak_shape *s) { return s->rank >= 4 ? 2 : s->rank >= 2 ? 1 : 0; }

static int64_t row_size(const cak_shape *s)
{
    int64_t n = 1;
    for (int i = cak_row_axis(s); i < s->rank; i++) n *= s->dim[i];
    return n;
}

cak_sum_plan cak_sum_plan_of(const cak_shape *x, const cak_ints *axes)
{
    cak_sum_plan p = { .n = 0 };
    bool reduced[CAK_MAX_DIM] = { false };
    int cut = row_size(x) >= CAK_SUM_ROW ? cak_row_axis(x) : 1;
    int64_t dim[CAK_MAX_DIM];
    memcpy(dim, x->dim, sizeof dim);
    for (int i = 0; i < axes->n; i++) reduced[axes->v[i]] = true;
    for (int i = x->rank - 1; i >= 0; i--) {
        if (!reduced[i] || dim[i] == 1) continue;
        int first = i;
        while (first > 1 && first != cut && reduced[first - 1]) first--;
        cak_sum_group gr = { 1, 1, 1 };
        for (int j = 0; j < first; j++) gr.outer *= dim[j];
        for (int j = first; j <= i; j++) gr.n *= dim[j];
        for (int j = i + 1; j < x->rank; j++) gr.inner *= dim[j];
        for (int j = first; j <= i; j++) dim[j] = 1;
        p.group[p.n++] = gr;
        i = first;
    }
    return p;
}

bool cak_sum_fits(const cak_shape *x, const cak_ints *axes)
{
    cak_sum_plan p = cak_sum_plan_of(x, axes);
    int64_t row = row_size(x);
    return row >= CAK_SUM_ROW && cak_sum_by_lanes(&p) && p.group[0].n * p.group[0].inner == row;
}

/* ---- lanes ---- */

CAK_INLINE void lanes_loop(const real *x, int64_t n, double *lane)
{
    double sum[CAK_SUM_LANES];
    int64_t i = 0;
    memcpy(sum, lane, sizeof sum);
    for (; i + CAK_SUM_LANES <= n; i += CAK_SUM_LANES)
        for (int k = 0; k < CAK_SUM_LANES; k++) sum[k] += (double)x[i + k];
    for (int k = 0; i + k < n; k++) sum[k] += (double)x[i + k];
    memcpy(lane, sum, sizeof sum);
}
CAK_EACH_ISA(lanes, (const real *x, int64_t n, double *lane), (x, n, lane))

void cak_sum_lanes(const real *x, int64_t n, double *lane) { lanes(x, n, lane); }

void cak_sum_rows(const double *lane, int64_t stride, int64_t rows, int64_t chunks, bool apart, double *y)
{
    for (int64_t r = 0; r < rows; r++) {
        double sum[CAK_SUM_LANES] = { 0 }, all = 0;
        for (int64_t c = 0; c < chunks; c++, lane += stride)
            for (int k = 0; k < CAK_SUM_LANES; k++) sum[k] += lane[k];
        for (int k = 0; k < CAK_SUM_LANES; k++) all += sum[k];
        if (apart) memcpy(y + r * CAK_SUM_LANES, sum, sizeof sum);
        else y[r] = all;
    }
}

/* ---- the groups after the first ---- */

int64_t cak_sum_room(const cak_sum_plan *p)
{
    int64_t most = 1;
    for (int i = 0; i < p->n; i++) most = cak_max64(most, p->group[i].outer * p->group[i].inner);
    return most;
}

enum { FOLD = 256 }; /* columns a thread owns */

static void sum_strip(const cak_sum_group *gr, const real *x, const double *xd, int64_t at, int64_t m, double *y)
{
    double sum[FOLD] = { 0 };
    for (int64_t i = 0; i < gr->n; i++, at += gr->inner) {
        if (x)
            for (int64_t j = 0; j < m; j++) sum[j] += (double)x[at + j];
        else
            for (int64_t j = 0; j < m; j++) sum[j] += xd[at + j];
    }
    memcpy(y, sum, (size_t)m * sizeof *y);
}

void cak_sum_columns(const cak_sum_group *gr, const real *x, const double *xd, double *y)
{
    int64_t strips = (gr->inner + FOLD - 1) / FOLD;
    CAK_PARALLEL_FOR (item, gr->outer * strips, gr->outer * gr->n * gr->inner) {
        int64_t o = item / strips, from = item % strips * FOLD;
        sum_strip(gr, x, xd, o * gr->n * gr->inner + from, cak_min64(FOLD, gr->inner - from), y + o * gr->inner + from);
    }
}

void cak_sum_finish(const cak_sum_plan *p, double *now, double *next, real *y)
{
    for (int i = 1; i < p->n; i++) {
        cak_sum_columns(&p->group[i], NULL, now, next);
        double *t = now;
        now = next;
        next = t;
    }
    const cak_sum_group one = { 1, 1, 1 }; /* one sample of [B] is a row that needs no group */
    const cak_sum_group *last = p->n ? &p->group[p->n - 1] : &one;
    for (int64_t i = 0; i < last->outer * last->inner; i++) y[i] = (real)now[i];
}
