/* matmul: values for all transpositions, derivatives, shapes, sample rows. */
#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "tests/support/graph_test.h"

static const char *const yaml[] = {
    "nodes: {z: {type: matmul, inputs: [x, y]}}",
    "nodes: {z: {type: matmul, inputs: [x, y], ty: true}}",
    "nodes: {z: {type: matmul, inputs: [x, y], tx: true}}",
    "nodes: {z: {type: matmul, inputs: [x, y], tx: true, ty: true}}",
};

START_TEST(test_values)
{
    static const double a[] = { 1, 2, 3, 4 }, b[] = { 5, 6, 7, 8 };
    static const double want[][4] = { { 19, 22, 43, 50 }, { 17, 23, 39, 53 }, { 26, 30, 38, 44 }, { 23, 31, 34, 46 } };
    for (int i = 0; i < 4; i++) {
        graph_case c = { .yaml = yaml[i], .out = "z" };
        c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 2), .data = a };
        c.in[1] = (graph_input){ .name = "y", .shape = CAK_SHAPE(2, 2), .data = b };
        const real *z = graph_eval(&c, NULL);
        for (int k = 0; k < 4; k++) ck_close(z[k], want[i][k], 0);
    }
}
END_TEST

START_TEST(test_gradients)
{
    for (int i = 0; i < 4; i++) {
        graph_case c = { .yaml = yaml[i], .out = "mul(z, z)" };
        c.in[0] = (graph_input){ .name = "x", .shape = i & 2 ? CAK_SHAPE(5, 3) : CAK_SHAPE(3, 5), .lo = -1, .hi = 1 };
        c.in[1] = (graph_input){ .name = "y", .shape = i & 1 ? CAK_SHAPE(4, 5) : CAK_SHAPE(5, 4), .lo = -1, .hi = 1 };
        gradcheck(&c);
    }
}
END_TEST

START_TEST(test_errors)
{
    graph_case c = { .yaml = yaml[1], .out = "z" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 3) };
    c.in[1] = (graph_input){ .name = "y", .shape = CAK_SHAPE(3, 2) };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "matrices [2,3] and [3,2]^T do not fit"));
    c.in[1].shape = CAK_SHAPE(3);
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "matmul needs two matrices, got [2,3] and [3]"));
}
END_TEST

#define W CAK_ROWS_SHARED
#define S CAK_ROWS_SAMPLE
#define M CAK_ROWS_MIXED

START_TEST(test_rows)
{
    /* by [x is per sample][y is per sample][tx][ty] */
    static const cak_rows want[2][2][2][2] = { { { { W, W }, { W, W } }, { { M, M }, { M, M } } },
                                               { { { S, S }, { M, M } }, { { M, M }, { W, M } } } };
    cak_shape square = CAK_SHAPE(3, 3);
    for (int i = 0; i < 16; i++) {
        cak_diag *d = cak_diag_open();
        cak_graph *g = cak_graph_open(d);
        cak_ref x = cak_input(g, "x", &square, i & 8), y = cak_input(g, "y", &square, i & 4);
        cak_rows rows = cak_graph_value(g, cak_matmul(g, x, y, i & 2, i & 1))->rows;
        ck_assert_msg(rows == want[i >> 3][i >> 2 & 1][i >> 1 & 1][i & 1], "case %d: rows %d", i, (int)rows);
        cak_graph_close(g);
        cak_diag_close(d);
    }
}
END_TEST

SUITE(matmul, test_values, test_gradients, test_errors, test_rows)
