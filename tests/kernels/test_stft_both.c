/* stft against a plain Fourier sum, its adjoint by the inner product, the sum of squared windows; thread counts. */
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/par.h"
#include "nodes/prim/stft.h"
#include "tests/support/kernel_test.h"

extern const cak_node cak_node_stft, cak_node_stft_adjoint, cak_node_window_square_sum;

typedef struct problem {
    int64_t batch, n;
    cak_stft_attr a;
} problem;

enum { HANN, HAMMING, BOXCAR };
static const problem problems[] = {
    { 2, 200, { 16, 4, 0, HANN, 0, true, false, 0 } },    { 1, 37, { 16, 5, 0, HANN, 1, true, false, 0 } },
    { 2, 64, { 16, 16, 10, HAMMING, 0, true, true, 0 } }, { 1, 41, { 15, 4, 7, HANN, 1, true, true, 0 } },
    { 3, 50, { 20, 7, 0, HANN, 0, false, false, 0 } },    { 1, 9, { 16, 3, 0, BOXCAR, 1, true, false, 0 } },
    { 1, 5, { 1, 1, 0, BOXCAR, 0, true, false, 0 } },     { 1, 3, { 8, 4, 0, HANN, 0, true, true, 0 } },
    { 2, 900, { 8, 3, 0, HANN, 1, true, false, 0 } },     { 1, 700, { 64, 1, 0, HANN, 0, true, false, 0 } },
};
enum { PROBLEMS = sizeof problems / sizeof *problems };

static int64_t side(const problem *p) { return p->a.center ? p->a.n_fft / 2 : 0; }
static cak_shape spectrum(const problem *p)
{
    return CAK_SHAPE(p->batch, 2, p->a.n_fft / 2 + 1, (p->n + 2 * side(p) - p->a.n_fft) / p->a.hop + 1);
}

static double window(const problem *p, int64_t i)
{
    static const double c[][2] = { { 0.5, 0.5 }, { 0.54, 0.46 }, { 1, 0 } };
    int64_t win = p->a.win ? p->a.win : p->a.n_fft, k = i - (p->a.n_fft - win) / 2;
    return k < 0 || k >= win ? 0 : c[p->a.window][0] - c[p->a.window][1] * cos(2 * M_PI * (double)k / (double)win);
}

static double padded(const problem *p, const real *x, int64_t i)
{
    i -= side(p);
    if (i < 0) return p->a.pad_mode ? (double)x[-i] : 0;
    if (i >= p->n) return p->a.pad_mode ? (double)x[2 * p->n - 2 - i] : 0;
    return (double)x[i];
}

static double complex plain_bin(const problem *p, const real *x, int64_t t, int64_t f)
{
    double complex sum = 0;
    double n = (double)p->a.n_fft;
    for (int64_t i = 0; i < p->a.n_fft; i++)
        sum += window(p, i) * padded(p, x, t * p->a.hop + i) * cexp(CMPLX(0, -2 * M_PI * (double)(f * i % p->a.n_fft) / n));
    return p->a.weighted ? sum * (f == 0 || 2 * f == p->a.n_fft ? 1 : 2) / n : sum;
}

static cak_view transform(const problem *p, cak_view x)
{
    cak_view y = empty_view(spectrum(p));
    run_kernel(&cak_node_stft, &p->a, &x, 1, y);
    return y;
}

static cak_view adjoint(const problem *p, cak_view y)
{
    cak_stft_attr a = p->a;
    cak_view x = empty_view(CAK_SHAPE(p->batch, p->n));
    a.length = p->n;
    run_kernel(&cak_node_stft_adjoint, &a, &y, 1, x);
    return x;
}

START_TEST(test_against_plain_sum)
{
    for (int k = 0; k < PROBLEMS; k++) {
        const problem *p = &problems[k];
        cak_view x = random_view(CAK_SHAPE(p->batch, p->n), k), y = transform(p, x);
        int64_t f_count = y.shape.dim[2], t_count = y.shape.dim[3];
        double tol = sizeof(real) == 4 ? 1e-5 : 1e-13;
        for (int64_t b = 0; b < p->batch; b++)
            for (int64_t f = 0; f < f_count; f++)
                for (int64_t t = 0; t < t_count; t++) {
                    double complex want = plain_bin(p, x.data + b * p->n, t, f);
                    const real *re = y.data + (2 * b * f_count + f) * t_count + t, *im = re + f_count * t_count;
                    ck_assert_msg(cabs(CMPLX((double)*re, (double)*im) - want) <= tol, "problem %d, bin %d, frame %d", k, (int)f,
                                  (int)t);
                }
    }
    release_views();
}
END_TEST

START_TEST(test_adjoint)
{
    for (int k = 0; k < PROBLEMS; k++) {
        const problem *p = &problems[k];
        cak_view x = random_view(CAK_SHAPE(p->batch, p->n), k), g = random_view(spectrum(p), k + 100), y = transform(p, x);
        double a = inner_product(y, g), b = inner_product(x, adjoint(p, g));
        double scale = sqrt(inner_product(y, y) * inner_product(g, g));
        ck_assert_msg(fabs(a - b) <= (sizeof(real) == 4 ? 1e-6 : 1e-14) * scale, "problem %d: %.17g and %.17g", k, a, b);
    }
    release_views();
}
END_TEST

/* The imaginary part at the ends of the spectrum, which stft never produces, counts for nothing. */
START_TEST(test_adjoint_ignores_phase_of_ends)
{
    const problem *p = &problems[0];
    cak_view g = random_view(spectrum(p), 1), x = adjoint(p, g);
    int64_t f_count = g.shape.dim[2], t_count = g.shape.dim[3];
    for (int64_t t = 0; t < t_count; t++) g.data[f_count * t_count + t] = 5, g.data[(2 * f_count - 1) * t_count + t] = -7;
    ck_assert(same_bits(x, adjoint(p, g)));
    release_views();
}
END_TEST

START_TEST(test_window_square_sum)
{
    for (int k = 0; k < PROBLEMS; k++) {
        const problem *p = &problems[k];
        cak_stft_attr a = p->a;
        cak_view y = empty_view(CAK_SHAPE(p->n));
        a.length = p->n;
        run_kernel(&cak_node_window_square_sum, &a, NULL, 0, y);
        for (int64_t i = 0; i < p->n; i++) {
            double want = 0;
            for (int64_t t = 0; t < spectrum(p).dim[3]; t++) {
                int64_t at = i + side(p) - t * a.hop;
                if (at >= 0 && at < a.n_fft) want += window(p, at) * window(p, at);
            }
            ck_close(y.data[i], want > 1e-30 ? want : 1, sizeof(real) == 4 ? 1e-6 : 1e-13);
        }
    }
    release_views();
}
END_TEST

START_TEST(test_same_bits)
{
    static const problem p = { 3, 9000, { 256, 64, 0, HANN, 1, true, false, 0 } };
    int threads = cak_threads();
    cak_view x = random_view(CAK_SHAPE(p.batch, p.n), 1), y = transform(&p, x), back = adjoint(&p, y);
    for (int t = 1; t <= 3; t++) {
        cak_threads_set(t);
        ck_assert(same_bits(y, transform(&p, x)));
        ck_assert(same_bits(back, adjoint(&p, y)));
    }
    cak_threads_set(threads);
    problem one = p;
    one.batch = 1;
    cak_view first = { CAK_SHAPE(1, p.n), x.data + p.n }, alone = transform(&one, first);
    int64_t n = cak_shape_size(&alone.shape);
    ck_assert(!memcmp(alone.data, y.data + n, (size_t)n * sizeof(real)));
    release_views();
}
END_TEST

SUITE(stft, test_against_plain_sum, test_adjoint, test_adjoint_ignores_phase_of_ends, test_window_square_sum, test_same_bits)
