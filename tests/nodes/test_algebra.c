/* grad, lerp, concat, random. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

START_TEST(grad_is_the_derivative)
{
    static const double x[] = { -1, 0.5, 2 };
    graph_case c = { .yaml = "nodes: {g: {type: grad, inputs: [exp(x), x]}, h: {type: grad, inputs: [g, x]}, "
                             "k: {type: grad, inputs: [\"mul(x, square(x))\", x]}, l: {type: grad, inputs: [k, x]}}",
                     .in = { { "x", CAK_SHAPE(3), .data = x } } };
    static const char *const names[] = { "g", "h", "k", "l" };
    for (int k = 0; k < 4; k++) {
        c.out = names[k];
        const real *y = graph_eval(&c, NULL);
        for (int i = 0; i < 3; i++) ck_close((double)y[i], k < 2 ? exp(x[i]) : k == 2 ? 3 * x[i] * x[i] : 6 * x[i], 1e-14);
    }
    c.yaml = "nodes: {g: {type: grad, inputs: [detach(x), x]}}";
    c.out = "g";
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "g: y does not depend on x through differentiable nodes [E3005]"));
}
END_TEST

START_TEST(lerp_mixes)
{
    static const double a[] = { 1, 2, 3, 4 }, b[] = { 5, 6, 7, 8 }, w[] = { 0.25, 1 };
    graph_case c = {
        .yaml = "nodes: {y: {type: lerp, inputs: [a, b, w]}}",
        .out = "y",
        .in = { { "a", CAK_SHAPE(2, 2), .data = a }, { "b", CAK_SHAPE(2, 2), .data = b }, { "w", CAK_SHAPE(2), .data = w } }
    };
    const real *y = graph_eval(&c, NULL);
    for (int i = 0; i < 4; i++) ck_close((double)y[i], w[i / 2] * a[i] + (1 - w[i / 2]) * b[i], 1e-15);
    c.yaml = "nodes: {y: {type: lerp, inputs: [a, b, 0.5]}}";
    ck_assert(graph_eval(&c, NULL)[0] == 3);
    gradcheck(
        &(graph_case){ .yaml = "nodes: {y: {type: lerp, inputs: [a, b, w]}}",
                       .out = "y",
                       .in = { { "a", CAK_SHAPE(2, 3), -1, 1 }, { "b", CAK_SHAPE(2, 3), -1, 1 }, { "w", CAK_SHAPE(2), 0, 1 } } });
}
END_TEST

START_TEST(concat_joins)
{
    static const double a[] = { 1, 2, 3, 4 }, b[] = { 5, 6 };
    cak_shape shape;
    graph_case c = { .yaml = "nodes: {y: {type: concat, inputs: [a, b]}, z: {type: square, inputs: [y]}}",
                     .out = "y",
                     .in = { { "a", CAK_SHAPE(2, 2), .data = a }, { "b", CAK_SHAPE(2, 1), .data = b } } };
    const real *y = graph_eval(&c, &shape);
    static const double want[] = { 1, 2, 5, 3, 4, 6 };
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(2, 3)));
    for (int i = 0; i < 6; i++) ck_assert(y[i] == want[i]);
    c.out = "z";
    gradcheck(&c);
    c.in[1].shape = CAK_SHAPE(1, 1); /* would broadcast */
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "[2,2] and [1,1] cannot be joined along axis 1"));
    c.in[1].shape = CAK_SHAPE(2);
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "[2,2] and [2] cannot be joined along axis 1"));
}
END_TEST

START_TEST(random_follows_the_batch)
{
    cak_shape shape;
    graph_case c = { .yaml = "nodes: {y: {type: random, stream: alpha, shape: [0, 1, 0], inputs: [x]}, "
                             "d: {type: draw, stream: alpha, shape: [3, 1, 4]}, e: {type: sub, inputs: [y, d]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(3, 2, 4), 0, 1 } } };
    graph_eval(&c, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(3, 1, 4)));
    c.out = "e";
    const real *e = graph_eval(&c, NULL);
    for (int i = 0; i < 12; i++) ck_assert(e[i] == 0);
}
END_TEST

SUITE(algebra, grad_is_the_derivative, lerp_mixes, concat_joins, random_follows_the_batch)
