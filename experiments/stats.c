/* Statistics of one sample, and how sure they are: the bootstrap. */
#include "experiments/stats.h"

#include <math.h>
#include <string.h>

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>

#include "graph/diag.h"
#include "graph/rng.h"

static bool usable(const double *x, int n)
{
    for (int i = 0; i < n; i++)
        if (isnan(x[i])) return false;
    return n > 0;
}

/* To be freed by the caller. */
static double *sorted_copy(const double *x, int n)
{
    double *s = cak_heap_alloc((size_t)n * sizeof *s, "a sorted sample");
    memcpy(s, x, (size_t)n * sizeof *s);
    gsl_sort(s, 1, (size_t)n);
    return s;
}

static double sum(const double *x, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++) s += x[i];
    return s;
}

double cak_sample_mean(const double *x, int n)
{
    if (!usable(x, n)) return NAN;
    double mean = gsl_stats_mean(x, 1, (size_t)n);
    return isfinite(mean) ? mean : sum(x, n); /* a running mean makes NaN of infinite values */
}

double cak_sample_sd(const double *x, int n)
{
    if (!usable(x, n) || n < 2) return NAN;
    return gsl_stats_sd(x, 1, (size_t)n);
}

double cak_sample_min(const double *x, int n)
{
    if (!usable(x, n)) return NAN;
    return gsl_stats_min(x, 1, (size_t)n);
}

double cak_sample_max(const double *x, int n)
{
    if (!usable(x, n)) return NAN;
    return gsl_stats_max(x, 1, (size_t)n);
}

static double sorted_quantile(const double *s, int n, double q)
{
    double h = (n - 1) * q;
    int i = (int)h;
    double part = h - i;
    if (part == 0 || s[i] == s[i + 1]) return s[i]; /* 0 times infinite is not 0 */
    return (1 - part) * s[i] + part * s[i + 1];
}

double cak_sample_quantile(const double *x, int n, double q)
{
    CAK_CHECK(q >= 0 && q <= 1);
    if (!usable(x, n)) return NAN;
    double *s = sorted_copy(x, n);
    double v = sorted_quantile(s, n, q);
    cak_heap_free(s);
    return v;
}

double cak_sample_median(const double *x, int n) { return cak_sample_quantile(x, n, 0.5); }

double cak_sample_iqm(const double *x, int n)
{
    if (!usable(x, n)) return NAN;
    double *s = sorted_copy(x, n);
    double mean = cak_sample_mean(s + n / 4, n - n / 4 * 2);
    cak_heap_free(s);
    return mean;
}

/* ---- bootstrap ---- */

static void resample(const double *x, const int *size, int strata, uint64_t stream, int round, double *out)
{
    uint64_t i = 0;
    for (int k = 0; k < strata; k++) {
        const double *stratum = x + i;
        for (int j = 0; j < size[k]; j++, i++) out[i] = stratum[cak_rng_below(0, stream, (uint64_t)round, i, (uint64_t)size[k])];
    }
}

cak_interval cak_bootstrap_strata(cak_statistic *f, const double *x, const int *size, int strata, int resamples, double level)
{
    CAK_CHECK(resamples > 0 && level > 0 && level < 1);
    int n = 0;
    for (int k = 0; k < strata; k++) n += size[k];
    if (!usable(x, n)) return (cak_interval){ NAN, NAN };

    double *draw = cak_heap_alloc((size_t)n * sizeof *draw, "a resample");
    double *value = cak_heap_alloc((size_t)resamples * sizeof *value, "the statistics of resamples");
    uint64_t stream = cak_rng_stream("stats/bootstrap");
    for (int r = 0; r < resamples; r++) {
        resample(x, size, strata, stream, r, draw);
        value[r] = f(draw, n);
    }
    cak_interval ends = { NAN, NAN };
    if (usable(value, resamples)) {
        gsl_sort(value, 1, (size_t)resamples);
        ends.low = sorted_quantile(value, resamples, (1 - level) / 2);
        ends.high = sorted_quantile(value, resamples, (1 + level) / 2);
    }
    cak_heap_free(value);
    cak_heap_free(draw);
    return ends;
}

cak_interval cak_bootstrap(cak_statistic *f, const double *x, int n, int resamples, double level)
{
    return cak_bootstrap_strata(f, x, &n, 1, resamples, level);
}
