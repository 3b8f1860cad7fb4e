/* Sweeps over the elements of a shape, and the kernel of a single element-wise value. */
#include "graph/sweep.h"

#include <string.h>

cak_sweep cak_sweep_of(const cak_shape *shape, int cut)
{
    cak_sweep s = { .shape = *shape, .cut = cut, .rows = 1, .row = 1 };
    for (int i = 0; i < cut; i++) s.rows *= shape->dim[i];
    for (int i = cut; i < shape->rank; i++) s.row *= shape->dim[i];
    s.chunks = cak_sum_chunks(s.row);
    return s;
}

static bool any_scattered(const cak_shape *shape, const cak_shape *operand, int n, int cut)
{
    for (int k = 0; k < n; k++)
        if (cak_operand_of(&operand[k], shape, cut).kind == CAK_OPERAND_SCATTERED) return true;
    return false;
}

int cak_sweep_cut(const cak_shape *shape, const cak_shape *operand, int n)
{
    int cut = 0;
    while (cut < cak_row_axis(shape) && any_scattered(shape, operand, n, cut)) cut++;
    return cut;
}

/* Axes with a stride that follow each other densely at the end of a row, before them axes without a stride. */
static void classify(cak_operand *o, const cak_shape *shape, int cut)
{
    int64_t dense = 1;
    int i = shape->rank - 1;
    for (; i >= cut && (shape->dim[i] == 1 || o->stride[i] == dense); i--) dense *= shape->dim[i];
    int first = i;
    while (i >= cut && (shape->dim[i] == 1 || o->stride[i] == 0)) i--;
    o->period = dense;
    if (first < cut) o->kind = CAK_OPERAND_DENSE;
    else if (i >= cut) o->kind = CAK_OPERAND_SCATTERED;
    else if (dense == 1) o->kind = CAK_OPERAND_CONSTANT;
    else o->kind = dense <= CAK_SWEEP_PERIOD ? CAK_OPERAND_PERIODIC : CAK_OPERAND_SCATTERED;
}

cak_operand cak_operand_of(const cak_shape *x, const cak_shape *shape, int cut)
{
    cak_operand o = { .kind = CAK_OPERAND_DENSE };
    int64_t step = 1;
    int lead = shape->rank - x->rank;
    for (int i = shape->rank - 1; i >= lead; i--) {
        o.stride[i] = x->dim[i - lead] == 1 ? 0 : step;
        step *= x->dim[i - lead];
    }
    classify(&o, shape, cut);
    return o;
}

int64_t cak_operand_offset(const cak_operand *o, const cak_sweep *s, int64_t row)
{
    int64_t offset = 0;
    for (int i = s->cut - 1; i >= 0; i--) {
        offset += row % s->shape.dim[i] * o->stride[i];
        row /= s->shape.dim[i];
    }
    return offset;
}

/* Run by run along the last axis that is longer than 1. */
static void lay_runs(const cak_operand *o, const cak_sweep *s, const real *x, int64_t from, int64_t n, real *to)
{
    const int64_t *dim = s->shape.dim;
    int64_t index[CAK_MAX_DIM] = { 0 }, m;
    int last = s->shape.rank - 1;
    while (last > s->cut && dim[last] == 1) last--;
    for (int i = last; i >= s->cut; i--) {
        index[i] = from % dim[i];
        from /= dim[i];
    }
    for (int64_t done = 0; done < n; done += m) {
        int64_t at = 0, step = o->stride[last];
        for (int i = s->cut; i <= last; i++) at += index[i] * o->stride[i];
        m = cak_min64(n - done, dim[last] - index[last]);
        for (int64_t j = 0; j < m; j++) to[done + j] = x[at + j * step];
        index[last] += m;
        for (int i = last; i > s->cut && index[i] == dim[i]; i--) index[i] = 0, index[i - 1]++;
    }
}

void cak_operand_lay(const cak_operand *o, const cak_sweep *s, const real *x, int64_t from, int64_t n, real *to)
{
    int64_t have = o->kind == CAK_OPERAND_PERIODIC ? cak_min64(o->period, n) : n;
    lay_runs(o, s, x, from, have, to);
    for (int64_t m; have < n; have += m) {
        m = cak_min64(have, n - have);
        memcpy(to + have, to, (size_t)m * sizeof *to);
    }
}

/* ---- a single element-wise value ---- */

static void map_chunk(const cak_work *w, cak_map *map, const cak_sweep *s, const cak_operand *o, int64_t item)
{
    real laid[CAK_MAX_IN][CAK_SWEEP_BLOCK];
    const real *row[CAK_MAX_IN], *in[CAK_MAX_IN];
    int step[CAK_MAX_IN];
    int64_t r = item / s->chunks, from = item % s->chunks * CAK_SUM_CHUNK, to = cak_min64(from + CAK_SUM_CHUNK, s->row);
    for (int k = 0; k < w->n_in; k++) {
        row[k] = w->in[k].data + cak_operand_offset(&o[k], s, r);
        step[k] = o[k].kind != CAK_OPERAND_CONSTANT;
    }
    for (int64_t at = from, n; at < to; at += n) {
        n = cak_min64(CAK_SWEEP_BLOCK, to - at);
        for (int k = 0; k < w->n_in; k++) {
            bool direct = o[k].kind == CAK_OPERAND_DENSE || o[k].kind == CAK_OPERAND_CONSTANT;
            in[k] = direct ? row[k] + at * step[k] : laid[k];
            if (!direct && (at == from || !cak_operand_stays(&o[k]))) cak_operand_lay(&o[k], s, row[k], at, n, laid[k]);
        }
        map(w->attr, in, step, w->y.data + r * s->row + at, n);
    }
}

void cak_map_run(const cak_work *w, cak_map *map)
{
    cak_shape shape[CAK_MAX_IN];
    cak_operand o[CAK_MAX_IN];
    for (int k = 0; k < w->n_in; k++) shape[k] = w->in[k].shape;
    cak_sweep s = cak_sweep_of(&w->y.shape, cak_sweep_cut(&w->y.shape, shape, w->n_in));
    for (int k = 0; k < w->n_in; k++) o[k] = cak_operand_of(&shape[k], &w->y.shape, s.cut);
    CAK_PARALLEL_FOR (item, s.rows * s.chunks, s.rows * s.row) map_chunk(w, map, &s, o, item);
}
