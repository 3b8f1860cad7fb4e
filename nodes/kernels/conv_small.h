/* Convolutions of stride 1 between few channels: tiles of padded rows, on which every tap is one shift. */
#ifndef NODES_KERNELS_CONV_SMALL_H
#define NODES_KERNELS_CONV_SMALL_H

#include <stdbool.h>

#include "nodes/kernels/conv.h"

/* A tile holds rows of the tensor read, padded with zeros, one after the other. The output at row i, column j of the tile is number
** i * pitch + j and reads, through tap (k, l), number i * pitch + j + (k * pitch + l) * dilation: the tile is one long row, lanes are
** neighbours in it, and the few outputs that lie between the rows are dropped. */
enum {
    CAK_SMALL_CHANNELS = 4, /* most channels on either side */
    CAK_SMALL_STEP = 64,    /* outputs that chains advance by */
    CAK_SMALL_LANES = 16    /* partial sums of a dot product, whatever the width of a vector */
};

/* y[i] = sum over t of w[t] * x[i + at[t]] for i < n, a multiple of CAK_SMALL_STEP: one chain of multiply-adds in the order of t. */
typedef struct cak_small_chain {
    int64_t n, taps;
    const int64_t *at;
    const real *x, *w;
    real *y;
} cak_small_chain;

/* sum[t * CAK_SMALL_LANES + l] = sum over i < n with i mod CAK_SMALL_LANES = l of g[i] * x[i + at[t]], a chain in the order of i; n is a
** multiple of CAK_SMALL_LANES. */
typedef struct cak_small_dots {
    int64_t n;
    const int64_t *at;
    const real *x, *g;
    real *sum;
} cak_small_dots;

typedef void cak_small_dots_tile(const cak_small_dots *d);

typedef struct cak_small_isa { /* the kernels of one instruction set */
    void (*chain)(const cak_small_chain *c);
    int taps;                         /* that `dots` can sum at a time: */
    cak_small_dots_tile *const *dots; /* [taps - 1] */
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
void cak_small_offsets(const cak_small *s, int64_t *at); /* of all taps of an output */
void cak_small_fill(const cak_small *s, const cak_small_tile *t, const real *x, real *to);
void cak_small_fill_row(real *to, int64_t n, const real *row, int64_t from,
                        int64_t end); /* row[from ..] before end; zeros elsewhere */

/* Sizes of what a thread needs. They depend neither on padding nor on dilation. */
int64_t cak_small_tile_reals(int64_t channels); /* read */
int64_t cak_small_flat_reals(void);             /* written, with what is dropped */
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
