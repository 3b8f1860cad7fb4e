/* Real Fourier transforms in double by FFTW: plans are made once per length and never depend on timing, so results repeat. */
#ifndef NODES_KERNELS_FFT_H
#define NODES_KERNELS_FFT_H

#include <stdint.h>

/* Both buffers must be aligned to 64 bytes: FFTW picks its code by alignment. n <= CAK_FFT_MAX. */
enum { CAK_FFT_MAX = 1 << 20 };
typedef struct cak_fft cak_fft;

const cak_fft *cak_fft_get(int n); /* plans on the first call for n; from any thread */
/* y[0 .. n/2] as pairs (re, im) = sum over i of x[i] exp(-2 pi j f i / n) */
void cak_fft_forward(const cak_fft *f, double *x, double *y);
/* x[i] = sum over all f of Y[f] exp(2 pi j f i / n), where Y[n - f] = conj(y[f]); destroys y */
void cak_fft_backward(const cak_fft *f, double *y, double *x);

#endif
