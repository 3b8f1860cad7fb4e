/* What the convolution kernels share: the geometry of one axis and the runs of outputs in a row. */
#ifndef NODES_KERNELS_CONV_TAPS_H
#define NODES_KERNELS_CONV_TAPS_H

#include "nodes/kernels/conv.h"

/* One axis of a loop over taps: tap t is element k_first + t * k_every of the kernel and reads, for output i of n, position
** step * i + at + t * at_every of the tensor read, if that is in [0, in). */
typedef struct cak_taps {
    int64_t in, out; /* extents of the tensors read and written */
    int64_t n;       /* outputs of the loop */
    int64_t taps, k_first, k_every;
    int64_t step, at, at_every;
} cak_taps;

typedef struct cak_run { /* outputs next to each other in one row */
    int64_t sample, row, column, n;
    int64_t at; /* index of the first one among the columns of the strip */
} cak_run;

/* Cut `n` outputs of a [rows, width] grid per sample, from output `from` on, at the ends of rows and, where nr > 0, of panels. */
int cak_runs(int64_t from, int64_t n, int64_t rows, int64_t width, int64_t nr, cak_run *run);

/* The taps of conv2d: every output is in the loop. */
cak_taps cak_forward_taps(const cak_conv_attr *a, int64_t in, int64_t kernel, int64_t out);

/* The taps that reach outputs first + stride * i of conv2d_dx: those k with k * dilation = first + pad (mod stride). */
cak_taps cak_phase_taps(const cak_conv_attr *a, int64_t in, int64_t kernel, int64_t out, int64_t first);

/* to[s * i + j] = from[j * apart + i] for i < n, j < s, but at most `room` values. */
void cak_weave(real *restrict to, const real *restrict from, int64_t apart, int64_t n, int64_t s, int64_t room);

/* conv2d_dx with many input channels (conv_dx.c has the choice): all phases of a strip, one after the other. */
size_t cak_conv_phases_scratch(const cak_conv_attr *a, const cak_shape *w);
void cak_conv_phases(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                     const real *w, real *gx, void *scratch);

#endif
