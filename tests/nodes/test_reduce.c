/* reduce_sum against brute force over every subset of axes; expand; the same bits for any number of threads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/sum.h"
#include "tests/support/graph_test.h"
#include "tests/support/kernel_test.h"

extern const cak_node cak_node_reduce_sum, cak_node_expand;

static cak_ints axes_of(int mask)
{
    cak_ints a = { 0 };
    for (int i = 0; i < CAK_MAX_DIM; i++)
        if (mask >> i & 1) a.v[a.n++] = i;
    return a;
}

/* Flat index in the reduced tensor of element i of x. */
static int64_t target(const cak_shape *x, const cak_shape *y, int64_t i)
{
    int64_t at = 0, step = 1;
    for (int k = x->rank - 1; k >= 0; k--) {
        if (y->dim[k] > 1) at += i % x->dim[k] * step;
        step *= y->dim[k];
        i /= x->dim[k];
    }
    return at;
}

static void check_sum(cak_shape shape, int mask)
{
    cak_ints axes = axes_of(mask);
    cak_view x = random_view(shape, mask + 1);
    for (int k = 0; k < shape.rank; k++)
        if (mask >> k & 1) shape.dim[k] = 1;
    cak_view y = empty_view(shape), want = empty_view(shape);
    int64_t n = cak_shape_size(&x.shape), m = cak_shape_size(&shape);
    for (int64_t i = 0; i < m; i++) want.data[i] = 0;
    for (int64_t i = 0; i < n; i++) want.data[target(&x.shape, &shape, i)] += x.data[i];
    run_kernel(&cak_node_reduce_sum, &axes, &x, 1, y);
    for (int64_t i = 0; i < m; i++)
        ck_assert_msg(fabs((double)(y.data[i] - want.data[i])) < 1e-10, "rank %d axes %x element %d", shape.rank, mask, (int)i);
}

START_TEST(sums_over_every_subset)
{
    static const cak_shape shapes[] = {
        CAK_SHAPE(7),
        CAK_SHAPE(1),
        CAK_SHAPE(9000),
        CAK_SHAPE(3, 5),
        CAK_SHAPE(1, 4),
        CAK_SHAPE(4, 1),
        CAK_SHAPE(2, 9000),
        CAK_SHAPE(9000, 2),
        CAK_SHAPE(3, 600, 2),
        CAK_SHAPE(2, 3, 4),
        CAK_SHAPE(2, 1, 4),
        CAK_SHAPE(3, 4, 5, 2),
        CAK_SHAPE(1, 4, 1, 5),
        CAK_SHAPE(2, 3, 70, 65),
        CAK_SHAPE(2, 1, 3, 1, 2),
        CAK_SHAPE(2, 3, 2, 2, 3),
        CAK_SHAPE(1, 1, 1, 1, 1),
        CAK_SHAPE(3, 1, 2, 5, 600),
        CAK_SHAPE(2, 3, 40, 27, 16), /* rows of lanes that stay apart, in two chunks */
        CAK_SHAPE(20003, 16),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int mask = 0; mask < 1 << shapes[i].rank; mask++) check_sum(shapes[i], mask);
    release_views();
}
END_TEST

START_TEST(sums_have_the_same_bits_on_any_number_of_threads)
{
    static const cak_shape shapes[] = { CAK_SHAPE(300001), CAK_SHAPE(4, 3, 50, 129), CAK_SHAPE(129, 300),
                                        CAK_SHAPE(2, 3, 40, 27, 16) };
    int before = cak_threads();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int mask = 1; mask < 1 << shapes[i].rank; mask++) {
            cak_ints axes = axes_of(mask);
            cak_shape shape = shapes[i];
            cak_view x = random_view(shape, mask);
            for (int k = 0; k < shape.rank; k++)
                if (mask >> k & 1) shape.dim[k] = 1;
            cak_view y[4];
            for (int t = 0; t < 4; t++) {
                cak_threads_set(t + 1);
                y[t] = empty_view(shape);
                run_kernel(&cak_node_reduce_sum, &axes, &x, 1, y[t]);
                ck_assert(same_bits(y[0], y[t]));
            }
        }
    }
    cak_threads_set(before);
    release_views();
}
END_TEST

START_TEST(rows_are_summed_in_the_promised_order)
{
    enum { N = 2 * CAK_SUM_CHUNK + 1000 };
    cak_view x = random_view(CAK_SHAPE(1, N), 7), y = empty_view(CAK_SHAPE(1, 1));
    double lane[CAK_SUM_LANES] = { 0 }, want = 0;
    for (int64_t from = 0; from < N; from += CAK_SUM_CHUNK) {
        double part[CAK_SUM_LANES] = { 0 };
        for (int64_t i = from; i < cak_min64(N, from + CAK_SUM_CHUNK); i++) part[i % CAK_SUM_LANES] += (double)x.data[i];
        for (int k = 0; k < CAK_SUM_LANES; k++) lane[k] += part[k];
    }
    for (int k = 0; k < CAK_SUM_LANES; k++) want += lane[k];
    run_kernel(&cak_node_reduce_sum, &(cak_ints){ 1, { 1 } }, &x, 1, y);
    ck_assert(y.data[0] == (real)want);
    release_views();
}
END_TEST

START_TEST(derivatives)
{
    static const char *const yaml[] = {
        "nodes: {s: {type: reduce_sum, inputs: [x], axes: [0, 2]}, y: {type: mul, inputs: [s, s]}}",
        "nodes: {s: {type: reduce_sum, inputs: [x], axes: [1]}, y: {type: mul, inputs: [s, x]}}",
        "nodes: {s: {type: expand, inputs: [x], shape: [5, 2, 3, 4]}, y: {type: mul, inputs: [s, s]}}",
        "nodes: {e: {type: expand, inputs: [z], shape: [2, 0, 4]}, y: {type: mul, inputs: [e, x]}}",
    };
    for (size_t i = 0; i < sizeof yaml / sizeof *yaml; i++)
        gradcheck(&(graph_case){
            .yaml = yaml[i], .out = "y", .in = { { "x", CAK_SHAPE(2, 3, 4), -1, 1 }, { "z", CAK_SHAPE(1, 3, 1), -1, 1 } } });
}
END_TEST

START_TEST(expand_repeats)
{
    static const double x[] = { 1, 2, 3 };
    cak_shape shape;
    graph_case c = { .yaml = "nodes: {y: {type: expand, inputs: [x], shape: [2, 0, 2]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(3, 1), .data = x } } };
    const real *y = graph_eval(&c, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(2, 3, 2)));
    for (int i = 0; i < 12; i++) ck_assert(y[i] == x[i / 2 % 3]);
    c.yaml = "nodes: {y: {type: expand, inputs: [3], shape: [2]}}";
    y = graph_eval(&c, &shape);
    ck_assert(shape.dim[0] == 2 && y[0] == 3 && y[1] == 3);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *node, *message;
    } bad[] = {
        { "reduce_sum, axes: [3]", "axis 3 does not exist in a tensor of rank 2" },
        { "reduce_sum, axes: [-1]", "axis -1 does not exist" },
        { "expand, shape: [4, 3]", "shape [2,3] does not expand to [4,3]" },
        { "expand, shape: [3]", "does not expand" },
        { "expand, shape: [-2, 3]", "extent -2 of axis 0 is negative" },
        { "expand, shape: [1, 1, 1, 1, 2, 3]", "at most 5 axes" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml, "nodes: {y: {inputs: [x], type: %s}}", bad[i].node);
        const char *got = graph_errors(&(graph_case){ .yaml = yaml, .out = "y", .in = { { "x", CAK_SHAPE(2, 3), 0, 1 } } });
        ck_assert_msg(strstr(got, bad[i].message) != NULL, "%s", got);
    }
}
END_TEST

SUITE(reduce, sums_over_every_subset, sums_have_the_same_bits_on_any_number_of_threads, rows_are_summed_in_the_promised_order,
      derivatives, expand_repeats, refused)
