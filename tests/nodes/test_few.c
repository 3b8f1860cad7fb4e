/* The few-channel nodes against conv2d and its adjoints; shapes and sample rows. */
#include <math.h>
#include <string.h>

#include "nodes/prim/conv2d.h"
#include "tests/support/graph_run.h"

extern const cak_node cak_node_few_forward, cak_node_few_dx, cak_node_few_dw;

static cak_ref blocked(cak_graph *g, cak_ref x)
{
    const cak_shape *s = cak_shape_of(g, x);
    x = cak_reshape(g, x, &CAK_SHAPE(s->dim[0], s->dim[1] / 16, 16, s->dim[2], s->dim[3]));
    return cak_permute(g, x, &(cak_ints){ 5, { 0, 1, 3, 4, 2 } });
}

typedef struct lab {
    bench b;
    cak_conv2d_attr a, a_dx, a_dw;
    cak_ref x, w, gy;                    /* gy is blocked */
    cak_ref y, dx, dw;                   /* by few-channel nodes */
    cak_ref plain_y, plain_dx, plain_dw; /* by conv2d */
} lab;

static cak_ref two(lab *l, const cak_node *node, const cak_conv2d_attr *attr, cak_ref a, cak_ref b)
{
    return cak_append(l->b.g, node, attr, (const cak_ref[]){ a, b }, 2);
}

static lab open_lab(cak_shape xs, cak_shape ws, int stride, int pad, int dilation)
{
    lab l = { .b = open_bench(), .a.c = { stride, pad, dilation } };
    cak_graph *g = l.b.g;
    l.a_dx = l.a_dw = l.a;
    l.a_dx.like = xs, l.a_dw.like = ws;
    l.x = cak_input(g, "x", &xs, true), l.w = cak_input(g, "w", &ws, false);
    cak_ref y = cak_conv2d(g, l.x, l.w, stride, pad, dilation), gy = cak_input(g, "gy", cak_shape_of(g, y), true);
    l.gy = blocked(g, gy);
    l.plain_y = blocked(g, y);
    l.plain_dx = cak_conv2d_dx(g, gy, l.w, stride, pad, dilation, &xs);
    l.plain_dw = cak_conv2d_dw(g, l.x, gy, stride, pad, dilation, &ws);
    l.y = two(&l, &cak_node_few_forward, &l.a, l.x, l.w);
    l.dx = two(&l, &cak_node_few_dx, &l.a_dx, l.gy, l.w);
    l.dw = two(&l, &cak_node_few_dw, &l.a_dw, l.x, l.gy);
    ck_assert(!cak_graph_failed(g));
    return l;
}

START_TEST(equals_conv2d)
{
    static const struct {
        cak_shape x, w;
        int stride, pad, dilation;
    } cases[] = {
        { CAK_SHAPE(2, 1, 33, 40), CAK_SHAPE(32, 1, 4, 4), 2, 1, 1 },
        { CAK_SHAPE(1, 1, 4, 4), CAK_SHAPE(16, 1, 4, 4), 2, 1, 1 },
        { CAK_SHAPE(1, 3, 17, 9), CAK_SHAPE(48, 3, 3, 3), 1, 1, 1 },
        { CAK_SHAPE(2, 4, 12, 21), CAK_SHAPE(16, 4, 5, 2), 3, 2, 2 },
        { CAK_SHAPE(3, 2, 7, 6), CAK_SHAPE(16, 2, 1, 1), 1, 0, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab l = open_lab(cases[i].x, cases[i].w, cases[i].stride, cases[i].pad, cases[i].dilation);
        const cak_ref out[] = { l.y, l.dx, l.dw, l.plain_y, l.plain_dx, l.plain_dw };
        const real **v = run_planned(l.b.a, l.b.g, out, 6);
        for (int r = 0; r < 3; r++) {
            ck_assert(cak_shape_equal(cak_shape_of(l.b.g, out[r]), cak_shape_of(l.b.g, out[r + 3])));
            double error = 0, size = 0;
            for (int64_t e = 0; e < cak_shape_size(cak_shape_of(l.b.g, out[r])); e++) {
                error = fmax(error, fabs((double)(v[r][e] - v[r + 3][e])));
                size = fmax(size, fabs((double)v[r + 3][e]));
            }
            ck_assert_msg(error <= 1e-13 * size, "case %zu, result %d: %.2e of %.2e", i, r, error, size);
        }
        close_bench(&l.b);
    }
}
END_TEST

START_TEST(rows)
{
    lab l = open_lab(CAK_SHAPE(16, 1, 8, 8), CAK_SHAPE(16, 1, 4, 4), 2, 1, 1);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.y)->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.dx)->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.dw)->rows, CAK_ROWS_SHARED);
    cak_ref each = cak_input(l.b.g, "each", &CAK_SHAPE(16, 1, 4, 4), true); /* filters made of samples */
    ck_assert_int_eq(cak_graph_value(l.b.g, two(&l, &cak_node_few_forward, &l.a, l.x, each))->rows, CAK_ROWS_MIXED);
    close_bench(&l.b);
}
END_TEST

static cak_ref input(lab *l, cak_shape s) { return cak_input(l->b.g, "in", &s, false); }
static cak_ref many_channels(lab *l) { return two(l, &cak_node_few_forward, &l->a, input(l, CAK_SHAPE(2, 5, 8, 8)), l->w); }
static cak_ref odd_filters(lab *l) { return two(l, &cak_node_few_forward, &l->a, l->x, input(l, CAK_SHAPE(24, 1, 4, 4))); }
static cak_ref other_channels(lab *l) { return two(l, &cak_node_few_forward, &l->a, l->x, input(l, CAK_SHAPE(16, 2, 4, 4))); }
static cak_ref plain_gy(lab *l) { return two(l, &cak_node_few_dx, &l->a_dx, input(l, CAK_SHAPE(2, 16, 4, 4)), l->w); }
static cak_ref other_lanes(lab *l) { return two(l, &cak_node_few_dx, &l->a_dx, input(l, CAK_SHAPE(2, 2, 4, 4, 8)), l->w); }
static cak_ref other_size(lab *l) { return two(l, &cak_node_few_dw, &l->a_dw, l->x, input(l, CAK_SHAPE(2, 1, 4, 5, 16))); }
static cak_ref odd_like(lab *l)
{
    l->a_dw.like.dim[0] = 8;
    return two(l, &cak_node_few_dw, &l->a_dw, l->x, l->gy);
}

START_TEST(errors)
{
    static const struct {
        cak_ref (*make)(lab *l);
        const char *message;
    } cases[] = {
        { many_channels, "x must have up to 4 channels and w a multiple of 16 filters, got [2,5,8,8] and [16,1,4,4]" },
        { odd_filters, "got [2,1,8,8] and [24,1,4,4]" },
        { other_channels, "x has 1 channels, w expects 2" },
        { plain_gy, "gy must be [B,O/16,h,w,16], got [2,16,4,4]" },
        { other_lanes, "gy must be [B,O/16,h,w,16], got [2,2,4,4,8]" },
        { other_size, "the convolution has shape [2,16,4,4], its gradient [2,16,4,5]" },
        { odd_like, "got [2,1,8,8] and [8,1,4,4]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab l = open_lab(CAK_SHAPE(2, 1, 8, 8), CAK_SHAPE(16, 1, 4, 4), 2, 1, 1);
        ck_assert_msg(cak_is_none(cases[i].make(&l)), "%s", cases[i].message);
        ck_assert_msg(strstr(cak_diag_message(l.b.d, 0), cases[i].message) != NULL, "%s\nwanted: %s", cak_diag_message(l.b.d, 0),
                      cases[i].message);
        close_bench(&l.b);
    }
}
END_TEST

SUITE(few, equals_conv2d, rows, errors)
