/* Statistics of ranks and permutations: paired and unpaired arms, correlation. */
#include "experiments/stats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>

#include "graph/diag.h"
#include "graph/rng.h"

enum {
    WILCOXON_EXACT = 25, /* pairs without ties */
    RANKS_EXACT = 50,    /* values; the number of cases is still an exact double */
    FLIPS_EXACT = 16,    /* pairs */
    FLIPS_DRAWN = 100000
};

static bool has_nan(const double *x, int n)
{
    for (int i = 0; i < n; i++)
        if (isnan(x[i])) return true;
    return false;
}

static cak_test no_test(int n) { return (cak_test){ NAN, NAN, n, false }; }

static double *room(int n) { return cak_heap_alloc(((size_t)n + 1) * sizeof(double), "ranks"); }

double cak_midranks(const double *x, int n, double *rank)
{
    size_t *order = cak_heap_alloc(((size_t)n + 1) * sizeof *order, "the order of values");
    gsl_sort_index(order, x, 1, (size_t)n);
    double ties = 0;
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && x[order[end]] == x[order[i]]; end++) {}
        for (int j = i; j < end; j++) rank[order[j]] = (i + 1 + end) / 2.0;
        double t = end - i;
        ties += t * t * t - t;
    }
    cak_heap_free(order);
    return ties;
}

/* ---- Wilcoxon ---- */

static double difference(double a, double b) { return a == b ? 0 : a - b; } /* worst minus worst is nothing */

typedef struct signed_ranks {
    double *rank, plus, ties; /* ranks of the sizes of differences; their sum where a is larger */
    int n;                    /* differences that are not 0 */
} signed_ranks;

static signed_ranks rank_differences(const double *a, const double *b, int n)
{
    signed_ranks s = { .rank = room(n) };
    double *size = room(n);
    for (int i = 0; i < n; i++)
        if (a[i] != b[i]) size[s.n++] = fabs(difference(a[i], b[i]));
    s.ties = cak_midranks(size, s.n, s.rank);
    for (int i = 0, k = 0; i < n; i++) {
        if (a[i] > b[i]) s.plus += s.rank[k];
        k += a[i] != b[i];
    }
    cak_heap_free(size);
    return s;
}

/* Share of sign patterns whose positive ranks sum to w or less. Twice a midrank is whole, so it is an index. */
static double signed_rank_tail(const signed_ranks *s, double w)
{
    int total = s->n * (s->n + 1);
    double *ways = room(total), count = 0;
    ways[0] = 1;
    for (int i = 0; i < s->n; i++) {
        int r = (int)(2 * s->rank[i]);
        for (int sum = total; sum >= r; sum--) ways[sum] += ways[sum - r];
    }
    for (int sum = 0; sum <= (int)(2 * w); sum++) count += ways[sum];
    cak_heap_free(ways);
    return ldexp(count, -s->n);
}

static double signed_rank_normal(const signed_ranks *s, double w)
{
    double n = s->n, mean = n * (n + 1) / 4, variance = n * (n + 1) * (2 * n + 1) / 24 - s->ties / 48;
    return gsl_cdf_ugaussian_P((w - mean + 0.5) / sqrt(variance));
}

static cak_test wilcoxon(const double *a, const double *b, int n, bool with_ties)
{
    if (n == 0 || has_nan(a, n) || has_nan(b, n)) return no_test(0);
    signed_ranks s = rank_differences(a, b, n);
    double less = fmin(s.plus, s.n * (s.n + 1.0) / 2 - s.plus);
    bool exact = with_ties ? s.n <= RANKS_EXACT : s.n <= WILCOXON_EXACT && s.n == n && s.ties == 0;
    double tail = s.n == 0 ? 1 : exact ? signed_rank_tail(&s, less) : signed_rank_normal(&s, less);
    cak_heap_free(s.rank);
    return (cak_test){ s.plus, fmin(1, 2 * tail), s.n, exact || s.n == 0 };
}

cak_test cak_wilcoxon(const double *a, const double *b, int n) { return wilcoxon(a, b, n, false); }

cak_test cak_wilcoxon_conditional(const double *a, const double *b, int n) { return wilcoxon(a, b, n, true); }

/* ---- sign flips ---- */

typedef struct change { /* a difference: infinite ones count apart, for one outweighs any number of finite ones */
    double finite;
    int infinite;
} change;

/* Sum under a pattern of signs: its bits or, where there is a stream, bits that are drawn for it. */
static change flipped(const change *c, int n, uint64_t pattern, const uint64_t *stream)
{
    uint64_t bits = pattern;
    change sum = { 0 };
    for (int i = 0; i < n; i++) {
        if (stream && i % 64 == 0) bits = cak_rng_bits(0, *stream, pattern, (uint64_t)i / 64);
        int sign = bits >> (i % 64) & 1 ? -1 : 1;
        sum.finite += sign * c[i].finite;
        sum.infinite += sign * c[i].infinite;
    }
    return sum;
}

static change size_of(change c)
{
    bool negative = c.infinite ? c.infinite < 0 : c.finite < 0;
    return negative ? (change){ -c.finite, -c.infinite } : c;
}

static double flip_p(const change *c, int n, bool drawn)
{
    int patterns = drawn ? FLIPS_DRAWN : 1 << n, far = 0;
    double slack = 0; /* equal sums differ by rounding */
    for (int i = 0; i < n; i++) slack += fabs(c[i].finite) * 1e-12;
    uint64_t stream = cak_rng_stream("stats/sign-flip");
    change seen = size_of(flipped(c, n, 0, NULL));
    for (int k = 0; k < patterns; k++) {
        change now = size_of(flipped(c, n, (uint64_t)k, drawn ? &stream : NULL));
        far += now.infinite == seen.infinite ? now.finite >= seen.finite - slack : now.infinite > seen.infinite;
    }
    return drawn ? (far + 1.0) / (patterns + 1.0) : (double)far / patterns;
}

cak_test cak_sign_flip(const double *a, const double *b, int n)
{
    if (n == 0 || has_nan(a, n) || has_nan(b, n)) return no_test(0);
    change *c = cak_heap_alloc((size_t)n * sizeof *c, "differences");
    int m = 0;
    for (int i = 0; i < n; i++) {
        double d = difference(a[i], b[i]);
        if (d != 0) c[m++] = isinf(d) ? (change){ 0, d > 0 ? 1 : -1 } : (change){ d, 0 };
    }
    bool drawn = m > FLIPS_EXACT;
    change sum = flipped(c, m, 0, NULL);
    double mean = sum.infinite ? copysign(INFINITY, sum.infinite) : sum.finite / n;
    cak_test t = { mean, flip_p(c, m, drawn), m, !drawn };
    cak_heap_free(c);
    return t;
}

/* ---- unpaired arms ---- */

/* Share of the ways to deal n_a of n ranks whose sum is as far from the mean as `sum`. Sums are twice as large and whole. */
static double rank_sum_p(const double *rank, int n, int n_a, double sum)
{
    int total = n * (n + 1), row = total + 1;
    double *ways = room((n_a + 1) * row), far = 0, all = 0; /* ways[k][s]: k ranks with sum s */
    ways[0] = 1;
    for (int i = 0; i < n; i++) {
        int r = (int)(2 * rank[i]);
        for (int k = n_a < i + 1 ? n_a : i + 1; k > 0; k--)
            for (int s = total; s >= r; s--) ways[k * row + s] += ways[(k - 1) * row + s - r];
    }
    int mean = n_a * (n + 1), distance = abs((int)(2 * sum) - mean);
    for (int s = 0; s <= total; s++) {
        double w = ways[n_a * row + s];
        all += w;
        if (abs(s - mean) >= distance) far += w;
    }
    cak_heap_free(ways);
    return far / all;
}

static double mann_whitney_normal(double u, double n_a, double n_b, double ties)
{
    double n = n_a + n_b, variance = n_a * n_b / 12 * (n + 1 - ties / (n * (n - 1)));
    if (variance <= 0) return 1; /* all are equal */
    return fmin(1, 2 * gsl_cdf_ugaussian_Q((fmax(u, n_a * n_b - u) - n_a * n_b / 2 - 0.5) / sqrt(variance)));
}

cak_test cak_mann_whitney(const double *a, int n_a, const double *b, int n_b)
{
    int n = n_a + n_b;
    if (n_a == 0 || n_b == 0 || has_nan(a, n_a) || has_nan(b, n_b)) return no_test(n);
    double *x = room(n), *rank = room(n), sum = 0;
    for (int i = 0; i < n; i++) x[i] = i < n_a ? a[i] : b[i - n_a];
    double ties = cak_midranks(x, n, rank);
    for (int i = 0; i < n_a; i++) sum += rank[i];
    double u = sum - n_a * (n_a + 1.0) / 2;
    bool exact = n <= RANKS_EXACT;
    double p = exact ? rank_sum_p(rank, n, n_a, sum) : mann_whitney_normal(u, n_a, n_b, ties);
    cak_heap_free(rank);
    cak_heap_free(x);
    return (cak_test){ u, p, n, exact };
}

double cak_improvement(const double *a, int n_a, const double *b, int n_b)
{
    if (n_a == 0 || n_b == 0 || has_nan(a, n_a) || has_nan(b, n_b)) return NAN;
    double better = 0;
    for (int i = 0; i < n_a; i++)
        for (int j = 0; j < n_b; j++) better += a[i] < b[j] ? 1 : a[i] == b[j] ? 0.5 : 0;
    return better / ((double)n_a * n_b);
}

/* ---- correlation ---- */

double cak_pearson(const double *x, const double *y, int n)
{
    if (n < 2) return NAN;
    double r = gsl_stats_correlation(x, 1, y, 1, (size_t)n);
    return isnan(r) ? r : fmax(-1, fmin(1, r)); /* rounding may lead beyond */
}

double cak_spearman(const double *x, const double *y, int n)
{
    if (n < 2 || has_nan(x, n) || has_nan(y, n)) return NAN;
    double *rank_x = room(n), *rank_y = room(n);
    cak_midranks(x, n, rank_x);
    cak_midranks(y, n, rank_y);
    double r = cak_pearson(rank_x, rank_y, n);
    cak_heap_free(rank_y);
    cak_heap_free(rank_x);
    return r;
}
