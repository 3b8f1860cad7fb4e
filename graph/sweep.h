/* A sweep visits every element of a shape once: in rows, a row in chunks (one thread each), a chunk in blocks that stay in the
** first-level cache. Operands that broadcast to the shape are read in place where they can be, or laid out for one block. */
#ifndef CAK_SWEEP_H
#define CAK_SWEEP_H

#include "graph/node.h"
#include "graph/sum.h"

enum {
    CAK_SWEEP_BLOCK = 2048 / sizeof(real), /* elements; a multiple of CAK_SUM_LANES that divides CAK_SUM_CHUNK */
    CAK_SWEEP_PERIOD = 64                  /* longest period that is laid out for a block */
};

typedef void cak_map(const void *attr, const real *const *in, const int *step, real *y, int64_t n); /* see cak_node.map */

typedef struct cak_sweep {
    cak_shape shape;
    int cut; /* first axis of a row */
    int64_t rows, row, chunks;
} cak_sweep;

typedef enum cak_operand_kind {                       /* how a row of the sweep reads it */
                                CAK_OPERAND_DENSE,    /* element by element */
                                CAK_OPERAND_CONSTANT, /* one element */
                                CAK_OPERAND_PERIODIC, /* the same few elements again and again: the channels of a blocked tensor */
                                CAK_OPERAND_SCATTERED /* in any other way */
} cak_operand_kind;

typedef struct cak_operand {
    cak_operand_kind kind;
    int64_t stride[CAK_MAX_DIM]; /* by axis of the sweep */
    int64_t period;              /* PERIODIC */
} cak_operand;

cak_sweep cak_sweep_of(const cak_shape *shape, int cut);
/* The longest rows that no operand reads in a scattered way, or else those of cak_row_axis(). */
int cak_sweep_cut(const cak_shape *shape, const cak_shape *operand, int n);

cak_operand cak_operand_of(const cak_shape *x, const cak_shape *shape, int cut);
int64_t cak_operand_offset(const cak_operand *o, const cak_sweep *s, int64_t row); /* of the row's first element */
/* to[i] = what element from + i of a row reads; x points at the row's first element. */
void cak_operand_lay(const cak_operand *o, const cak_sweep *s, const real *x, int64_t from, int64_t n, real *to);
/* What is laid out for the first block of a chunk is good for all of them. */
static inline bool cak_operand_stays(const cak_operand *o)
{
    return o->kind == CAK_OPERAND_PERIODIC && CAK_SWEEP_BLOCK % o->period == 0;
}

/* .run of an element-wise node. */
void cak_map_run(const cak_work *w, cak_map *map);

#endif
