/* sum, mean, mean_abs over chosen axes. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

static const double x[] = { 1, -2, 3, -4, 5, -6 };

START_TEST(values)
{
    static const struct {
        const char *yaml;
        cak_shape shape;
        double want[3];
    } cases[] = {
        { "nodes: {y: {type: sum, inputs: [x]}}", CAK_SCALAR, { -3 } },
        { "nodes: {y: {type: mean, inputs: [x]}}", CAK_SCALAR, { -0.5 } },
        { "nodes: {y: {type: mean_abs, inputs: [x]}}", CAK_SCALAR, { 3.5 } },
        { "nodes: {y: {type: sum, axes: [0], inputs: [x]}}", CAK_SHAPE(3), { -3, 3, -3 } },
        { "nodes: {y: {type: mean, axes: [-1], inputs: [x]}}", CAK_SHAPE(2), { 2.0 / 3, -5.0 / 3 } },
        { "nodes: {y: {type: mean_abs, axes: [1], keep: true, inputs: [x]}}", CAK_SHAPE(2, 1), { 2, 5 } },
        { "nodes: {y: {type: sum, keep: true, inputs: [x]}}", CAK_SHAPE(1, 1), { -3 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cak_shape shape;
        graph_case c = { .yaml = cases[i].yaml, .out = "y", .in = { { "x", CAK_SHAPE(2, 3), .data = x } } };
        const real *y = graph_eval(&c, &shape);
        ck_assert_msg(cak_shape_equal(&shape, &cases[i].shape), "%s", cases[i].yaml);
        for (int64_t k = 0; k < cak_shape_size(&shape); k++) ck_close((double)y[k], cases[i].want[k], 1e-15);
    }
}
END_TEST

START_TEST(derivatives)
{
    static const char *const yaml[] = {
        "nodes: {y: {type: sum, inputs: [square(x)]}}", "nodes: {y: {type: mean, axes: [0], inputs: [exp(x)]}}",
        "nodes: {m: {type: mean_abs, axes: [1], keep: true, inputs: [x]}, y: {type: mul, inputs: [m, x]}}"
    };
    for (size_t i = 0; i < sizeof yaml / sizeof *yaml; i++)
        gradcheck(&(graph_case){ .yaml = yaml[i], .out = "y", .in = { { "x", CAK_SHAPE(2, 3), -1, 1, 0.05 } } });
}
END_TEST

START_TEST(refused)
{
    graph_case c = { .yaml = "nodes: {y: {type: mean, axes: [2], inputs: [x]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(2, 3), 0, 1 } } };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "axis 2 does not exist in a tensor of rank 2"));
    c.yaml = "nodes: {y: {type: sum, axes: [-3], inputs: [x]}}";
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "axis -3 does not exist"));
}
END_TEST

SUITE(reduce_all, values, derivatives, refused)
