/* Matrix product on packed panels: the one inner loop of conv2d, its two adjoints and matmul.
**
** Packed A: row tiles of at most `mr` rows, each [k][rows of the tile]. Packed B: column panels [k][nr]. C is row-major. An output is
** one chain of multiply-adds over k in ascending order, whatever the tile, the panel, the blocking or the vector width: results depend
** neither on the cutting nor on the thread count, and are the same for every instruction set with a fused multiply-add. */
#ifndef NODES_KERNELS_GEMM_H
#define NODES_KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/par.h"

enum {
    CAK_GEMM_K = 192,    /* longest k of a panel: a panel of 32 floats then stays in the first-level cache */
    CAK_GEMM_N = 256,    /* most columns of a strip: packed B and C of a strip stay in the second-level cache */
    CAK_GEMM_STEP = 32,  /* strips are multiples of this; every panel width divides it */
    CAK_GEMM_ROW = 16,   /* positions of k that lie next to each other in a row of cak_gemm_rows */
    CAK_GEMM_AHEAD = 2,  /* places that cak_gemm_ahead prefetches for each block of its sum, */
    CAK_GEMM_LINES = 3,  /* and cache lines at each of them */
    CAK_GEMM_STRIPS = 64 /* strips are made smaller until there are about so many, to keep many threads busy */
};

/* c[m][nr] = (add ? c : 0) + sum over k of a[k][m] * b[k][nr] */
typedef void cak_gemm_tile(int64_t k, const real *a, const real *b, real *c, int64_t ldc, bool add);

/* Operands that were not packed for it. a is [k][m] and b [k][nr], with a step from one k to the next: */
typedef void cak_gemm_columns(int64_t k, const real *a, int64_t a_k, const real *b, int64_t b_k, real *c, int64_t ldc, bool add);

/* and a is [blocks][m][CAK_GEMM_ROW] with a step from block to block, its last axis k; b is [k][CAK_GEMM_STEP] and c
** [m][CAK_GEMM_STEP], of which nr columns are used. */
typedef void cak_gemm_rows(int64_t blocks, const real *a, int64_t a_block, const real *b, real *c, bool add);

/* The same from zero, while blocks * CAK_GEMM_AHEAD places come near that are needed soon. */
typedef void cak_gemm_ahead(int64_t blocks, const real *a, int64_t a_block, const real *b, real *c, const real *const *ahead);

enum { CAK_GENERIC, CAK_AVX2, CAK_AVX512, CAK_ISAS }; /* for tables of kernels by instruction set */

typedef struct
    cak_isa { /* the kernels of one instruction set; arrays begin with the kernel for one row and end with that for mr */
    const char *name;
    int index;
    int mr, nr;
    cak_gemm_tile *const *tile;
    cak_gemm_columns *const *tile_columns;
    cak_gemm_rows *const *tile_rows;
    cak_gemm_ahead *const *tile_ahead;
    void (*pick)(real *to, const real *from, int64_t n, int64_t every); /* to[i] = from[i * every] */
} cak_isa;

/* The best instruction set of this CPU, or the one the environment variable CAK_ISA names if the CPU has it. */
const cak_isa *cak_isa_get(void);
bool cak_isa_set(const char *name); /* "generic", "avx2", "avx512"; false when the CPU lacks it. Not while kernels run. */

/* Rows are split evenly into the fewest tiles. */
static inline int64_t cak_gemm_tiles(const cak_isa *isa, int64_t m) { return (m + isa->mr - 1) / isa->mr; }
static inline int64_t cak_gemm_tile_row(int64_t m, int64_t tiles, int64_t t) { return t * (m / tiles) + cak_min64(t, m % tiles); }
static inline int64_t cak_round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/* Columns of a strip when there are n in all. */
int64_t cak_gemm_strip(int64_t n);

/* All tiles of m rows times n columns (a multiple of nr); panels of b follow each other at k * nr. */
void cak_gemm_panels(const cak_isa *isa, int64_t m, int64_t n, int64_t k, const real *a, const real *b, real *c, int64_t ldc,
                     bool add);

typedef struct cak_matrix {
    const real *data;
    int64_t row, column; /* strides, in elements */
} cak_matrix;

/* Pack m rows of a, blocks of CAK_GEMM_K one after the other: block k0 begins at m * k0. */
void cak_gemm_pack(const cak_isa *isa, int64_t m, int64_t k, cak_matrix a, real *packed);

/* y[i, j] = sum over l of a[i, l] * b[l, j]. */
size_t cak_gemm_scratch(int64_t m, int64_t n, int64_t k);
void cak_gemm(int64_t m, int64_t n, int64_t k, cak_matrix a, cak_matrix b, real *y, void *scratch);

#endif
