/* Statistics of comparisons: pure functions over arrays, the same bits every time.
**
** Smaller is better, and +inf is the worst there is: a run that diverged is never dropped. Two infinite values of one sign are equal, and
** an infinite difference is larger than any finite one. NaN is no measurement: it makes the result NaN unless a function says otherwise.
** So do too few values (no mean of none, no deviation of one). Tests are two-sided. */
#ifndef EXPERIMENTS_STATS_H
#define EXPERIMENTS_STATS_H

#include <stdbool.h>

#include "graph/arena.h"

/* ---- one sample (stats.c) ---- */

double cak_sample_mean(const double *x, int n); /* infinite when values are; NaN with both infinities */
double cak_sample_sd(const double *x, int n);   /* of n - 1; NaN with an infinite value, as for n < 2 */
double cak_sample_min(const double *x, int n);
double cak_sample_max(const double *x, int n);
/* Type 7 of Hyndman and Fan (1996), the default of R and NumPy. Between a finite and an infinite value lies the infinite one. */
double cak_sample_quantile(const double *x, int n, double q);
double cak_sample_median(const double *x, int n);
/* Interquartile mean as rliable has it (Agarwal et al. 2021, aggregate_iqm): scipy.stats.trim_mean(x, 0.25), which cuts floor(n / 4) whole
** values from each end and gives no weight to fractions of one. It stays finite as long as the infinite values are cut off. */
double cak_sample_iqm(const double *x, int n);

typedef struct cak_interval {
    double low, high;
} cak_interval;

typedef double cak_statistic(const double *x, int n); /* such as the above */

enum { CAK_RESAMPLES = 10000 }; /* a usual number */

/* Percentile interval of the bootstrap (Efron and Tibshirani 1993, 13.3): quantiles of the statistic of resamples. Infinite values are drawn
** as others are, so an end may be infinite. */
cak_interval cak_bootstrap(cak_statistic *f, const double *x, int n, int resamples, double level);
/* Stratified (Agarwal et al. 2021): x is one stratum after the other, and each is drawn from apart; f sees all of them together. */
cak_interval cak_bootstrap_strata(cak_statistic *f, const double *x, const int *size, int strata, int resamples, double level);

/* ---- counts (stats_count.c) ---- */

typedef struct cak_test {
    double statistic, p;
    int n;      /* observations that had a part in it */
    bool exact; /* p counts cases, it is no approximation */
} cak_test;

/* Score interval of k of n (Wilson 1927; method 3 of Newcombe 1998), all of [0, 1] for n = 0. */
cak_interval cak_wilson(int k, int n, double level);

/* Exact test of McNemar (1947) for paired yes and no: binomial over the pairs that differ, `only_a` yes and no, `only_b` no and yes.
** The statistic is the smaller count, n their sum; p is 1 when no pair differs. statsmodels mcnemar(exact=True). */
cak_test cak_mcnemar(int only_a, int only_b);

/* Exact test of Fisher (1935) for k_a of n_a against k_b of n_b: all tables with the same margins that are no more probable, as R's
** fisher.test and scipy.stats.fisher_exact. The statistic is the odds ratio of the sample: 0, infinite, or NaN when it is 0 / 0. */
cak_test cak_fisher(int k_a, int n_a, int k_b, int n_b);

/* Adjusted p-values of Holm (1979), as R's p.adjust: a NaN stays one and does not count in the family. May work in place. */
void cak_holm(const double *p, int n, double *adjusted);

/* ---- ranks and permutations (stats_rank.c) ---- */

/* Ranks from 1, the mean rank where values are equal (scipy.stats.rankdata); no NaN. Returns the sum of t^3 - t over groups of t equals. */
double cak_midranks(const double *x, int n, double *rank);

/* Signed-rank test of Wilcoxon (1945) for pairs a[i], b[i]. Equal pairs are dropped; n counts the others, the statistic is the sum of
** their ranks where a is larger (V of R). p is exact for n <= 25 without ties and equal pairs, otherwise normal, corrected for ties and
** continuity: scipy.stats.wilcoxon(zero_method="wilcox", correction=True). p is 1 when all pairs are equal, NaN when there is none.
** Beware of ties in few pairs, as of several diverged runs: the normal p can then be smaller than any that n signs can give. */
cak_test cak_wilcoxon(const double *a, const double *b, int n);
/* The same statistic; exact for n <= 50 with ties and equal pairs, too: the distribution over the signs of the ranks that there are
** (Pratt and Gibbons 1981; coin::wilcoxsign_test(zero.method = "Wilcoxon", distribution = "exact") of R). */
cak_test cak_wilcoxon_conditional(const double *a, const double *b, int n);

/* Sign-flip test of paired differences (Fisher 1935, section 21). The statistic is the mean of a[i] - b[i], infinite where the infinite
** differences do not balance. p is the share of sign patterns with a mean as far from 0: all of them for up to 16 pairs that differ (n),
** otherwise 100000 drawn ones and the observed one (Phipson and Smyth 2010). */
cak_test cak_sign_flip(const double *a, const double *b, int n);

/* Mann and Whitney (1947), unpaired. The statistic is U of a: pairs of the two arms in which a is larger, equals half. Exact for up to 50
** values in both arms, ties or not: share of the ways to deal the ranks with U as far from its mean (coin::wilcox_test(distribution =
** "exact")); otherwise normal, corrected for ties and continuity: scipy.stats.mannwhitneyu(method="asymptotic"). */
cak_test cak_mann_whitney(const double *a, int n_a, const double *b, int n_b);

/* Probability of improvement of a over b, P(a < b) + P(a = b) / 2 (Agarwal et al. 2021, for smaller is better). */
double cak_improvement(const double *a, int n_a, const double *b, int n_b);

double cak_pearson(const double *x, const double *y, int n); /* NaN with an infinite value, a constant, n < 2 */
double cak_spearman(const double *x, const double *y,
                    int n); /* of midranks; infinite values have one; NaN with a constant, n < 2 */

/* ---- times to an event (stats_survival.c) ---- */

/* Where event[i] is false, nothing had happened until time[i]: censored there, and still at risk at that time. */
typedef struct cak_times {
    const double *time;
    const bool *event;
    int n;
} cak_times;

typedef struct cak_survival_step { /* a time with events */
    double time;
    int at_risk, events;
    double survival, low, high; /* from this time on; the interval is NaN where survival is 0, as in R */
} cak_survival_step;

typedef struct cak_survival {
    cak_survival_step *step; /* by time; before the first, survival is 1 */
    int n;
    double median; /* first time with survival <= 1/2; +inf when it is not reached, NaN without observations */
} cak_survival;

/* Product limit of Kaplan and Meier (1958); intervals by Greenwood's variance on the scale of log(-log S) (Kalbfleisch and Prentice 1980),
** as R's survfit(conf.type = "log-log"). A NaN time: no steps and a NaN median. */
cak_survival cak_kaplan_meier(cak_arena *a, const cak_times *t, double level);

/* Log-rank test of two groups (Mantel 1966; Peto and Peto 1972): R's survdiff. The statistic is chi-squared with one degree of freedom;
** p is 1 when no time tells the groups apart (no events), NaN when a group is empty. */
cak_test cak_log_rank(const cak_times *a, const cak_times *b);

#endif
