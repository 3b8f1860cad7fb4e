/* Parallel loops visit every item once; the sum of a block has a fixed order. */
#include <math.h>
#include <string.h>

#include "graph/par.h"
#include "tests/support/suite.h"

START_TEST(every_item_once)
{
    static int visits[100000];
    int before = cak_threads();
    for (int threads = 1; threads <= 3; threads++) {
        cak_threads_set(threads);
        static const int64_t sizes[] = { 0, 1, 7, CAK_SMALL - 1, CAK_SMALL, 100000 };
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            memset(visits, 0, sizeof visits);
            CAK_PARALLEL_FOR (i, sizes[k], sizes[k]) {
                visits[i]++;
                if (cak_thread() >= threads) visits[i] = 1000;
            }
            for (int64_t i = 0; i < 100000; i++) ck_assert_int_eq(visits[i], i < sizes[k]);
        }
    }
    cak_threads_set(before);
}
END_TEST

#ifdef _OPENMP
START_TEST(threads_are_counted)
{
    int before = cak_threads(), inside[2] = { 0 };
    cak_threads_set(2);
    ck_assert_int_eq(cak_threads(), 2);
    CAK_PARALLEL_FOR (i, 2, CAK_SMALL) inside[i] = cak_threads();
    ck_assert(inside[0] == 1 && inside[1] == 1); /* no regions inside regions */
    cak_threads_set(before);
}
END_TEST
#else
START_TEST(threads_are_counted) { ck_assert(cak_threads() == 1 && cak_thread() == 0); }
END_TEST
#endif

static struct seen {
    int begins, ends;
    int64_t items, work;
} seen;

static void watch(int64_t items, int64_t work, bool begins)
{
    seen.begins += begins, seen.ends += !begins;
    if (begins) seen.items += items, seen.work += work;
    else ck_assert_int_eq(seen.begins, seen.ends);
}

START_TEST(loops_are_watched)
{
    int visits = 0, before = cak_threads();
    cak_threads_set(1);
    cak_loop_watched = watch;
    CAK_PARALLEL_FOR (i, 5, 100) visits += seen.begins == 1 && seen.ends == 0;
    if (visits == 5)
        CAK_PARALLEL_FOR (i, 0, CAK_SMALL) visits++;
    else visits = 0; /* belongs to the if */
    cak_loop_watched = NULL;
    CAK_PARALLEL_FOR (i, 7, 100) visits++;
    ck_assert(visits == 12 && seen.begins == 2 && seen.ends == 2 && seen.items == 5 && seen.work == 100 + CAK_SMALL);
    cak_threads_set(before);
}
END_TEST

START_TEST(sum_of_a_block)
{
    static real x[1000];
    for (int i = 0; i < 1000; i++) x[i] = (real)sin(i * 0.7);
    static const int sizes[] = { 0, 1, 7, 8, 9, 16, 999, 1000 };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        double lane[8] = { 0 }, want = 0; /* the order that the header promises: eight lanes, then the lanes */
        for (int i = 0; i < sizes[k]; i++) lane[i % 8] += (double)x[i];
        for (int i = 0; i < 8; i++) want += lane[i];
        ck_assert(cak_sum_block(x, sizes[k]) == want);
    }
}
END_TEST

START_TEST(blocks)
{
    ck_assert(cak_blocks(0) == 0 && cak_blocks(1) == 1 && cak_blocks(CAK_BLOCK) == 1 && cak_blocks(CAK_BLOCK + 1) == 2);
    ck_assert(cak_min64(-1, 2) == -1 && cak_max64(-1, 2) == 2);
}
END_TEST

SUITE(par, every_item_once, threads_are_counted, loops_are_watched, sum_of_a_block, blocks)
