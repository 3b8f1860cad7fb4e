/* Execution: binding, shared slabs, no allocation, any number of threads, finding what is not finite. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/par.h"
#include "tests/support/graph_run.h"

static const cak_clock start = { 1, 0 };

START_TEST(binding)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(3), false);
    cak_ref w = cak_param(b.g, "w", &CAK_SHAPE(1), (cak_init){ 0 }), out[] = { cak_mul(b.g, x, w), x, CAK_NONE };
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, out, 3), NULL);
    real data[] = { 1, 2, 3 }, two = 2, other[] = { 4, 5, 6 };
    ck_assert(cak_exec_bind(e, "x", data) && cak_exec_bind(e, "w", &two) && !cak_exec_bind(e, "y", data));
    cak_exec_run(e, &start);
    ck_assert(cak_exec_data(e, out[0])[2] == 6);
    ck_assert_ptr_eq(cak_exec_data(e, out[1]), data);
    ck_assert_ptr_null(cak_exec_data(e, out[2]));
    data[2] = 10; /* read anew by each run */
    cak_exec_run(e, &start);
    ck_assert(cak_exec_data(e, out[0])[2] == 20);
    ck_assert(cak_exec_bind(e, "x", other)); /* bound again */
    cak_exec_run(e, &start);
    ck_assert(cak_exec_data(e, out[0])[0] == 8);
    cak_exec_close(e);
    cak_exec_close(NULL);
    close_bench(&b);
}
END_TEST

START_TEST(running_unbound_is_a_bug)
{
    pid_t pid = fork();
    if (!pid) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        bench b = open_bench();
        cak_ref y = cak_exp(b.g, cak_input(b.g, "x", &CAK_SHAPE(3), false));
        cak_exec_run(cak_exec_open(b.a, cak_plan(b.a, b.g, &y, 1), NULL), &start);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), CAK_EXIT_BUG);
}
END_TEST

/* A graph with sums of every kind over tensors of several blocks, a product and a convolution. */
static void large_graph(cak_graph *g, cak_ref out[4])
{
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(3, 2, 70, 90), true), w = cak_input(g, "w", &CAK_SHAPE(4, 2, 3, 3), false);
    cak_ref h = cak_tanh(g, cak_conv2d(g, x, w, 1, 1, 1)), m = cak_mean_axes(g, h, 1 << 2 | 1 << 3);
    cak_ref n =
        cak_mul(g, cak_sub(g, h, m), cak_rsqrt(g, cak_shift(g, cak_mean_axes(g, cak_square(g, h), 1 << 2 | 1 << 3), 1e-3)));
    out[0] = cak_mean(g, cak_square(g, n));
    out[1] = cak_grad(g, cak_mean(g, cak_abs(g, n)), w);
    out[2] = cak_sum_axes(g, n, 1 << 0 | 1 << 2);
    out[3] = cak_mul(g, n, cak_uniform(g, "a", &CAK_SHAPE(3, 1, 70, 90)));
}

START_TEST(same_bits_on_any_number_of_threads)
{
    int before = cak_threads();
    bench b = open_bench();
    cak_ref out[4];
    large_graph(b.g, out);
    const real **one = NULL;
    for (int threads = 1; threads <= 4; threads++) {
        cak_threads_set(threads);
        const real **y = run_planned(b.a, b.g, out, 4);
        if (!one) one = y;
        for (int i = 0; i < 4; i++)
            ck_assert_msg(!memcmp(one[i], y[i], (size_t)cak_shape_size(cak_shape_of(b.g, out[i])) * sizeof(real)),
                          "output %d on %d threads", i, threads);
    }
    cak_threads_set(before);
    close_bench(&b);
}
END_TEST

START_TEST(a_run_allocates_nothing)
{
    bench b = open_bench();
    cak_ref out[4];
    large_graph(b.g, out);
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, out, 4), NULL);
    cak_exec_bind(e, "x", random_data(b.a, "x", 3 * 2 * 70 * 90));
    cak_exec_bind(e, "w", random_data(b.a, "w", 72));
    cak_exec_run(e, &start);
    long count = cak_alloc_count();
    cak_exec_run(e, &start);
    ck_assert_int_eq(cak_alloc_count(), count);
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

START_TEST(programs_share_a_slab)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(1000), false), y = cak_exp(b.g, x), z = cak_sum(b.g, cak_sin(b.g, x));
    const cak_program *p = cak_plan(b.a, b.g, &y, 1), *q = cak_plan(b.a, b.g, &z, 1);
    cak_plan_info i = cak_program_info(p), k = cak_program_info(q);
    size_t bytes = i.slab + i.scratch > k.slab + k.scratch ? i.slab + i.scratch : k.slab + k.scratch;
    void *slab = cak_slab_alloc(bytes, "shared");
    cak_exec *e = cak_exec_open(b.a, p, slab), *f = cak_exec_open(b.a, q, slab);
    real *data = random_data(b.a, "x", 1000);
    cak_exec_bind(e, "x", data), cak_exec_bind(f, "x", data);
    for (int round = 0; round < 2; round++) {
        cak_exec_run(e, &start);
        ck_assert(cak_exec_data(e, y)[999] == CAK_MATH(exp)(data[999]));
        cak_exec_run(f, &start);
        ck_assert(isfinite(cak_exec_data(f, z)[0]) && fabs((double)cak_exec_data(f, z)[0]) < 1000);
    }
    cak_exec_close(e), cak_exec_close(f); /* neither frees it */
    ((char *)slab)[bytes - 1] = 1;
    cak_slab_free(slab, bytes);
    close_bench(&b);
}
END_TEST

START_TEST(the_clock_decides_what_is_drawn)
{
    bench b = open_bench();
    cak_ref y = cak_uniform(b.g, "alpha", &CAK_SHAPE(8, 1));
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, &y, 1), NULL);
    const cak_clock clocks[] = { { 1, 0 }, { 1, 1 }, { 2, 0 }, { 1, 0 } };
    real first[4];
    for (int k = 0; k < 4; k++) {
        cak_exec_run(e, &clocks[k]);
        first[k] = cak_exec_data(e, y)[0];
    }
    ck_assert(first[0] != first[1] && first[0] != first[2] && first[0] == first[3]);
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

START_TEST(what_is_not_finite_is_found)
{
    bench b = open_bench();
    real data[] = { 1, 2, -1, 4 };
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4), false), l = cak_log(b.g, cak_scale(b.g, x, 2)),
            y = cak_sum(b.g, cak_exp(b.g, l));
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, &y, 1), NULL);
    int64_t index = -1;
    double bad = 0;
    cak_exec_bind(e, "x", data);
    ck_assert_int_eq(cak_exec_find_nonfinite(e, &start, &index, &bad).id, l.id);
    ck_assert(index == 2 && isnan(bad));
    data[2] = 0;
    ck_assert_int_eq(cak_exec_find_nonfinite(e, &start, &index, &bad).id, l.id);
    ck_assert(index == 2 && bad == -HUGE_VAL);
    data[2] = 3;
    ck_assert(cak_is_none(cak_exec_find_nonfinite(e, &start, &index, &bad)));
    data[3] = INFINITY; /* it came from outside */
    ck_assert_int_eq(cak_exec_find_nonfinite(e, &start, &index, &bad).id, x.id);
    ck_assert(index == 3 && bad == HUGE_VAL);
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

SUITE(exec, running_unbound_is_a_bug, binding, same_bits_on_any_number_of_threads, a_run_allocates_nothing, programs_share_a_slab,
      the_clock_decides_what_is_drawn, what_is_not_finite_is_found)
