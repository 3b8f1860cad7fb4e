/* Convolutions of stride 1 between few channels, on tiles of padded rows. */
#ifndef NODES_KERNELS_CONV_SMALL_H
#define NODES_KERNELS_CONV_SMALL_H

#include <stdbool.h>

#include "nodes/kernels/conv.h"

/* A tile of the tensor written is computed from rows of the tensor read, padded with zeros: no tap of it needs a look at the edges. Lanes
** are columns next to each other. */
enum {
    CAK_SMALL_CHANNELS = 4, /* most channels on either side */
    CAK_SMALL_ROWS = 4,     /* most rows that chains share what they read with */
    CAK_SMALL_SIDE = 3,     /* most rows and columns of taps of dot products at a time */
    CAK_SMALL_LANES = 16    /* partial sums of a dot product, whatever the width of a vector */
};

typedef struct cak_small_rows { /* n reals of each row, and zeros for the first `left` and the last ones of the row they go to */
    int64_t rows, n, left;
    real *to;
    int64_t to_row;
    const real *from;
    int64_t from_row;
} cak_small_rows;

/* y[i * y_row + j] = sum over c, k, l of w[c][k][l] * x[c * plane + i * x_row + k * k_step + j + l * l_step], j < n, for the rows i of the
** kernel: one chain of multiply-adds in the order of (c, k, l). It may read, to no effect, up to CAK_SMALL_LANES further elements of x. */
typedef struct cak_small_chain {
    int64_t n, channels, kh, kw;
    const real *x, *w;
    int64_t plane, x_row, k_step, l_step;
    real *y;
    int64_t y_row;
} cak_small_chain;

/* sum[k][l][j mod CAK_SMALL_LANES] = sum over rows i and columns j < n of g[i * g_row + j] * x[(i + k) * x_row + j + l * l_step], for the
** k and l of the kernel: a chain of multiply-adds down the rows of each column. n is a multiple of CAK_SMALL_LANES. */
typedef struct cak_small_dots {
    int64_t n, rows;
    const real *x, *g;
    int64_t x_row, l_step, g_row;
    real *sum;
} cak_small_dots;

typedef void cak_small_chain_tile(const cak_small_chain *c);
typedef void cak_small_dots_tile(const cak_small_dots *d);

typedef struct cak_small_isa {                                 /* the kernels of one instruction set */
    void (*pad)(const cak_small_rows *r);                      /* it writes up to CAK_SMALL_LANES reals behind the last row */
    cak_small_chain_tile *const *chain;                        /* [rows - 1] */
    cak_small_dots_tile *dots[CAK_SMALL_SIDE][CAK_SMALL_SIDE]; /* [height - 1][width - 1] */
} cak_small_isa;

const cak_small_isa *cak_small_isa_get(void);

typedef struct cak_small {        /* how a convolution of stride 1 is cut; it depends on the shapes alone */
    int64_t batch, in, out, taps; /* channels read and written; taps of an output: in * kh * kw */
    int64_t kh, kw, dilation;     /* of the kernel */
    int64_t top, left;            /* padding before the first row and column; negative: these are never read */
    int64_t height, width, h, w;  /* read; written */
    int64_t rows, columns;        /* written by a tile */
    int64_t bands, segments;      /* tiles that cover the rows and columns */
    int64_t pitch, plane;         /* reals of a padded row and of a channel of a tile */
} cak_small;

typedef struct cak_small_tile { /* place in the tensor written */
    int64_t sample, row, rows, column, columns;
} cak_small_tile;

cak_small cak_small_plan(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys);
cak_small_tile cak_small_tile_at(const cak_small *s, int64_t sample, int64_t band, int64_t segment);
void cak_small_fill(const cak_small *s, const cak_small_tile *t, const real *x, real *to); /* the tile of x */
int64_t cak_small_tile_reals(int64_t channels); /* of a thread; enough for any padding and dilation */
int64_t cak_small_room(int64_t bytes);          /* rounded up, so that what follows is aligned */

/* Whether conv2d and its adjoints come here: few channels, and a kernel that is not much larger than the image. */
bool cak_small_channels(const cak_shape *w);
bool cak_small_takes(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys);

size_t cak_small_scratch(const cak_shape *w); /* of conv2d and of conv2d_dx */
void cak_small_forward(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                       const real *w, real *y, void *scratch);
void cak_small_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                  const real *w, real *gx, void *scratch);
size_t cak_small_dw_scratch(const cak_shape *w, const cak_shape *y);
void cak_small_dw(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                  const real *gy, real *gw, void *scratch);

#endif
