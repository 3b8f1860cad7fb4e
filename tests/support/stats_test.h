/* What tests of statistics share. */
#ifndef TESTS_STATS_TEST_H
#define TESTS_STATS_TEST_H

#include <math.h>

#include "experiments/stats.h"
#include "tests/support/suite.h"

#define N(array) ((int)(sizeof(array) / sizeof *(array)))

static const double worst = INFINITY;

#define ck_nan(x) ck_assert_msg(isnan(x), #x " = %g is a number", (double)(x))

/* As macros, so that a failure names the line of the caller. */
#define ck_interval(got, from, to, tol)                                                                                     \
    do {                                                                                                                    \
        cak_interval is_ = (got);                                                                                           \
        ck_assert_msg(rel_error(is_.low, (from)) <= (tol) && rel_error(is_.high, (to)) <= (tol), "[%.17g, %.17g]", is_.low, \
                      is_.high);                                                                                            \
    } while (0)

#define ck_test(got, want_statistic, want_p, want_n, want_exact, tol)                                               \
    do {                                                                                                            \
        cak_test is_ = (got);                                                                                       \
        ck_assert_msg(rel_error(is_.statistic, (want_statistic)) <= (tol) && rel_error(is_.p, (want_p)) <= (tol) && \
                          is_.n == (want_n) && is_.exact == (want_exact),                                           \
                      "statistic %.17g, p %.17g, n %d, exact %d", is_.statistic, is_.p, is_.n, is_.exact);          \
    } while (0)

/* Values -span .. span, the same for the same case; with many equals among them when `whole`. */
void draw_values(double *x, int n, int case_, double span, bool whole);

#endif
