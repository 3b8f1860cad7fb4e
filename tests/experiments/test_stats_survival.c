/* Survival: the leukaemia data of Freireich et al., values derived by hand, products over single events, and the edges. */
#include "tests/support/stats_test.h"

/* Freireich et al. (1963): weeks of remission of 21 children with 6-MP and 21 without. */
static const double weeks_mp[] = { 6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35 };
static const bool event_mp[] = { 1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0 };
static const double weeks_placebo[] = { 23, 1, 22, 1, 2, 2, 3, 17, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15 };
static const bool event_placebo[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
static const cak_times mp = { weeks_mp, event_mp, 21 }, placebo = { weeks_placebo, event_placebo, 21 };

START_TEST(kaplan_meier_published)
{
    cak_arena *a = cak_arena_open("test");
    /* As `sts list` of Stata prints them, four digits (G. Rodriguez, data.princeton.edu/eco572/KaplanMeier.html). */
    static const double want[][6] = { { 6, 21, 3, 0.8571, 0.6197, 0.9516 },  { 7, 17, 1, 0.8067, 0.5631, 0.9228 },
                                      { 10, 15, 1, 0.7529, 0.5032, 0.8894 }, { 13, 12, 1, 0.6902, 0.4316, 0.8491 },
                                      { 16, 11, 1, 0.6275, 0.3675, 0.8049 }, { 22, 7, 1, 0.5378, 0.2678, 0.7468 },
                                      { 23, 6, 1, 0.4482, 0.1881, 0.6801 } };
    cak_survival s = cak_kaplan_meier(a, &mp, 0.95);
    ck_assert_int_eq(s.n, N(want));
    for (int i = 0; i < s.n; i++) {
        const cak_survival_step *t = &s.step[i];
        ck_assert(t->time == want[i][0] && t->at_risk == want[i][1] && t->events == want[i][2]);
        ck_assert_msg(fabs(t->survival - want[i][3]) < 6e-5 && fabs(t->low - want[i][4]) < 6e-5 &&
                          fabs(t->high - want[i][5]) < 6e-5,
                      "at %g: %g [%g, %g]", t->time, t->survival, t->low, t->high);
    }
    ck_assert(s.median == 23);

    s = cak_kaplan_meier(a, &placebo, 0.95);
    ck_assert(s.n == 12 && s.median == 8);
    ck_assert(fabs(s.step[0].survival - 0.9048) < 6e-5 && fabs(s.step[0].low - 0.6700) < 6e-5 &&
              fabs(s.step[0].high - 0.9753) < 6e-5);
    ck_assert(fabs(s.step[1].survival - 0.8095) < 6e-5 && fabs(s.step[1].low - 0.5689) < 6e-5 &&
              fabs(s.step[1].high - 0.9239) < 6e-5);
    ck_assert(s.step[11].survival == 0 && isnan(s.step[11].low) && isnan(s.step[11].high));
    cak_arena_close(a);
}
END_TEST

START_TEST(kaplan_meier_against_products)
{
    cak_arena *a = cak_arena_open("test");
    for (int round = 0; round < 40; round++) {
        enum { MOST = 30 };
        int n = 1 + round % MOST;
        double time[MOST], coin[MOST];
        bool event[MOST];
        draw_values(time, n, round + 2000, 6, true);
        draw_values(coin, n, round + 3000, 1, false);
        for (int i = 0; i < n; i++) event[i] = coin[i] < round % 3 - 0.5;
        cak_survival s = cak_kaplan_meier(a, &(cak_times){ time, event, n }, 0.95);
        int found = 0;
        for (double t = -6; t <= 6;
             t++) { /* S(t): for each event until t, the share of those at risk that it leaves, ties in turn */
            double survival = 1;
            bool now = false;
            for (double u = -6; u <= t; u++) {
                int risk = 0;
                for (int i = 0; i < n; i++) risk += time[i] >= u;
                for (int i = 0; i < n; i++)
                    if (time[i] == u && event[i]) survival *= (risk - 1.0) / risk, risk--, now = u == t;
            }
            if (!now) continue;
            ck_assert(found < s.n && s.step[found].time == t);
            ck_assert(fabs(s.step[found++].survival - survival) < 1e-14);
            ck_assert((survival <= 0.5 + 1e-12) == (s.median <= t));
        }
        ck_assert_int_eq(found, s.n);
    }
    cak_arena_close(a);
}
END_TEST

START_TEST(kaplan_meier_edges)
{
    cak_arena *a = cak_arena_open("test");
    double time[60];
    bool event[60], never[60] = { 0 };
    for (int i = 0; i < 60; i++) time[i] = i + 1, event[i] = true;
    for (int n = 2; n <= 60; n += 2)
        ck_assert(cak_kaplan_meier(a, &(cak_times){ time, event, n }, 0.95).median == n / 2.0); /* S = 1/2 there */
    cak_survival s = cak_kaplan_meier(a, &(cak_times){ time, never, 5 }, 0.95);
    ck_assert(s.n == 0 && s.median == worst);
    s = cak_kaplan_meier(a, &(cak_times){ time, event, 1 }, 0.95);
    ck_assert(s.n == 1 && s.step[0].survival == 0 && s.median == 1);
    for (int i = 0; i < 60; i++) time[i] = 7;
    s = cak_kaplan_meier(a, &(cak_times){ time, event, 60 }, 0.95);
    ck_assert(s.n == 1 && s.step[0].at_risk == 60 && s.step[0].events == 60 && s.median == 7);
    event[0] = event[1] = false; /* those censored at 7 are at risk at 7 */
    s = cak_kaplan_meier(a, &(cak_times){ time, event, 4 }, 0.95);
    ck_assert(s.n == 1 && s.step[0].at_risk == 4 && s.step[0].survival == 0.5 && s.median == 7);
    s = cak_kaplan_meier(a, &(cak_times){ (const double[]){ 1, worst, worst }, (const bool[]){ true, false, false }, 3 }, 0.95);
    ck_assert(s.n == 1 && s.step[0].at_risk == 3 && s.median == worst);
    s = cak_kaplan_meier(a, &(cak_times){ NULL, NULL, 0 }, 0.95);
    ck_assert(s.n == 0 && isnan(s.median));
    s = cak_kaplan_meier(a, &(cak_times){ (const double[]){ 1, NAN }, event + 2, 2 }, 0.95);
    ck_assert(s.n == 0 && isnan(s.median));
    cak_arena_close(a);
}
END_TEST

START_TEST(log_rank)
{
    /* 16.79 in the literature on these data, p = 4.17e-05 (R: survdiff). */
    cak_test t = cak_log_rank(&mp, &placebo), swapped = cak_log_rank(&placebo, &mp);
    ck_assert(fabs(t.statistic - 16.79) < 0.005 && fabs(t.p - 4.17e-5) < 5e-8 && t.n == 42 && !t.exact);
    ck_close(t.statistic, swapped.statistic, 1e-13);

    /* By hand. a: 1, 3; b: 2, 4 censored. At 1: 1/2 expected, variance 1/4; at 2: 1/3, 2/9; at 3: 1/2, 1/4. Excess 2 - 4/3. */
    const cak_times a = { (const double[]){ 3, 1 }, (const bool[]){ true, true }, 2 };
    const cak_times b = { (const double[]){ 2, 4 }, (const bool[]){ true, false }, 2 };
    ck_test(cak_log_rank(&a, &b), (4 / 9.0) / (13 / 18.0), erfc(sqrt(8 / 13.0 / 2)), 4, false, 1e-12);
    /* Ties: at 5, 2 of 2 in a and 1 of 3 in b: expected 3 x 2/5, variance 3 x 6/25 x 2/4. */
    const cak_times c = { (const double[]){ 5, 5 }, (const bool[]){ true, true }, 2 };
    const cak_times e = { (const double[]){ 5, 9, 5 }, (const bool[]){ true, false, false }, 3 };
    ck_test(cak_log_rank(&c, &e), 0.64 / 0.36, erfc(0.8 / 0.6 / sqrt(2)), 5, false, 1e-12);

    const cak_times censored = { weeks_mp, (const bool[21]){ 0 }, 21 }, empty = { NULL, NULL, 0 };
    const cak_times hole = { (const double[]){ NAN }, event_placebo, 1 };
    ck_test(cak_log_rank(&censored, &censored), 0, 1, 42, false, 0);
    ck_assert(cak_log_rank(&mp, &mp).p > 1 - 1e-6);
    ck_test(cak_log_rank(&(cak_times){ weeks_mp, event_placebo, 3 }, &(cak_times){ weeks_mp, event_placebo, 3 }), 0, 1, 6, false,
            1e-9);
    ck_nan(cak_log_rank(&mp, &empty).p);
    ck_nan(cak_log_rank(&empty, &mp).p);
    ck_nan(cak_log_rank(&mp, &hole).p);
    ck_nan(cak_log_rank(&hole, &mp).p);
}
END_TEST

SUITE(stats_survival, kaplan_meier_published, kaplan_meier_against_products, kaplan_meier_edges, log_rank)
