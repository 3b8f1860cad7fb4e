/* Statistics of counts: shares, two-by-two tables, families of tests. */
#include "experiments/stats.h"

#include <math.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sort.h>

#include "graph/diag.h"

cak_interval cak_wilson(int k, int n, double level)
{
    CAK_CHECK(k >= 0 && k <= n && level > 0 && level < 1);
    if (n == 0) return (cak_interval){ 0, 1 };
    double z = gsl_cdf_ugaussian_Qinv((1 - level) / 2), share = (double)k / n, all = n;
    double centre = (share + z * z / (2 * all)) / (1 + z * z / all);
    double half = z * sqrt(share * (1 - share) / all + z * z / (4 * all * all)) / (1 + z * z / all);
    return (cak_interval){ k == 0 ? 0 : centre - half,
                           k == n ? 1 : centre + half }; /* exact at the ends, where rounding is not */
}

cak_test cak_mcnemar(int only_a, int only_b)
{
    CAK_CHECK(only_a >= 0 && only_b >= 0);
    int n = only_a + only_b, less = only_a < only_b ? only_a : only_b;
    double tail = gsl_cdf_binomial_P((unsigned)less, 0.5, (unsigned)n);
    return (cak_test){ less, fmin(1, 2 * tail), n, true };
}

static double odds_ratio(int k_a, int n_a, int k_b, int n_b)
{
    double same = (double)k_a * (n_b - k_b), other = (double)k_b * (n_a - k_a);
    return same / other; /* infinite or NaN where that is 0 */
}

cak_test cak_fisher(int k_a, int n_a, int k_b, int n_b)
{
    CAK_CHECK(k_a >= 0 && k_a <= n_a && k_b >= 0 && k_b <= n_b);
    unsigned yes = (unsigned)(k_a + k_b), all = (unsigned)(n_a + n_b), dealt = (unsigned)n_a;
    cak_test out = { odds_ratio(k_a, n_a, k_b, n_b), NAN, n_a + n_b, true };
    if (n_a == 0 || n_b == 0) return out;
    double limit = gsl_ran_hypergeometric_pdf((unsigned)k_a, yes, all - yes, dealt) * (1 + 1e-7), p = 0;
    for (unsigned k = 0; k <= yes && k <= dealt; k++) {
        double here = gsl_ran_hypergeometric_pdf(k, yes, all - yes, dealt);
        if (here <= limit) p += here; /* equally probable tables differ by rounding */
    }
    out.p = fmin(1, p);
    return out;
}

void cak_holm(const double *p, int n, double *adjusted)
{
    double *known = cak_heap_alloc(((size_t)n + 1) * sizeof *known, "p-values");
    size_t *place = cak_heap_alloc(((size_t)n + 1) * sizeof *place, "places of p-values");
    size_t *order = cak_heap_alloc(((size_t)n + 1) * sizeof *order, "order of p-values");
    size_t m = 0;
    for (int i = 0; i < n; i++) {
        adjusted[i] = p[i];
        if (!isnan(p[i])) known[m] = p[i], place[m++] = (size_t)i;
    }
    gsl_sort_index(order, known, 1, m);
    double least = 0; /* a larger p is never adjusted to a smaller one */
    for (size_t i = 0; i < m; i++) {
        least = fmin(1, fmax(least, (double)(m - i) * known[order[i]]));
        adjusted[place[order[i]]] = least;
    }
    cak_heap_free(order);
    cak_heap_free(place);
    cak_heap_free(known);
}
