/* What is computed in slices and what is kept between rounds; plans as text. */
#include <string.h>

#include "graph/par.h"
#include "graph/plan.h"
#include "tests/support/graph_run.h"

enum { BATCH = 8 };

static bool holds(const int *list, int n, cak_ref r)
{
    for (int i = 0; i < n; i++)
        if (list[i] == r.id) return true;
    return false;
}

static bool adds_up(const cak_program *p, int k, cak_ref r) { return holds(p->round[k].total, p->round[k].n_total, r); }
static bool stores(const cak_program *p, int k, cak_ref r) { return holds(p->round[k].stored, p->round[k].n_stored, r); }

static bool computes(const cak_program *p, int k, cak_ref r)
{
    const cak_variant *v = &p->round[k].variant[0];
    for (int t = 0; t < v->slot.n; t++)
        if (holds(v->job[t].unit.id, v->job[t].unit.n, r)) return true;
    return false;
}

static const cak_program *plan_plain(const bench *b, const cak_ref *out, int n)
{
    return cak_plan_with(b->a, b->g, out, n, &(cak_plan_options){ .plain = true });
}

/* A row that a later round needs is kept if it has fewer than 256 elements, and computed again otherwise. */
START_TEST(rows_between_rounds)
{
    for (int64_t width = 255; width <= 256; width++) {
        bench b = open_bench();
        cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(BATCH, width), true), row = cak_tanh(b.g, x), seen = cak_detach(b.g, row);
        cak_ref sum = cak_sum_axes(b.g, row, 1), y = cak_sum_axes(b.g, cak_mul(b.g, seen, sum), 3);
        const cak_program *p = plan_plain(&b, &y, 1);
        bool kept = width < 256;
        ck_assert_int_eq(p->info.rounds, 2);
        ck_assert(adds_up(p, 0, sum) && adds_up(p, 1, y) && p->round[0].n_total == 1);
        ck_assert_int_eq(stores(p, 0, row), kept);
        ck_assert_int_eq(p->round[0].n_stored, kept);
        ck_assert(computes(p, 0, row) && computes(p, 1, row) == !kept);
        close_bench(&b);
    }
}
END_TEST

/* What a small value is computed from need not be kept for a later round. */
START_TEST(rows_behind_kept_rows)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(BATCH, 400), true), wide = cak_tanh(b.g, x);
    cak_ref column = cak_sum_axes(b.g, wide, 1 << 1), last = cak_exp(b.g, column);
    cak_ref first = cak_sum_axes(b.g, column, 1 << 0), y = cak_sum(b.g, cak_mul(b.g, last, first));
    const cak_program *p = plan_plain(&b, &y, 1);
    ck_assert(stores(p, 0, last) && !computes(p, 1, last) && !computes(p, 1, column) && !computes(p, 1, wide));
    ck_assert_int_eq(p->round[0].n_stored, 1);
    close_bench(&b);
}
END_TEST

/* What only a row that is kept for the third round reads is kept for the second. */
START_TEST(rows_over_three_rounds)
{
    bench b = open_bench();
    cak_graph *g = b.g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(BATCH, 16), true), row = cak_tanh(g, x), first = cak_sum_axes(g, row, 1);
    cak_ref inner = cak_exp(g, row), later = cak_mul(g, inner, first), other = cak_cos(g, row);
    cak_ref second = cak_sum_axes(g, cak_mul(g, other, first), 1), y = cak_sum_axes(g, cak_mul(g, later, second), 1);
    const cak_program *p = plan_plain(&b, &y, 1);
    ck_assert_int_eq(p->info.rounds, 3);
    ck_assert(stores(p, 0, inner) && stores(p, 0, other) && stores(p, 1, later));
    ck_assert(p->round[0].n_stored == 2 && p->round[1].n_stored == 1 && !computes(p, 1, inner) && !computes(p, 2, later));
    close_bench(&b);
}
END_TEST

/* Of sums with 4096 elements or more, what linear nodes make of them is added up. */
START_TEST(large_sums)
{
    for (int64_t width = 63; width <= 64; width++) {
        bench b = open_bench();
        cak_graph *g = b.g;
        cak_ref x = cak_input(g, "x", &CAK_SHAPE(BATCH, 64), true), u = cak_input(g, "u", &CAK_SHAPE(BATCH, width), true);
        cak_ref w = cak_param(g, "w", &CAK_SHAPE(width, 2), (cak_init){ 0 });
        cak_ref sum = cak_matmul(g, x, u, true, false), flat = cak_reshape(g, sum, &CAK_SHAPE(64 * width, 1));
        cak_ref less = cak_matmul(g, cak_reshape(g, flat, &CAK_SHAPE(64, width)), w, false, false);
        const cak_program *p = plan_plain(&b, &less, 1);
        bool large = width == 64;
        ck_assert(p->info.rounds == 1 && p->round[0].n_total == 1);
        ck_assert(adds_up(p, 0, sum) == !large && adds_up(p, 0, less) == large);
        cak_ref both[] = { less, flat }; /* the sum itself is wanted, too */
        p = plan_plain(&b, both, 2);
        ck_assert(adds_up(p, 0, sum) && adds_up(p, 0, less) == large);
        close_bench(&b);
    }
}
END_TEST

START_TEST(what_is_not_linear_in_sums)
{
    bench b = open_bench();
    cak_graph *g = b.g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(BATCH, 64), true), w = cak_param(g, "w", &CAK_SHAPE(64, 64), (cak_init){ 0 });
    cak_ref sum = cak_matmul(g, x, x, true, false), other = cak_matmul(g, cak_tanh(g, x), x, true, false);
    cak_ref later = cak_matmul(g, cak_matmul(g, x, sum, false, false), x, true, false);
    cak_ref linear[] = { cak_sub(g, sum, other), cak_mul(g, sum, w), cak_scale(g, sum, 3) };
    cak_ref not [] = { cak_mul(g, sum, sum), cak_mul(g, sum, other), cak_add(g, sum, w), cak_tanh(g, sum),
                       cak_add(g, sum, later) };
    cak_ref out[] = { linear[0], linear[1], linear[2], not [0], not [1], not [2], not [3], not [4] };
    const cak_program *p = plan_plain(&b, out, 8);
    ck_assert_int_eq(p->info.rounds, 2);
    for (int i = 0; i < 3; i++) ck_assert(adds_up(p, 0, linear[i]));
    for (int i = 0; i < 5; i++) ck_assert(!p->slices.sliced[not [i].id]);
    ck_assert(adds_up(p, 0, sum) && adds_up(p, 0, other) && adds_up(p, 1, later));
    close_bench(&b);
}
END_TEST

/* Slices are a power of two, a quarter of the batch at most, of values of 1 MiB at most. */
START_TEST(samples_of_a_slice)
{
    static const int64_t at[][3] = { { 2, 1, 1 },   { 7, 1, 1 },      { 8, 1, 2 },      { 16, 1, 4 },      { 17, 1, 4 },
                                     { 64, 1, 16 }, { 64, 65536, 4 }, { 64, 65537, 2 }, { 64, 1 << 20, 1 } };
    for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
        bench b = open_bench();
        cak_ref y = cak_sum(b.g, cak_exp(b.g, cak_input(b.g, "x", &CAK_SHAPE(at[k][0], at[k][1]), true)));
        cak_plan_info i = cak_program_info(cak_plan(b.a, b.g, &y, 1));
        ck_assert_int_eq(i.rows, at[k][2]);
        ck_assert_int_eq(i.batch, at[k][0]);
        close_bench(&b);
    }
}
END_TEST

#ifdef _OPENMP
enum { MOST_THREADS = 3 };
#else
enum { MOST_THREADS = 1 };
#endif

/* The numbers of a plan, in bytes: what it keeps for the batch, what a slice needs, the sums. */
START_TEST(numbers_of_a_plan)
{
    int before = cak_threads();
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(16, 16), true), row = cak_exp(b.g, x);
    cak_ref sum = cak_sum_axes(b.g, row, 1), out[] = { row, cak_tanh(b.g, sum) };
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        cak_threads_set(threads);
        cak_program *p = cak_plan(b.a, b.g, out, 2);
        cak_plan_info i = p->info;
        ck_assert(i.batch == 16 && i.rows == 4 && i.rounds == 1 && i.slots == threads && i.threads == 1);
        ck_assert(i.values == 4 && i.kernels == 3 && i.folds == 1 && i.mixed == 0);
        ck_assert_uint_eq(i.external, 16 * 64);
        ck_assert_uint_eq(i.sum, 16 * 64 + 64 + 64);
        ck_assert_uint_eq(p->main.slab, 16 * 64 + 64); /* the rows; the sum gives its place to its tanh */
        ck_assert_uint_eq(p->slot_slab, 4 * 64 + 64);
        ck_assert_uint_eq(p->sums, 16 * sizeof(double));
        ck_assert_uint_eq(i.slab, p->main.slab + (size_t)i.slots * (p->slot_slab + p->slot_rows));
        ck_assert_uint_ge(i.scratch, p->sums + (size_t)i.slots * p->slot_scratch);
    }
    cak_threads_set(before);
    close_bench(&b);
}
END_TEST

START_TEST(a_plan_as_text)
{
    int before = cak_threads();
    cak_threads_set(2);
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(8, 16), true), row = cak_exp(b.g, x);
    cak_ref sum = cak_sum_axes(b.g, row, 1), y = cak_sum_axes(b.g, cak_mul(b.g, row, cak_tanh(b.g, sum)), 1);
    cak_ref out[] = { y, cak_tanh(b.g, sum) };
    char *text = cak_program_text(b.a, plan_plain(&b, out, 2));
    const char *const lines[] = {
        "values 6, kernels 5, folds over samples 2, mixed 0\n",
        MOST_THREADS > 1 ? "batch 8, slices of 2, rounds 2, slices at a time 2, threads of each 1\n"
                         : "batch 8, slices of 2, rounds 2, slices at a time 1, threads of each 1\n",
        "      for each slice of samples: slab 192 bytes (live peak 192), order creation\n"
        "   0  %1     exp                       128            0      0-2     [2,16]\n"
        "   1  %2     reduce_sum                 64          128      1-2     [1,16]\n"
        "      for the batch: 1 sums, 1 stored values\n"
        "   0  %2     reduce_sum                 64          512      0-3     [1,16]\n"
        "   0  %1     exp                       512            0      0-2     [8,16]\n"
        "   1  %3     tanh                       64          512      0-3     [1,16]\n"
        "      for each slice of samples: slab 192 bytes (live peak 192), order creation\n"
        "   0  %4     mul                       128            0      0-1     [2,16]\n"
        "   1  %5     reduce_sum                 64          128      1-2     [1,16]\n"
        "      for the batch: 1 sums, 0 stored values\n"
        "   2  %5     reduce_sum                 64          576      2-3     [1,16]\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(text, lines[i]), "no \"%s\" in\n%s", lines[i], text);
    ck_assert_str_eq(text, cak_program_text(b.a, plan_plain(&b, out, 2)));
    cak_threads_set(before);
    close_bench(&b);
}
END_TEST

SUITE(slices, rows_between_rounds, rows_behind_kept_rows, rows_over_three_rounds, large_sums, what_is_not_linear_in_sums,
      samples_of_a_slice, numbers_of_a_plan, a_plan_as_text)
