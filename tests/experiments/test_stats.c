/* Statistics: published numbers, values derived by hand, enumeration of all cases, and the edges: nothing, one, all equal, all infinite. */
#include <string.h>

#include "tests/support/stats_test.h"

#define VALUES(...) (const double[]){ __VA_ARGS__ }, N(((const double[]){ __VA_ARGS__ }))

/* ---- one sample ---- */

START_TEST(moments)
{
    const double x[] = { 2, 4, 4, 4, 5, 5, 7, 9 }; /* squares of deviations from 5 add up to 32 */
    ck_assert(cak_sample_mean(x, 8) == 5);
    ck_close(cak_sample_sd(x, 8), sqrt(32.0 / 7), 1e-15);
    ck_assert(cak_sample_min(x, 8) == 2 && cak_sample_max(x, 8) == 9 && cak_sample_median(x, 8) == 4.5);
    ck_close(cak_sample_mean(VALUES(1e308, 1e308, 1e308)), 1e308, 1e-15);
    ck_close(cak_sample_sd(VALUES(1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16)), sqrt(30), 1e-12);
}
END_TEST

START_TEST(quantiles)
{
    const double ten[] = { 3, 1, 2, 10, 9, 8, 4, 5, 7, 6 };
    ck_assert(cak_sample_quantile(ten, 10, 0) == 1 && cak_sample_quantile(ten, 10, 1) == 10);
    ck_assert(cak_sample_quantile(ten, 10, 0.25) == 3.25); /* R: quantile(1:10) is 1, 3.25, 5.5, 7.75, 10 */
    ck_assert(cak_sample_quantile(ten, 10, 0.75) == 7.75 && cak_sample_median(ten, 10) == 5.5);
    ck_close(cak_sample_quantile(VALUES(0, 10), 0.3), 3, 1e-15);
    for (int i = 0; i <= 100; i++)
        ck_assert(cak_sample_quantile(VALUES(0.1, 0.1, 0.1), i / 100.0) == 0.1); /* not 0.1 but for rounding */

    ck_assert(cak_sample_median(VALUES(1, worst, 2)) == 2);
    ck_assert(cak_sample_median(VALUES(1, worst, 2, worst)) == worst);
    ck_assert(cak_sample_median(VALUES(worst, worst, worst, worst)) == worst);
    ck_assert(cak_sample_quantile(VALUES(1, 2, worst), 0.5) == 2); /* 0 of the infinite */
    ck_assert(cak_sample_quantile(VALUES(-worst, 2, 3), 0.25) == -worst);
    ck_nan(cak_sample_median(VALUES(-worst, worst)));
}
END_TEST

START_TEST(interquartile_mean)
{
    /* scipy.stats.trim_mean's own example and a row of its next one; the share is rounded down to whole values */
    ck_assert(cak_sample_iqm(VALUES(1, 2, 3, 5)) == 2.5);
    ck_assert(cak_sample_iqm(VALUES(50, 10, 30, 20)) == 25);
    ck_close(cak_sample_iqm(VALUES(1, 2, 6)), 3, 1e-15);
    ck_close(cak_sample_iqm(VALUES(100, 1, 2, 6, -9, 3, 5)), (1 + 2 + 3 + 5 + 6) / 5.0, 1e-15);
    ck_close(cak_sample_iqm(VALUES(8, 7, 6, 5, 4, 3, 2, 1)), 4.5, 1e-15);
    ck_assert(cak_sample_iqm(VALUES(1, worst, 3, 2)) == 2.5); /* one of four is cut */
    ck_assert(cak_sample_iqm(VALUES(1, worst, 3, worst)) == worst);
}
END_TEST

START_TEST(edges_of_samples)
{
    cak_statistic *const all[] = { cak_sample_mean, cak_sample_min, cak_sample_max, cak_sample_median, cak_sample_iqm };
    for (int i = 0; i < N(all); i++) {
        ck_nan(all[i](NULL, 0));
        ck_nan(all[i](VALUES(1, NAN, 3)));
        ck_assert(all[i](VALUES(-3)) == -3);
        ck_assert(all[i](VALUES(0.1, 0.1, 0.1, 0.1, 0.1)) == 0.1);
        ck_assert(all[i](VALUES(worst, worst, worst)) == worst);
    }
    ck_assert(cak_sample_mean(VALUES(1, worst, 2)) == worst && cak_sample_mean(VALUES(-worst, 0, 2)) == -worst);
    ck_nan(cak_sample_mean(VALUES(worst, 1, -worst)));
    ck_nan(cak_sample_sd(NULL, 0));
    ck_nan(cak_sample_sd(VALUES(1)));
    ck_nan(cak_sample_sd(VALUES(1, NAN)));
    ck_nan(cak_sample_sd(VALUES(1, 2, worst)));
    ck_nan(cak_sample_sd(VALUES(worst, worst)));
    ck_assert(cak_sample_sd(VALUES(0.1, 0.1, 0.1)) == 0);
}
END_TEST

/* ---- bootstrap ---- */

/* Shares of all n^n resamples whose statistic is below v, and not above it. */
static void share_of_resamples(cak_statistic *f, const double *x, int n, double v, double *below, double *not_above)
{
    long all = lround(pow(n, n)), less = 0, equal = 0;
    for (long k = 0; k < all; k++) {
        double y[8];
        long rest = k;
        for (int i = 0; i < n; i++, rest /= n) y[i] = x[rest % n];
        double s = f(y, n);
        less += s < v - 1e-12;
        equal += fabs(s - v) <= 1e-12;
    }
    *below = (double)less / (double)all;
    *not_above = (double)(less + equal) / (double)all;
}

START_TEST(bootstrap_against_all_resamples)
{
    static const double x[] = { 0.31, 2.7, -1.2, 0.9, 7.1, 3.3 };
    cak_statistic *const statistics[] = { cak_sample_mean, cak_sample_iqm, cak_sample_median };
    const double slack = 4 * sqrt(0.025 * 0.975 / CAK_RESAMPLES); /* of a share that 10000 draws estimate */
    for (int i = 0; i < N(statistics); i++) {
        cak_interval ends = cak_bootstrap(statistics[i], x, N(x), CAK_RESAMPLES, 0.95);
        double below, not_above;
        share_of_resamples(statistics[i], x, N(x), ends.low, &below, &not_above);
        ck_assert_msg(below <= 0.025 + slack && not_above >= 0.025 - slack, "low: %g .. %g", below, not_above);
        share_of_resamples(statistics[i], x, N(x), ends.high, &below, &not_above);
        ck_assert_msg(below <= 0.975 + slack && not_above >= 0.975 - slack, "high: %g .. %g", below, not_above);
        cak_interval again = cak_bootstrap(statistics[i], x, N(x), CAK_RESAMPLES, 0.95);
        ck_assert(ends.low == again.low && ends.high == again.high);
    }
}
END_TEST

START_TEST(bootstrap_of_a_known_sample)
{
    /* Treated mice of Efron and Tibshirani (1993), table 2.1: mean 86.86, standard error of the bootstrap 23.36. */
    static const double mice[] = { 94, 197, 16, 38, 99, 141, 23 };
    cak_interval sd1 = cak_bootstrap(cak_sample_mean, mice, 7, CAK_RESAMPLES, 0.6826894921370859);
    ck_close((sd1.high - sd1.low) / 2, 23.36, 0.03);
    cak_interval narrow = cak_bootstrap(cak_sample_mean, mice, 7, CAK_RESAMPLES, 0.5);
    ck_assert(sd1.low < narrow.low && narrow.low < 86.86 && 86.86 < narrow.high && narrow.high < sd1.high);
}
END_TEST

START_TEST(bootstrap_by_strata)
{
    static const double x[] = { 0, 0, 0, 1, 1, 1, 1, 1, 1 }, two[] = { 5, 9 };
    ck_interval(cak_bootstrap_strata(cak_sample_mean, x, (const int[]){ 3, 6 }, 2, 500, 0.95), 2.0 / 3, 2.0 / 3, 1e-14);
    ck_interval(cak_bootstrap_strata(cak_sample_mean, two, (const int[]){ 1, 1 }, 2, 500, 0.95), 7, 7, 0);
    ck_interval(cak_bootstrap_strata(cak_sample_mean, two, (const int[]){ 0, 2, 0 }, 3, 500, 0.95), 5, 9, 0);
    cak_interval mixed = cak_bootstrap(cak_sample_mean, x, 9, 500, 0.95);
    ck_assert(mixed.low < 0.5 && mixed.high > 0.8);
}
END_TEST

START_TEST(edges_of_the_bootstrap)
{
    ck_interval(cak_bootstrap(cak_sample_iqm, VALUES(3), 100, 0.95), 3, 3, 0);
    ck_interval(cak_bootstrap(cak_sample_iqm, VALUES(2, 2, 2, 2), 100, 0.95), 2, 2, 0);
    ck_interval(cak_bootstrap(cak_sample_iqm, VALUES(worst, worst, worst), 100, 0.95), worst, worst, 0);
    cak_interval some = cak_bootstrap(cak_sample_iqm, VALUES(1, 2, 3, 4, 5, 6, 7, worst), 1000, 0.95);
    ck_assert(some.low > 1 && some.low < 4 && some.high == worst);
    cak_interval none = cak_bootstrap(cak_sample_iqm, NULL, 0, 100, 0.95),
                 nan = cak_bootstrap(cak_sample_iqm, VALUES(1, NAN), 9, 0.9);
    ck_assert(isnan(none.low) && isnan(none.high) && isnan(nan.low) && isnan(nan.high));
    cak_interval undefined = cak_bootstrap(cak_sample_sd, VALUES(1, worst), 100, 0.95); /* the statistic has no value */
    ck_assert(isnan(undefined.low) && isnan(undefined.high));
}
END_TEST

/* ---- counts ---- */

START_TEST(wilson)
{
    /* Newcombe (1998), table I, method 3: the four examples at 95 %. */
    ck_interval(cak_wilson(81, 263, 0.95), 0.2553, 0.3662, 2e-4);
    ck_interval(cak_wilson(15, 148, 0.95), 0.0624, 0.1605, 3e-4);
    ck_interval(cak_wilson(0, 20, 0.95), 0, 0.1611, 2e-4);
    ck_interval(cak_wilson(1, 29, 0.95), 0.0061, 0.1718, 3e-3);

    const double z2 = 1.959963984540054 * 1.959963984540054;
    ck_interval(cak_wilson(0, 10, 0.95), 0, z2 / (10 + z2), 1e-14); /* n = 10, k = 0 by hand */
    ck_interval(cak_wilson(10, 10, 0.95), 10 / (10 + z2), 1, 1e-14);
    ck_interval(cak_wilson(0, 0, 0.95), 0, 1, 0);
    for (int n = 1; n < 30; n++)
        for (int k = 0; k <= n; k++) { /* its ends are the shares whose score is z: (p - share)^2 = z^2 share (1 - share) / n */
            cak_interval w = cak_wilson(k, n, 0.95), mirror = cak_wilson(n - k, n, 0.95);
            double p = (double)k / n;
            ck_assert(w.low <= p && p <= w.high && fabs(w.low - (1 - mirror.high)) < 1e-14);
            ck_assert(fabs((p - w.low) * (p - w.low) - z2 * w.low * (1 - w.low) / n) < 1e-14);
            ck_assert(fabs((p - w.high) * (p - w.high) - z2 * w.high * (1 - w.high) / n) < 1e-14);
        }
}
END_TEST

START_TEST(mcnemar)
{
    /* Armitage and Berry (1994), p. 127: two media for 50 sputa, 12 and 2 discordant; exact P = 0.0129 (Liddell 1983). */
    ck_close(cak_mcnemar(12, 2).p, 0.0129, 4e-3);
    /* By hand: 2 sum C(n, k) / 2^n */
    ck_test(cak_mcnemar(12, 2), 2, 2 * (1 + 14 + 91) / 16384.0, 14, true, 1e-12);
    ck_test(cak_mcnemar(1, 7), 1, 2 * 9 / 256.0, 8, true, 1e-12);
    ck_test(cak_mcnemar(0, 6), 0, 2 / 64.0, 6, true, 1e-12);
    ck_test(cak_mcnemar(5, 0), 0, 2 / 32.0, 5, true, 1e-12);
    ck_test(cak_mcnemar(1, 0), 0, 1, 1, true, 1e-12);
    ck_test(cak_mcnemar(4, 4), 4, 1, 8, true, 0);
    ck_test(cak_mcnemar(0, 0), 0, 1, 0, true, 0);
}
END_TEST

static double choose(int n, int k)
{
    double c = 1;
    for (int i = 1; i <= k; i++) c = c * (n - k + i) / i;
    return k < 0 || k > n ? 0 : round(c);
}

START_TEST(fisher)
{
    /* Fisher (1935): the lady tasting tea, 34 of 70; convictions of twins (R, ?fisher.test): p = 0.0005367. */
    ck_test(cak_fisher(3, 4, 1, 4), 9, 34 / 70.0, 8, true, 1e-12);
    ck_close(cak_fisher(2, 17, 10, 13).p, 0.0005367, 1e-4);
    ck_close(cak_fisher(8, 10, 1, 6).p, 0.0350, 1e-3); /* scipy.stats.fisher_exact: whales */

    for (int n_a = 1; n_a <= 11; n_a += 2)
        for (int n_b = 1; n_b <= 11; n_b += 2)
            for (int k_a = 0; k_a <= n_a; k_a++)
                for (int k_b = 0; k_b <= n_b; k_b++) { /* whole numbers of deals */
                    double seen = choose(n_a, k_a) * choose(n_b, k_b), rare = 0;
                    for (int k = 0; k <= k_a + k_b; k++) {
                        double deals = choose(n_a, k) * choose(n_b, k_a + k_b - k);
                        if (deals <= seen) rare += deals;
                    }
                    ck_close(cak_fisher(k_a, n_a, k_b, n_b).p, rare / choose(n_a + n_b, k_a + k_b), 1e-12);
                }
    ck_assert(cak_fisher(5, 5, 0, 5).statistic == worst && cak_fisher(0, 5, 5, 5).statistic == 0);
    ck_nan(cak_fisher(0, 5, 0, 5).statistic);
    ck_close(cak_fisher(0, 5, 0, 5).p, 1, 1e-12);
    ck_nan(cak_fisher(0, 0, 2, 5).p);
    ck_nan(cak_fisher(2, 5, 0, 0).p);
}
END_TEST

static void ck_holm(const double *p, int n, const double *want)
{
    double got[8];
    cak_holm(p, n, got);
    for (int i = 0; i < n; i++)
        ck_assert_msg(isnan(p[i]) ? isnan(got[i]) : rel_error(got[i], want[i]) < 1e-12, "%d: %g", i, got[i]);
    memcpy(got, p, (size_t)n * sizeof *p);
    cak_holm(got, n, got);
    for (int i = 0; i < n; i++) ck_assert(isnan(p[i]) ? isnan(got[i]) : rel_error(got[i], want[i]) < 1e-12);
}

START_TEST(holm)
{
    /* The examples of pingouin (multicomp, "holm") and of stdlib (padjust, "holm"). */
    ck_holm(VALUES(.50, .003, .32, .054, .0003), (const double[]){ .64, .012, .64, .162, .0015 });
    ck_holm(VALUES(0.319, 0.201, 0.4, 0.374, 0.113), (const double[]){ 0.957, 0.804, 0.957, 0.957, 0.565 });
    /* By hand: 4 x .005, 3 x .01, 2 x .03, and .04 that may not fall below it. */
    ck_holm(VALUES(.01, .04, .03, .005), (const double[]){ .03, .06, .06, .02 });
    ck_holm(VALUES(.01, NAN, .02, NAN), (const double[]){ .02, 0, .02, 0 }); /* a family of two */
    ck_holm(VALUES(.7), (const double[]){ .7 });
    ck_holm(VALUES(1, 1, 1), (const double[]){ 1, 1, 1 });
    ck_holm(VALUES(.4, .4, .4), (const double[]){ 1, 1, 1 });
    cak_holm(NULL, 0, NULL);
}
END_TEST

/* ---- ranks and permutations ---- */

START_TEST(midranks)
{
    double rank[6];
    ck_assert(cak_midranks((const double[]){ 0, 2, 3, 2 }, 4, rank) == 6); /* scipy.stats.rankdata: 1, 2.5, 4, 2.5 */
    ck_assert(rank[0] == 1 && rank[1] == 2.5 && rank[2] == 4 && rank[3] == 2.5);
    ck_assert(cak_midranks((const double[]){ worst, 1, worst, worst, -worst }, 5, rank) == 24);
    ck_assert(rank[0] == 4 && rank[1] == 2 && rank[2] == 4 && rank[3] == 4 && rank[4] == 1);
    ck_assert(cak_midranks(NULL, 0, rank) == 0);
}
END_TEST

/* Differences 1 .. n, those positive whose sum is w. */
static void with_rank_sum(double *d, int n, int w)
{
    for (int i = n; i >= 1; i--) d[i - 1] = w >= i ? i : -i, w -= w >= i ? i : 0;
    ck_assert_int_eq(w, 0);
}

START_TEST(wilcoxon_published)
{
    const double zero[60] = { 0 };
    /* Wilcoxon (1945): heights of corn, the data of Darwin. R: V = 96, p-value = 0.04126. */
    const double corn[] = { 14, 56, 60, 16, 6, 8, -48, 49, 24, 28, 29, 41, -67, 23, 75 };
    ck_test(cak_wilcoxon(corn, zero, 15), 96, 0.04126, 15, true, 1e-4);
    /* Hollander and Wolfe (1973), p. 29: depression scores. R, ?wilcox.test: V = 40, one-sided p-value = 0.01953. */
    const double x[] = { 1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30 };
    const double y[] = { 0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29 };
    ck_test(cak_wilcoxon(x, y, 9), 40, 2 * 0.01953, 9, true, 1e-3);
    /* Two-sided critical values at 5 % (York, www.york.ac.uk/depts/maths/tables/wilcoxon.htm), where tables agree. */
    static const int critical[][2] = { { 6, 0 },   { 7, 2 },   { 8, 3 },   { 9, 5 },  { 10, 8 },
                                       { 14, 21 }, { 15, 25 }, { 20, 52 }, { 25, 89 } };
    for (int i = 0; i < N(critical); i++) {
        int n = critical[i][0], w = critical[i][1];
        double d[25];
        with_rank_sum(d, n, w);
        ck_assert(cak_wilcoxon(d, zero, n).p <= 0.05);
        with_rank_sum(d, n, w + 1);
        ck_assert(cak_wilcoxon(d, zero, n).p > 0.05 && cak_wilcoxon(d, zero, n).exact);
        ck_close(cak_wilcoxon(d, zero, n).p, cak_wilcoxon(zero, d, n).p, 1e-15);
    }
}
END_TEST

START_TEST(wilcoxon_normal)
{
    const double zero[60] = { 0 };
    double d[60];
    /* n = 26, w = 100: mean 175.5, variance 26 27 53 / 24, z = (100 - 175.5 + 0.5) / sd */
    with_rank_sum(d, 26, 100);
    ck_test(cak_wilcoxon(d, zero, 26), 100, erfc(75 / sqrt(26 * 27 * 53 / 24.0) / sqrt(2)), 26, false, 1e-12);
    /* Sizes 1, 1, 2, 3: ranks 1.5, 1.5, 3, 4; w = 1.5, mean 5, variance 7.5 - 6 / 48; the pair of equals is dropped. */
    const double ties[] = { 0, 1, -1, -2, -3 };
    ck_test(cak_wilcoxon(ties, zero, 5), 1.5, erfc(3 / sqrt(7.375) / sqrt(2)), 4, false, 1e-12);
    ck_test(cak_wilcoxon(ties + 1, zero, 4), 1.5, erfc(3 / sqrt(7.375) / sqrt(2)), 4, false, 1e-12);
    /* Without ties, but with a pair of equals: 1 + 3 of ranks 1 .. 3 */
    ck_test(cak_wilcoxon((const double[]){ 0, 1, -2, 3 }, zero, 4), 4, erfc(0.5 / sqrt(3.5) / sqrt(2)), 3, false, 1e-12);
    with_rank_sum(d, 50, 500);
    double exact = cak_wilcoxon_conditional(d, zero, 50).p;
    ck_assert(cak_wilcoxon_conditional(d, zero, 50).exact && fabs(exact - cak_wilcoxon(d, zero, 50).p) < 2e-3);
    with_rank_sum(d, 51, 500);
    ck_assert(!cak_wilcoxon_conditional(d, zero, 51).exact);
    ck_assert(cak_wilcoxon_conditional(d, zero, 51).p == cak_wilcoxon(d, zero, 51).p);
}
END_TEST

/* Shares of all 2^n sign patterns: of the sum of signed sizes, and of the signed ranks. */
static double share_of_signs(const double *size, int n, double seen)
{
    long far = 0;
    for (long k = 0; k < 1L << n; k++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += k >> i & 1 ? size[i] : -size[i];
        far += fabs(sum) >= fabs(seen) - 1e-9;
    }
    return (double)far / (double)(1L << n);
}

START_TEST(paired_tests_against_all_signs)
{
    for (int round = 0; round < 60; round++) {
        int n = 1 + round % 11, m = 0;
        double x[12], y[12], d[12], size[12], rank[12], sum = 0, signed_sum = 0;
        draw_values(x, n, 2 * round, 4, round & 1);
        draw_values(y, n, 2 * round + 1, 3, round & 1);
        for (int i = 0; i < n; i++)
            if (x[i] != y[i]) d[m] = x[i] - y[i], size[m] = fabs(d[m]), sum += d[m], m++;
        double ties = cak_midranks(size, m, rank);
        for (int i = 0; i < m; i++) signed_sum += d[i] > 0 ? rank[i] : -rank[i];

        double p = share_of_signs(rank, m, signed_sum), v = (signed_sum + m * (m + 1) / 2.0) / 2;
        ck_test(cak_wilcoxon_conditional(x, y, n), v, p, m, true, 1e-12);
        cak_test plain = cak_wilcoxon(x, y, n);
        ck_assert(plain.statistic == v && plain.n == m && plain.exact == ((m == n && ties == 0) || m == 0));
        if (plain.exact) ck_close(plain.p, p, 1e-12);
        ck_test(cak_sign_flip(x, y, n), sum / n, share_of_signs(size, m, sum), m, true, 1e-12);
    }
}
END_TEST

START_TEST(sign_flip)
{
    const double zero[40] = { 0 };
    /* Fisher (1935), section 21: Darwin's corn in eighths of an inch, 1726 of the 32768 sign patterns are as extreme as the sum 314. */
    const double corn[] = { 49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48 };
    ck_test(cak_sign_flip(corn, zero, 15), 314 / 15.0, 1726 / 32768.0, 15, true, 1e-12);

    double d[40];
    for (int i = 0; i < 40; i++) d[i] = 1;
    ck_test(cak_sign_flip(d, zero, 16), 1, 2.0 / 65536, 16, true, 1e-12);
    ck_test(cak_sign_flip(d, zero, 40), 1, 1 / 100001.0, 40, false, 1e-12); /* no drawn pattern is as extreme */
    for (int i = 0; i < 17; i++) d[i] = i < 12 ? 1 : -1; /* as far from 0 as 12 of 17: a binomial tail of 2 x 9402 / 2^17 */
    cak_test drawn = cak_sign_flip(d, zero, 17), again = cak_sign_flip(d, zero, 17);
    ck_assert(!drawn.exact && drawn.n == 17 && drawn.p == again.p);
    ck_assert_msg(fabs(drawn.p - 18804 / 131072.0) < 4 * sqrt(0.125 / 1e5), "p = %g", drawn.p);
    for (int i = 12; i < 40; i++) d[i] = 0; /* equal pairs change nothing but the mean */
    ck_test(cak_sign_flip(d, zero, 40), 12 / 40.0, 2.0 / 4096, 12, true, 1e-12);
    /* Sums that are equal but for rounding: 30 of the 32 patterns of 1, 7, 8, 4, 6 are 2 or more from 0. */
    ck_test(cak_sign_flip((const double[]){ 0.1, 0.7, -0.8, 0.4, -0.6 }, zero, 5), -0.2 / 5, 30 / 32.0, 5, true, 1e-12);
}
END_TEST

START_TEST(infinite_pairs)
{
    const double fine[] = { 1, 2, 3, 4, 5, 6 }, bad[] = { worst, worst, worst, worst, worst, worst };
    /* Every run of b diverged: 2 of 2^n sign patterns; the normal approximation claims more than five pairs can show. */
    ck_test(cak_wilcoxon_conditional(fine, bad, 5), 0, 2 / 32.0, 5, true, 1e-15);
    ck_test(cak_wilcoxon(fine, bad, 5), 0, erfc(7 / sqrt(13.75 - 120 / 48.0) / sqrt(2)), 5, false, 1e-12);
    ck_test(cak_sign_flip(fine, bad, 5), -worst, 2 / 32.0, 5, true, 1e-15);
    ck_test(cak_sign_flip(bad, fine, 6), worst, 2 / 64.0, 6, true, 1e-15);
    /* Both diverged: equal, and p is 1. */
    ck_test(cak_wilcoxon(bad, bad, 6), 0, 1, 0, true, 0);
    ck_test(cak_wilcoxon_conditional(bad, bad, 6), 0, 1, 0, true, 0);
    ck_test(cak_sign_flip(bad, bad, 6), 0, 1, 0, true, 0);
    /* An infinite difference has the last rank, 4 against 1 + 2 + 3; sums up to 4: none, 1, 2, 3, 1 + 2, 4, 1 + 3. */
    const double a[] = { 2, 4, 6, 1, worst }, b[] = { 1, 2, 3, worst, worst };
    ck_test(cak_wilcoxon_conditional(a, b, 5), 6, 14 / 16.0, 4, true, 1e-15);
    /* Signs of +inf, -inf, 2, 4: eight patterns leave an infinite sum, and 4 of the balanced eight have 6 or -6. */
    const double c[] = { worst, 1, 5, 7 }, e[] = { 1, worst, 3, 3 };
    ck_test(cak_sign_flip(c, e, 4), 6 / 4.0, 12 / 16.0, 4, true, 1e-15);
    /* Signs of +inf, +inf, -inf, 2: four patterns have three infinite ones of one sign, and half of the other twelve have the 2 on the
    ** side of the infinite one in excess. */
    const double f[] = { worst, worst, 1, 5 }, g[] = { 1, 1, worst, 3 };
    ck_test(cak_sign_flip(f, g, 4), worst, (4 + 6) / 16.0, 4, true, 1e-15);
}
END_TEST

START_TEST(edges_of_paired_tests)
{
    cak_test (*const tests[])(const double *, const double *, int) = { cak_wilcoxon, cak_wilcoxon_conditional, cak_sign_flip };
    const double x[] = { 1, 2, 3 }, y[] = { 1, NAN, 3 };
    for (int i = 0; i < N(tests); i++) {
        cak_test none = tests[i](NULL, NULL, 0), nan = tests[i](x, y, 3), nan2 = tests[i](y, x, 3);
        ck_assert(isnan(none.p) && isnan(none.statistic) && none.n == 0 && isnan(nan.p) && isnan(nan2.p));
        ck_test(tests[i](x, x, 3), 0, 1, 0, true, 0);
        ck_close(tests[i](x, x + 1, 1).p, 1, 1e-15);
    }
}
END_TEST

/* Share of the ways to choose n_a of n values whose rank sum is as far from its mean. */
static double share_of_deals(const double *rank, int n, int n_a, double seen)
{
    double mean = n_a * (n + 1) / 2.0;
    long far = 0, all = 0;
    for (long k = 0; k < 1L << n; k++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += k >> i & 1 ? rank[i] : 0;
        if (__builtin_popcountl((unsigned long)k) != n_a) continue;
        all++, far += fabs(sum - mean) >= fabs(seen - mean) - 1e-9;
    }
    return (double)far / (double)all;
}

START_TEST(mann_whitney_published)
{
    /* Hollander and Wolfe (1973), p. 69: permeability of membranes. R, ?wilcox.test: W = 35, one-sided p-value = 0.1272. */
    const double x[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 }, y[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };
    ck_test(cak_mann_whitney(x, 10, y, 5), 35, 2 * 0.1272, 15, true, 1e-3);
    /* Two-sided critical values of U at 5 % (Siegel 1956, table K). */
    static const int critical[][2] = { { 4, 0 }, { 5, 2 }, { 8, 13 }, { 10, 23 }, { 20, 127 } };
    for (int i = 0; i < N(critical); i++)
        for (int more = 0; more < 2; more++) {
            int n = critical[i][0], rest = critical[i][1] + more;
            double a[20], b[20];
            for (int k = 0; k < n; k++) { /* a[k] is larger than `above` of b */
                int above = rest < n ? rest : n;
                b[k] = k, a[k] = above - 0.5 + k * 1e-3, rest -= above;
            }
            cak_test t = cak_mann_whitney(a, n, b, n);
            ck_assert(t.statistic == critical[i][1] + more && t.exact && (t.p <= 0.05) == !more);
        }
}
END_TEST

START_TEST(mann_whitney_against_all_deals)
{
    for (int round = 0; round < 60; round++) {
        int n_a = 1 + round % 6, n_b = 1 + round / 7 % 6, n = n_a + n_b;
        double x[12], rank[12], sum = 0, u = 0, better = 0;
        draw_values(x, n, round + 1000, 3, round & 1);
        if (round % 5 == 0) x[0] = x[n - 1] = worst;
        cak_midranks(x, n, rank);
        for (int i = 0; i < n_a; i++) {
            sum += rank[i];
            for (int j = n_a; j < n; j++)
                u += (x[i] > x[j]) + (x[i] == x[j]) / 2.0, better += (x[i] < x[j]) + (x[i] == x[j]) / 2.0;
        }
        ck_test(cak_mann_whitney(x, n_a, x + n_a, n_b), u, share_of_deals(rank, n, n_a, sum), n, true, 1e-12);
        ck_close(cak_improvement(x, n_a, x + n_a, n_b), better / (n_a * n_b), 1e-15);
    }
}
END_TEST

START_TEST(mann_whitney_edges)
{
    double low[30], high[30], bad[30];
    for (int i = 0; i < 30; i++) low[i] = i, high[i] = i + 30, bad[i] = worst;
    /* U = 900: z = (900 - 450 - 0.5) / sqrt(900 x 61 / 12) */
    ck_test(cak_mann_whitney(high, 30, low, 30), 900, erfc(449.5 / sqrt(900 * 61 / 12.0) / sqrt(2)), 60, false, 1e-12);
    /* All 30 of b diverged: a tie of 30 takes 26970 / (60 x 59) from the 61. */
    ck_test(cak_mann_whitney(low, 30, bad, 30), 0, erfc(449.5 / sqrt(75 * (61 - 26970 / 3540.0)) / sqrt(2)), 60, false, 1e-12);
    ck_test(cak_mann_whitney(bad, 30, bad, 30), 450, 1, 60, false, 0);
    ck_test(cak_mann_whitney(bad, 3, bad, 4), 6, 1, 7, true, 0);
    ck_test(cak_mann_whitney(low, 3, bad, 3), 0, 2 / 20.0, 6, true, 1e-15);
    ck_test(cak_mann_whitney(low, 1, high, 1), 0, 1, 2, true, 0);
    ck_nan(cak_mann_whitney(low, 0, high, 3).p);
    ck_nan(cak_mann_whitney(low, 3, high, 0).p);
    ck_nan(cak_mann_whitney(low, 3, VALUES(1, NAN)).p);
    ck_nan(cak_mann_whitney(VALUES(1, NAN), low, 3).p);

    ck_assert(cak_improvement(low, 3, high, 3) == 1 && cak_improvement(high, 3, low, 3) == 0);
    ck_assert(cak_improvement(bad, 2, bad, 3) == 0.5 && cak_improvement(low, 2, bad, 3) == 1);
    ck_nan(cak_improvement(low, 0, high, 1));
    ck_nan(cak_improvement(low, 1, high, 0));
    ck_nan(cak_improvement(low, 1, VALUES(NAN)));
    ck_nan(cak_improvement(VALUES(NAN), low, 1));
}
END_TEST

START_TEST(correlation)
{
    /* Anscombe (1973), set I: r = 0.816. */
    const double x[] = { 10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5 };
    const double y[] = { 8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68 };
    ck_close(cak_pearson(x, y, 11), 0.81642, 1e-5);
    /* Ranks 1 .. 10 of IQ and hours of television, sum of squared differences 194: rho = 1 - 6 x 194 / (10 x 99) = -29 / 165. */
    const double iq[] = { 106, 100, 86, 101, 99, 103, 97, 113, 112, 110 }, hours[] = { 7, 27, 2, 50, 28, 29, 20, 12, 6, 17 };
    ck_close(cak_spearman(iq, hours, 10), -29 / 165.0, 1e-14);
    /* Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 x 5) */
    const double up[] = { 1, 2, 2, worst }, line[] = { 1, 2, 3, 4 }, down[] = { -1, -2, -3, -4 }, flat[] = { 0.1, 0.1, 0.1, 0.1 };
    ck_close(cak_spearman(up, line, 4), 4.5 / sqrt(4.5 * 5), 1e-14);
    ck_close(cak_pearson(line, line, 4), 1, 1e-15);
    ck_close(cak_pearson(line, down, 4), -1, 1e-15);
    ck_close(cak_spearman(up + 2, line, 2), 1, 1e-15);
    ck_nan(cak_pearson(up, line, 4));
    const double hole[] = { 1, NAN, 3, 4 };
    double (*const both[])(const double *, const double *, int) = { cak_pearson, cak_spearman };
    for (int i = 0; i < N(both); i++) {
        ck_nan(both[i](NULL, NULL, 0));
        ck_nan(both[i](line, line, 1));
        ck_nan(both[i](flat, line, 4));
        ck_nan(both[i](hole, line, 4));
        ck_nan(both[i](line, hole, 4));
    }
}
END_TEST

SUITE(stats, moments, quantiles, interquartile_mean, edges_of_samples, bootstrap_against_all_resamples,
      bootstrap_of_a_known_sample, bootstrap_by_strata, edges_of_the_bootstrap, wilson, mcnemar, fisher, holm, midranks,
      wilcoxon_published, wilcoxon_normal, paired_tests_against_all_signs, sign_flip, infinite_pairs, edges_of_paired_tests,
      mann_whitney_published, mann_whitney_against_all_deals, mann_whitney_edges, correlation)
