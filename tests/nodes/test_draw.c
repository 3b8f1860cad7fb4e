/* Random values: range, distribution, streams, no gradient. */
#include <math.h>
#include <string.h>

#include "graph/attr_types.h"
#include "tests/support/graph_test.h"

extern const cak_node cak_node_draw;

START_TEST(uniform_and_normal)
{
    enum { N = 40000 };
    for (int normal = 0; normal < 2; normal++) {
        cak_shape shape;
        graph_case c = { .yaml = normal ? "nodes: {y: {type: draw, stream: a, shape: [40, 1000], dist: normal}}"
                                        : "nodes: {y: {type: draw, stream: a, shape: [40, 1000]}}",
                         .out = "y" };
        const real *y = graph_eval(&c, &shape);
        ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(40, 1000)));
        double sum = 0, squares = 0;
        for (int i = 0; i < N; i++) {
            if (!normal) ck_assert(y[i] >= 0 && y[i] < 1);
            sum += (double)y[i], squares += (double)(y[i] * y[i]);
        }
        double mean = sum / N, var = squares / N - mean * mean;
        ck_assert_double_lt(fabs(mean - (normal ? 0 : 0.5)), 0.02);
        ck_assert_double_lt(fabs(var - (normal ? 1 : 1.0 / 12)), normal ? 0.03 : 0.003);
    }
}
END_TEST

START_TEST(streams)
{
    graph_case c = { .yaml = "nodes: {a: {type: draw, stream: a, shape: [8]}, b: {type: draw, stream: b, shape: [8]}, "
                             "same: {type: draw, stream: a, shape: [8]}, d: {type: sub, inputs: [a, b]}, "
                             "e: {type: sub, inputs: [a, same]}}",
                     .out = "d" };
    const real *d = graph_eval(&c, NULL);
    for (int i = 0; i < 8; i++) ck_assert(d[i] != 0);
    c.out = "e";
    d = graph_eval(&c, NULL);
    for (int i = 0; i < 8; i++) ck_assert(d[i] == 0);
}
END_TEST

/* What a slice of the batch draws is what the whole batch draws for these samples. */
START_TEST(slices_draw_the_same)
{
    enum { ROW = 6 };
    static const cak_clock now = { 3, 8 };
    static const int64_t sample[] = { 4, 1, 2 };
    for (int dist = 0; dist < 2; dist++) {
        cak_draw_attr a = { "noise", { 3, { 5, 2, 3 } }, dist };
        real all[5 * ROW], some[3 * ROW];
        cak_node_draw.run(&(cak_work){ .attr = &a, .clock = &now, .y = { CAK_SHAPE(5, 2, 3), all } });
        cak_node_draw.run(&(cak_work){ .attr = &a, .clock = &now, .y = { CAK_SHAPE(3, 2, 3), some }, .sample = sample });
        for (int i = 0; i < 3 * ROW; i++) ck_assert(some[i] == all[sample[i / ROW] * ROW + i % ROW]);
    }
}
END_TEST

START_TEST(refused)
{
    graph_case c = { .yaml = "nodes: {y: {type: draw, stream: a, shape: [2, 0]}}", .out = "y" };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "axis 1 of a random tensor needs an extent of at least 1"));
    c.yaml = "nodes: {y: {type: draw, stream: a, shape: [1, 1, 1, 1, 1, 1]}}";
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "at most 5 axes"));
}
END_TEST

START_TEST(no_gradient_goes_through)
{
    gradcheck(&(graph_case){ .yaml = "nodes: {u: {type: draw, stream: a, shape: [4]}, y: {type: mul, inputs: [u, exp(x)]}}",
                             .out = "y",
                             .in = { { "x", CAK_SHAPE(4), -1, 1 } } });
}
END_TEST

SUITE(draw, uniform_and_normal, streams, slices_draw_the_same, refused, no_gradient_goes_through)
