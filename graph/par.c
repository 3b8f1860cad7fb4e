/* Threads and the fixed-order sum of a block. */
#include "graph/par.h"

#ifdef _OPENMP
#include <omp.h>

int cak_threads(void) { return omp_get_active_level() >= omp_get_max_active_levels() ? 1 : omp_get_max_threads(); }
int cak_thread(void) { return omp_get_thread_num(); }
void cak_threads_set(int n) { omp_set_num_threads(n); }
void cak_team_set(int n)
{
    omp_set_max_active_levels(n > 1 ? 2 : 1);
    omp_set_num_threads(n);
}
#else
int cak_threads(void) { return 1; }
int cak_thread(void) { return 0; }
void cak_threads_set(int n) { (void)n; }
void cak_team_set(int n) { (void)n; }
#endif

cak_watch_loop *cak_loop_watched;

double cak_sum_block(const real *x, int64_t n)
{
    double lane[8] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) lane[k] += (double)x[i + k];
    for (int k = 0; i + k < n; k++) lane[k] += (double)x[i + k];
    for (int k = 0; k < 8; k++) sum += lane[k];
    return sum;
}

#ifdef __SSE__
#include <xmmintrin.h>

void cak_flush_denormals(void) { _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ | DAZ */ }
#else
void cak_flush_denormals(void) {}
#endif
