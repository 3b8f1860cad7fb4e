/* A tape: element-wise instructions and sums that run over tile after tile; a tile is a few vectors in registers, the accumulator.
**
** Each instruction is a function that ends in a call of the next, so the vectors travel in the registers of the calling convention, and
** an operation costs one load from the first-level cache. Every instruction rounds once, like the loop of its node. */
#ifndef NODES_KERNELS_TAPE_H
#define NODES_KERNELS_TAPE_H

#include "nodes/kernels/gemm.h"

enum { CAK_TAPE_LANES = 16, CAK_TAPE_VECTORS = 8 };

typedef enum cak_tape_kind {                 /* how an instruction reads its operand */
                             CAK_TAPE_EACH,  /* element by element */
                             CAK_TAPE_SAME,  /* one element */
                             CAK_TAPE_AGAIN, /* the same CAK_TAPE_LANES elements again and again */
                             CAK_TAPE_KINDS
} cak_tape_kind;

typedef enum cak_tape_op { /* a: the accumulator, x: the operand; those that read x have one number for each kind */
                           CAK_TAPE_LOAD = 0,                              /* a = x */
                           CAK_TAPE_ADD = CAK_TAPE_LOAD + CAK_TAPE_KINDS,  /* a = a + x */
                           CAK_TAPE_SUB = CAK_TAPE_ADD + CAK_TAPE_KINDS,   /* a = a - x */
                           CAK_TAPE_FROM = CAK_TAPE_SUB + CAK_TAPE_KINDS,  /* a = x - a */
                           CAK_TAPE_MUL = CAK_TAPE_FROM + CAK_TAPE_KINDS,  /* a = a * x */
                           CAK_TAPE_STORE = CAK_TAPE_MUL + CAK_TAPE_KINDS, /* x = a */
                           CAK_TAPE_AHEAD,                                 /* x of a later tile comes into the cache */
                           CAK_TAPE_NEG,                                   /* a = -a */
                           CAK_TAPE_SQUARE,                                /* a = a * a */
                           CAK_TAPE_MASK,                                  /* a = a > 0 ? 1 : slope */
                           CAK_TAPE_LEAKY,                                 /* a = a * (a > 0 ? 1 : slope) */
                           CAK_TAPE_SUM,                                   /* lane[i % CAK_TAPE_LANES] += a[i] */
                           CAK_TAPE_END,
                           CAK_TAPE_OPS
} cak_tape_op;

typedef struct cak_tape_step {
    int op;
    int slot;     /* number of the operand, or of the sum */
    int64_t move; /* -1: the operand moves on from tile to tile; 0: it is the same for all tiles */
    real slope;
} cak_tape_step;

typedef struct cak_tape_data {
    real *const *x; /* by slot */
    double *lanes;  /* [sum][CAK_TAPE_LANES] */
} cak_tape_data;

/* Runs all whole tiles of n elements; returns how many elements those are. */
typedef int64_t cak_tape_run(const cak_tape_step *code, const cak_tape_data *t, int64_t n);
extern cak_tape_run cak_tape_generic, cak_tape_avx2, cak_tape_avx512;

#endif
