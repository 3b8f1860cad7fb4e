/* reshape, permute, slice, pad: values, derivatives, errors. */
#include <stdio.h>
#include <string.h>

#include "tests/support/graph_test.h"

static const double count[24] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23 };

static graph_case layout_case(const char *node, char yaml[256])
{
    snprintf(yaml, 256, "nodes: {y: {inputs: [x], type: %s}, z: {type: mul, inputs: [y, y]}}", node);
    return (graph_case){ .yaml = yaml, .out = "y", .in = { { "x", CAK_SHAPE(2, 3, 4), -1, 1, .data = count } } };
}

START_TEST(values)
{
    static const struct {
        const char *node;
        cak_shape shape;
        int n;
        double want[24]; /* the first n elements */
    } good[] = {
        { "reshape, shape: [4, 6]", CAK_SHAPE(4, 6), 3, { 0, 1, 2 } },
        { "reshape, shape: [0, -1]", CAK_SHAPE(2, 12), 3, { 0, 1, 2 } },
        { "reshape, shape: [-1]", CAK_SHAPE(24), 3, { 0, 1, 2 } },
        { "reshape, shape: [1, 0, 8, -1, 1]", CAK_SHAPE(1, 3, 8, 1, 1), 3, { 0, 1, 2 } },
        { "permute, order: [2, 0, 1]", CAK_SHAPE(4, 2, 3), 8, { 0, 4, 8, 12, 16, 20, 1, 5 } },
        { "permute, order: [0, 2, 1]", CAK_SHAPE(2, 4, 3), 5, { 0, 4, 8, 1, 5 } },
        { "permute, order: [0, 1, 2]", CAK_SHAPE(2, 3, 4), 3, { 0, 1, 2 } },
        { "slice, axis: 0, from: 1, count: 1", CAK_SHAPE(1, 3, 4), 2, { 12, 13 } },
        { "slice, axis: 1, from: 1, count: 2", CAK_SHAPE(2, 2, 4), 9, { 4, 5, 6, 7, 8, 9, 10, 11, 16 } },
        { "slice, axis: 2, from: 3, count: 1", CAK_SHAPE(2, 3, 1), 6, { 3, 7, 11, 15, 19, 23 } },
        { "pad, axis: 2, before: 1, after: 2", CAK_SHAPE(2, 3, 7), 9, { 0, 0, 1, 2, 3, 0, 0, 0, 4 } },
        { "pad, axis: 0, after: 1", CAK_SHAPE(3, 3, 4), 3, { 0, 1, 2 } },
        { "pad, axis: 1", CAK_SHAPE(2, 3, 4), 3, { 0, 1, 2 } },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char yaml[256];
        cak_shape shape;
        graph_case c = layout_case(good[i].node, yaml);
        const real *y = graph_eval(&c, &shape);
        ck_assert_msg(cak_shape_equal(&shape, &good[i].shape), "%s", good[i].node);
        for (int k = 0; k < good[i].n; k++) ck_assert_msg((double)y[k] == good[i].want[k], "%s: element %d", good[i].node, k);
    }
}
END_TEST

START_TEST(derivatives)
{
    static const char *const nodes[] = { "reshape, shape: [4, 6]", "permute, order: [2, 0, 1]",
                                         "slice, axis: 1, from: 1, count: 1", "pad, axis: 2, before: 1, after: 2" };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char yaml[256];
        graph_case c = layout_case(nodes[i], yaml);
        c.in[0].data = NULL;
        c.out = "z";
        gradcheck(&c);
    }
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *node, *message;
    } bad[] = {
        { "reshape, shape: [5, 5]", "[2,3,4] cannot be reshaped: 24 elements do not fit" },
        { "reshape, shape: [5, -1]", "24 elements do not fit" },
        { "reshape, shape: [2, 3]", "24 elements do not fit" },
        { "reshape, shape: [4294967296, 4294967296, 24]", "24 elements do not fit" },
        { "reshape, shape: [-1, -1]", "only one axis" },
        { "reshape, shape: [-2, 12]", "extent -2 of axis 0 is negative" },
        { "reshape, shape: [1, 1, 1, 1, 1, 24]", "at most 5 axes" },
        { "permute, order: [0, 1]", "order must name each of the 3 axes once" },
        { "permute, order: [0, 1, 1]", "order must name each of the 3 axes once" },
        { "permute, order: [0, 1, 3]", "order must name each of the 3 axes once" },
        { "slice, axis: 1, from: 2, count: 2", "slice 2..4 is outside axis 1 of extent 3" },
        { "slice, axis: 3, count: 1", "axis 3 does not exist in a tensor of rank 3" },
        { "pad, axis: 4, after: 1", "axis 4 does not exist in a tensor of rank 3" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char yaml[256];
        graph_case c = layout_case(bad[i].node, yaml);
        const char *got = graph_errors(&c);
        ck_assert_msg(strstr(got, bad[i].message) != NULL, "%s: %s", bad[i].node, got);
    }
}
END_TEST

SUITE(layout, values, derivatives, refused)
