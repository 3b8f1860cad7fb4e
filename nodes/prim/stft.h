/* The short-time Fourier transform for C callers. */
#ifndef NODES_PRIM_STFT_H
#define NODES_PRIM_STFT_H

#include "graph/ops.h"

typedef struct cak_stft_attr {
    int64_t n_fft, hop, win; /* win 0: n_fft */
    int32_t window, pad_mode;
    bool center;
    bool weighted;  /* bin f times its weight in irfft */
    int64_t length; /* stft_adjoint, window_square_sum: samples of the result */
} cak_stft_attr;

extern const char *const cak_stft_windows[]; /* names of `window` */

cak_ref cak_stft(cak_graph *g, cak_ref x, const cak_stft_attr *a);
cak_ref cak_stft_adjoint(cak_graph *g, cak_ref y, const cak_stft_attr *a);
cak_ref cak_window_square_sum(cak_graph *g, const cak_stft_attr *a);

#endif
