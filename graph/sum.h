/* Sums over axes in one fixed order, whoever computes them: reduce_sum alone, or a unit of fused values block by block.
**
** The axes of a row (`cak_row_axis` and after) are summed first, neighbouring axes as one group; then the axes before them, axis 0 last
** and alone, so that samples are folded in order. A row is cut into chunks; element i of a row belongs to lane i % CAK_SUM_LANES. The
** lanes of a chunk are added up in the order of the elements, the chunks of a row in order, then, unless they are channels of a blocked
** tensor and stay apart, the lanes in order. All sums are double until the end. */
#ifndef CAK_SUM_H
#define CAK_SUM_H

#include "graph/node.h"
#include "graph/par.h"

enum {
    CAK_SUM_LANES = 16,    /* the channels of a block of a blocked tensor [B, C/16, H, W, 16] */
    CAK_SUM_CHUNK = 16384, /* elements that one thread takes at a time; a multiple of the lanes */
    CAK_SUM_ROW = 64       /* shorter rows are not worth a pass of their own */
};

/* [outer, n, inner] -> [outer, inner] */
typedef struct cak_sum_group {
    int64_t outer, n, inner;
} cak_sum_group;

typedef struct cak_sum_plan {
    cak_sum_group group[CAK_MAX_DIM]; /* in the order in which they are summed */
    int n;
} cak_sum_plan;

int cak_row_axis(
    const cak_shape *s); /* first axis of a row: images are rows of each channel, everything else one row per sample */
cak_sum_plan cak_sum_plan_of(const cak_shape *x, const cak_ints *axes);

/* The first group is a sum of whole rows by lanes. */
static inline bool cak_sum_by_lanes(const cak_sum_plan *p)
{
    return p->n > 0 && (p->group[0].inner == 1 || p->group[0].inner == CAK_SUM_LANES);
}
/* ... and its rows are the rows of x, as they are for every other such sum over x. */
bool cak_sum_fits(const cak_shape *x, const cak_ints *axes);

static inline int64_t cak_sum_chunks(int64_t row) { return (row + CAK_SUM_CHUNK - 1) / CAK_SUM_CHUNK; }

/* lane[i % CAK_SUM_LANES] += x[i] */
void cak_sum_lanes(const real *x, int64_t n, double *lane);

/* Lanes of all chunks -> sums of rows. Chunk c of row r lies at lanes + (r * chunks + c) * stride; `apart` lanes are not added up. */
void cak_sum_rows(const double *lanes, int64_t stride, int64_t rows, int64_t chunks, bool apart, double *y);

/* All groups after the first. `now` holds what the first left; y receives the result. Both buffers have cak_sum_room() doubles. */
int64_t cak_sum_room(const cak_sum_plan *p);
void cak_sum_finish(const cak_sum_plan *p, double *now, double *next, real *y);

/* [outer, n, inner] -> [outer, inner] in the order of n, from x or, when that is NULL, from xd. */
void cak_sum_columns(const cak_sum_group *gr, const real *x, const double *xd, double *y);

#endif
