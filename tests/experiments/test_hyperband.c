/* Early termination: when decisions fall, and who goes on. */
#include <math.h>

#include "experiments/hyperband.h"
#include "tests/support/suite.h"

static const cak_hyperband by_three = { .min_iter = 2, .eta = 3 };

START_TEST(decisions_fall_at_powers_of_eta)
{
    static const int64_t want[] = { 2, 6, 18, 54 };
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(cak_hyperband_epoch(&by_three, k), want[k]);
        ck_assert_int_eq(cak_hyperband_reached(&by_three, want[k] - 1), k);
        ck_assert_int_eq(cak_hyperband_reached(&by_three, want[k]), k + 1);
    }
    const cak_hyperband slow = { .min_iter = 1, .eta = 1.5 }; /* 1, 1.5, 2.25, 3.375, 5.06 */
    ck_assert_int_eq(cak_hyperband_epoch(&slow, 1), 2);
    ck_assert_int_eq(cak_hyperband_epoch(&slow, 2), 2);
    ck_assert_int_eq(cak_hyperband_epoch(&slow, 4), 5);
    ck_assert_int_eq(cak_hyperband_reached(&(cak_hyperband){ .min_iter = 1, .eta = 2 }, INT64_MAX - 1), 53);
    ck_assert_int_eq(cak_hyperband_reached(&(cak_hyperband){ 0 }, 1000), 0); /* no early termination */
}
END_TEST

enum { RUNS = 7 };
static double value[RUNS][2];
static cak_history run[RUNS];

/* Runs with these metrics after the second epoch; better the smaller. */
static void runs(int n, const double *metric)
{
    for (int i = 0; i < n; i++) {
        value[i][0] = 1000 - i; /* what the first epoch gave does not matter */
        value[i][1] = metric[i];
        run[i] = (cak_history){ .metric = value[i], .epochs = 2 };
    }
}

static int going_on(int n, bool maximize)
{
    int count = 0;
    for (int i = 0; i < n; i++) count += cak_hyperband_goes_on(&by_three, maximize, 0, &run[i], run, n);
    return count;
}

static bool goes_on(int i, int n) { return cak_hyperband_goes_on(&by_three, false, 0, &run[i], run, n); }

START_TEST(the_best_third_goes_on)
{
    runs(6, (double[]){ 5, 3, 1, 4, 2, 6 });
    for (int i = 0; i < 6; i++) ck_assert_int_eq(goes_on(i, 6), value[i][1] <= 2);
    ck_assert(cak_hyperband_goes_on(&by_three, true, 0, &run[5], run, 6)); /* maximize */
    ck_assert(!cak_hyperband_goes_on(&by_three, true, 0, &run[2], run, 6));
    runs(7, (double[]){ 5, 3, 1, 4, 2, 6, 7 }); /* a third of seven, rounded up */
    ck_assert_int_eq(going_on(7, false), 3);
    ck_assert_int_eq(going_on(7, true), 3);
    runs(1, (double[]){ 5 }); /* the first to come goes on */
    ck_assert(goes_on(0, 1));
    runs(3, (double[]){ 5, 5, 5 }); /* equal ones share a place */
    ck_assert_int_eq(going_on(3, false), 3);
}
END_TEST

START_TEST(runs_that_did_not_come_as_far_do_not_count)
{
    runs(6, (double[]){ 5, 3, 1, 4, 2, 6 });
    run[2].epochs = run[4].epochs = 1;
    ck_assert(!goes_on(0, 6)); /* the quota is two of four: 3 and 4 */
    ck_assert(goes_on(1, 6));
    ck_assert(goes_on(3, 6));
    run[3].epochs = 1; /* one of three */
    ck_assert(goes_on(1, 6));
    ck_assert(!goes_on(0, 6));
}
END_TEST

START_TEST(diverged_is_the_worst)
{
    runs(3, (double[]){ 5, 3, 1 });
    run[1].epochs = 0, run[1].metric = NULL, run[1].diverged = true; /* before the decision */
    run[2].epochs = 0, run[2].metric = NULL, run[2].diverged = true;
    ck_assert(goes_on(0, 3));
    /* W&B leaves them out: then 5 of {5, 4} would not be among the best third. With them, a third of four is two. */
    runs(4, (double[]){ 5, 4, 0, 0 });
    run[2].epochs = 0, run[2].diverged = true;
    ck_assert(!goes_on(0, 3));
    run[3].epochs = 0, run[3].diverged = true;
    ck_assert(goes_on(0, 4));
    /* It had been the best before it diverged. */
    runs(3, (double[]){ 5, 6, 0 });
    run[2].diverged = true;
    ck_assert(goes_on(0, 3));
}
END_TEST

START_TEST(what_is_not_finite_is_the_worst)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };
    for (int i = 0; i < 3; i++) {
        runs(3, (double[]){ 5, bad[i], 6 });
        ck_assert(goes_on(0, 3));
        ck_assert(!goes_on(1, 3));
        ck_assert(!cak_hyperband_goes_on(&by_three, true, 0, &run[1], run, 3));
    }
}
END_TEST

SUITE(hyperband, decisions_fall_at_powers_of_eta, the_best_third_goes_on, runs_that_did_not_come_as_far_do_not_count,
      diverged_is_the_worst, what_is_not_finite_is_the_worst)
