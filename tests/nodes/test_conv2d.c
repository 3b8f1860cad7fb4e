/* conv2d in graphs: derivatives of first and second order, which reach both adjoints; shapes; sample rows. */
#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "nodes/kernels/naive.h"
#include "tests/support/graph_test.h"

START_TEST(test_gradients)
{
    static const struct {
        const char *yaml;
        cak_shape x, w;
    } cases[] = {
        { "nodes: {y: {type: conv2d, inputs: [x, w]}}", CAK_SHAPE(1, 1, 3, 3), CAK_SHAPE(1, 1, 1, 1) },
        { "nodes: {y: {type: conv2d, inputs: [x, w], pad: 1}}", CAK_SHAPE(2, 2, 4, 5), CAK_SHAPE(3, 2, 3, 3) },
        { "nodes: {y: {type: conv2d, inputs: [x, w], stride: 2, pad: 1}}", CAK_SHAPE(2, 3, 7, 6), CAK_SHAPE(2, 3, 4, 4) },
        { "nodes: {y: {type: conv2d, inputs: [x, w], stride: 3, pad: 2, dilation: 2}}", CAK_SHAPE(1, 2, 7, 8),
          CAK_SHAPE(2, 2, 3, 2) },
        { "nodes: {y: {type: conv2d, inputs: [x, w], stride: 3}}", CAK_SHAPE(2, 1, 5, 7), CAK_SHAPE(2, 1, 2, 1) },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        graph_case c = { .yaml = cases[i].yaml, .out = "mul(y, y)", .seed = (int)i };
        c.in[0] = (graph_input){ .name = "x", .shape = cases[i].x, .lo = -1, .hi = 1 };
        c.in[1] = (graph_input){ .name = "w", .shape = cases[i].w, .lo = -1, .hi = 1 };
        gradcheck(&c);
    }
}
END_TEST

START_TEST(test_errors)
{
    static const struct {
        cak_shape x, w;
        const char *message;
    } cases[] = {
        { CAK_SHAPE(2, 3), CAK_SHAPE(1, 1, 1, 1), "x [B,C,H,W] and w [O,C,kh,kw], got [2,3] and [1,1,1,1]" },
        { CAK_SHAPE(2, 3, 4, 4), CAK_SHAPE(1, 2, 1, 1), "x has 3 channels, w expects 2" },
        { CAK_SHAPE(2, 1, 4, 4), CAK_SHAPE(1, 1, 3, 8), "the kernel spans 8 on axis 3, the padded input only 6" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        graph_case c = { .yaml = "nodes: {y: {type: conv2d, inputs: [x, w], pad: 1}}", .out = "y" };
        c.in[0] = (graph_input){ .name = "x", .shape = cases[i].x };
        c.in[1] = (graph_input){ .name = "w", .shape = cases[i].w };
        ck_assert_ptr_nonnull(strstr(graph_errors(&c), cases[i].message));
    }
}
END_TEST

typedef struct lab {
    cak_diag *d;
    cak_graph *g;
    cak_ref x, w, gy;
} lab;

static lab open_lab(void)
{
    lab l = { .d = cak_diag_open() };
    cak_shape x = CAK_SHAPE(2, 3, 6, 6), w = CAK_SHAPE(4, 3, 3, 3), gy = CAK_SHAPE(2, 4, 4, 4);
    l.g = cak_graph_open(l.d);
    l.x = cak_input(l.g, "x", &x, true);
    l.w = cak_input(l.g, "w", &w, false);
    l.gy = cak_input(l.g, "gy", &gy, true);
    return l;
}

static void close_lab(lab *l)
{
    cak_graph_close(l->g);
    cak_diag_close(l->d);
}

START_TEST(test_adjoint_shapes)
{
    lab l = open_lab();
    cak_shape x = CAK_SHAPE(2, 3, 6, 6), w = CAK_SHAPE(4, 3, 3, 3), other = CAK_SHAPE(2, 3, 7, 6), thin = CAK_SHAPE(4, 2, 3, 3);
    ck_assert(cak_shape_equal(cak_shape_of(l.g, cak_conv2d_dx(l.g, l.gy, l.w, 1, 0, 1, &x)), &x));
    ck_assert(cak_shape_equal(cak_shape_of(l.g, cak_conv2d_dw(l.g, l.x, l.gy, 1, 0, 1, &w)), &w));
    ck_assert(cak_is_none(cak_conv2d_dx(l.g, l.gy, l.w, 1, 0, 1, &other)));
    ck_assert_str_eq(cak_diag_message(l.d, 0), "the convolution has shape [2,4,5,4], its gradient [2,4,4,4]");
    close_lab(&l);
    l = open_lab();
    ck_assert(cak_is_none(cak_conv2d_dw(l.g, l.x, l.gy, 1, 0, 1, &thin)));
    ck_assert_str_eq(cak_diag_message(l.d, 0), "x has 3 channels, w expects 2");
    close_lab(&l);
}
END_TEST

START_TEST(test_rows)
{
    lab l = open_lab();
    cak_shape x = CAK_SHAPE(2, 3, 6, 6), w = CAK_SHAPE(4, 3, 3, 3);
    cak_ref y = cak_conv2d(l.g, l.x, l.w, 1, 0, 1), dw = cak_conv2d_dw(l.g, l.x, l.gy, 1, 0, 1, &w);
    ck_assert_int_eq(cak_graph_value(l.g, y)->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(l.g, cak_conv2d_dx(l.g, l.gy, l.w, 1, 0, 1, &x))->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(l.g, dw)->rows, CAK_ROWS_SHARED);
    cak_shape filters = CAK_SHAPE(2, 3, 1, 1); /* as many filters as samples, but made of samples */
    cak_ref own = cak_conv2d(l.g, l.x, cak_slice(l.g, cak_slice(l.g, l.x, 2, 0, 1), 3, 0, 1), 1, 0, 1);
    ck_assert(cak_shape_equal(&filters, cak_shape_of(l.g, cak_slice(l.g, cak_slice(l.g, l.x, 2, 0, 1), 3, 0, 1))));
    ck_assert_int_eq(cak_graph_value(l.g, own)->rows, CAK_ROWS_MIXED);
    cak_ref mixed = cak_conv2d_dw(l.g, l.x, own, 1, 0, 1, &(cak_shape){ 4, { 2, 3, 1, 1 } });
    ck_assert_int_eq(cak_graph_value(l.g, mixed)->rows, CAK_ROWS_MIXED);
    close_lab(&l);
}
END_TEST

/* The naive loops of reference mode give what the fast kernels give, and their derivatives. */
START_TEST(test_reference)
{
    static const char yaml[] = "nodes: {y: {type: conv2d, inputs: [x, w], stride: 3, pad: 2, dilation: 2}}";
    graph_case c = { .yaml = yaml, .out = "mul(y, y)", .seed = 4 };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 2, 7, 8), .lo = -1, .hi = 1 };
    c.in[1] = (graph_input){ .name = "w", .shape = CAK_SHAPE(3, 2, 3, 2), .lo = -1, .hi = 1 };
    cak_shape shape;
    const real *fast = graph_eval(&c, &shape);
    ck_assert(!cak_reference());
    cak_reference_set(true);
    const real *naive = graph_eval(&c, NULL);
    double error = 0;
    for (int64_t i = 0; i < cak_shape_size(&shape); i++) error = fmax(error, fabs((double)(fast[i] - naive[i])));
    ck_assert_double_le(error, 1e-13);
    gradcheck(&c);
    cak_reference_set(false);
}
END_TEST

SUITE(conv2d, test_reference, test_gradients, test_errors, test_adjoint_shapes, test_rows)
