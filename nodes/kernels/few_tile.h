/* Micro-kernels of the convolutions of few channels: registers hold rows times one or two vectors of lanes. */
#ifndef NODES_KERNELS_FEW_TILE_H
#define NODES_KERNELS_FEW_TILE_H

#include "nodes/kernels/few.h"
#include "nodes/kernels/gemm.h"

enum {
    CAK_FEW_LANES = 16, /* channels of a block */
    CAK_FEW_WIDE = 2,   /* most vectors of a tile */
    CAK_FEW_AHEAD = 48  /* pixels between those that are multiplied and those that are fetched from memory */
};

/* c[v][r * c_row] = sum over k of a[at[k] + r * a_row] * b[k * b_k + v * lanes]: one chain of multiply-adds in the order of k. Meanwhile
** a[ahead[k]], needed soon, comes near. */
typedef struct cak_few_product {
    int64_t k;
    const real *a;
    const int64_t *at, *ahead;
    int64_t a_row;
    const real *b;
    int64_t b_k;
    real *c[CAK_FEW_WIDE];
    int64_t c_row;
} cak_few_product;

/* c[r * c_row + v * lanes] = (add ? c : 0) + sum over k of a[at[r] + k * a_k] * b[v][k * CAK_FEW_LANES]: a chain from zero, then added. */
typedef struct cak_few_sum {
    int64_t k;
    const real *a;
    const int64_t *at;
    int64_t a_k;
    const real *b[CAK_FEW_WIDE];
    real *c;
    int64_t c_row;
    bool add;
} cak_few_sum;

typedef void cak_few_product_tile(const cak_few_product *p);
typedef void cak_few_sum_tile(const cak_few_sum *s);

typedef struct cak_few_isa { /* the kernels of one instruction set; [vectors - 1][rows - 1] */
    int lanes;               /* of a vector */
    int product_rows[CAK_FEW_WIDE], sum_rows;
    cak_few_product_tile *const *product[CAK_FEW_WIDE];
    cak_few_sum_tile *const *sum[CAK_FEW_WIDE];
} cak_few_isa;

const cak_few_isa *cak_few_isa_get(void);

/* Rows of a long product, split evenly into tiles. */
void cak_few_products(const cak_few_isa *isa, int vectors, int64_t rows, cak_few_product p);

/* The padded rows of a sample of x that a row of y reads; the rows that two neighbours share stay where they are. */
typedef struct cak_few_window {
    const cak_few *g;
    const real *x; /* of the sample */
    real *rows;    /* [c][span][pitch] */
    int64_t *at;   /* of each tap (c, kh, kw) in `rows` */
    int64_t next;  /* first row that is not there, counted from the first row of the padding */
} cak_few_window;

static inline int64_t cak_few_taps(const cak_few *g) { return g->c * g->kh * g->kw; }
static inline int64_t cak_few_images(int64_t o) { return o / CAK_FEW_LANES; }
int64_t cak_few_window_reals(const cak_few *g); /* room for `rows` and `at` */
cak_few_window cak_few_window_open(const cak_few *g, const real *x, real *room);
void cak_few_window_move(cak_few_window *w, int64_t row); /* to what row `row` of y reads */

#endif
