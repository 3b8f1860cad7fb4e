/* The cache of FFTW plans. */
#include "nodes/kernels/fft.h"

#include <fftw3.h>
#include <pthread.h>

#include "graph/arena.h"
#include "graph/diag.h"

struct cak_fft {
    int n;
    fftw_plan forward, backward;
    cak_fft *next;
};

static cak_fft *plans;                                       /* kept for the life of the process */
static pthread_mutex_t planning = PTHREAD_MUTEX_INITIALIZER; /* FFTW's planner is not reentrant; its transforms are */

/* FFTW_ESTIMATE does not measure, so the plan, and with it the bits of a result, is the same every time. */
static cak_fft *make_plan(int n)
{
    size_t bytes = (size_t)(2 * (n / 2 + 1) + 8) * sizeof(double);
    double *x = cak_slab_alloc(bytes, "FFT plan"), *y = cak_slab_alloc(bytes, "FFT plan");
    cak_fft *f = cak_heap_alloc(sizeof *f, "FFT plan");
    f->n = n;
    f->forward = fftw_plan_dft_r2c_1d(n, x, (fftw_complex *)y, FFTW_ESTIMATE);
    f->backward = fftw_plan_dft_c2r_1d(n, (fftw_complex *)y, x, FFTW_ESTIMATE);
    CAK_CHECK(f->forward && f->backward);
    cak_slab_free(x, bytes);
    cak_slab_free(y, bytes);
    return f;
}

const cak_fft *cak_fft_get(int n)
{
    pthread_mutex_lock(&planning);
    cak_fft *f = plans;
    while (f && f->n != n) f = f->next;
    if (!f) {
        f = make_plan(n);
        f->next = plans;
        plans = f;
    }
    pthread_mutex_unlock(&planning);
    return f;
}

void cak_fft_forward(const cak_fft *f, double *x, double *y) { fftw_execute_dft_r2c(f->forward, x, (fftw_complex *)y); }
void cak_fft_backward(const cak_fft *f, double *y, double *x) { fftw_execute_dft_c2r(f->backward, (fftw_complex *)y, x); }
