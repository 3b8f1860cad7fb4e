/* The Winograd nodes against conv2d and its adjoints; shapes and sample rows. */
#include <math.h>
#include <string.h>

#include "nodes/prim/conv2d.h"
#include "tests/support/graph_run.h"

extern const cak_node cak_node_wino_forward, cak_node_wino_dx, cak_node_wino_dw, cak_node_wino_filter, cak_node_wino_filter_dx,
    cak_node_wino_filter_dw;

static cak_ref blocked(cak_graph *g, cak_ref x)
{
    const cak_shape *s = cak_shape_of(g, x);
    x = cak_reshape(g, x, &CAK_SHAPE(s->dim[0], s->dim[1] / 16, 16, s->dim[2], s->dim[3]));
    return cak_permute(g, x, &(cak_ints){ 5, { 0, 1, 3, 4, 2 } });
}

static cak_ref two(cak_graph *g, const cak_node *node, const void *attr, cak_ref a, cak_ref b)
{
    return cak_append(g, node, attr, (const cak_ref[]){ a, b }, 2);
}

typedef struct lab {
    bench b;
    cak_ref x, w, gy, u, udx; /* x and gy are blocked */
    cak_shape xs, ws, xb;
    cak_ref y, dx, m, dw;                /* by Winograd */
    cak_ref plain_y, plain_dx, plain_dw; /* by conv2d, as blocks */
} lab;

static lab open_lab(int64_t batch, int64_t c, int64_t o, int64_t height, int64_t width)
{
    lab l = { .b = open_bench(), .xs = CAK_SHAPE(batch, c, height, width), .ws = CAK_SHAPE(o, c, 4, 4) };
    cak_graph *g = l.b.g;
    cak_ref x = cak_input(g, "x", &l.xs, true);
    l.w = cak_input(g, "w", &l.ws, false);
    cak_ref y = cak_conv2d(g, x, l.w, 2, 1, 1), gy = cak_input(g, "gy", cak_shape_of(g, y), true);
    l.x = blocked(g, x), l.gy = blocked(g, gy), l.xb = *cak_shape_of(g, l.x);
    l.plain_y = blocked(g, y);
    l.plain_dx = blocked(g, cak_conv2d_dx(g, gy, l.w, 2, 1, 1, &l.xs));
    l.plain_dw = cak_conv2d_dw(g, x, gy, 2, 1, 1, &l.ws);
    l.u = cak_append(g, &cak_node_wino_filter, NULL, &l.w, 1);
    l.udx = cak_append(g, &cak_node_wino_filter_dx, NULL, &l.w, 1);
    l.y = two(g, &cak_node_wino_forward, &o, l.x, l.u);
    l.dx = two(g, &cak_node_wino_dx, &l.xb, l.gy, l.udx);
    l.m = two(g, &cak_node_wino_dw, NULL, l.x, l.gy);
    l.dw = cak_append(g, &cak_node_wino_filter_dw, &l.ws, &l.m, 1);
    ck_assert(!cak_graph_failed(g));
    return l;
}

START_TEST(equals_conv2d)
{
    static const int64_t cases[][5] = { { 1, 16, 16, 2, 2 },   { 2, 16, 32, 3, 9 },   { 1, 32, 16, 8, 5 },
                                        { 3, 48, 16, 14, 15 }, { 2, 32, 64, 33, 20 }, { 1, 16, 48, 41, 38 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t *k = cases[i];
        lab l = open_lab(k[0], k[1], k[2], k[3], k[4]);
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
    lab l = open_lab(2, 16, 16, 8, 8);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.u)->rows, CAK_ROWS_SHARED);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.y)->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.dx)->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.m)->rows, CAK_ROWS_SHARED);
    ck_assert_int_eq(cak_graph_value(l.b.g, l.dw)->rows, CAK_ROWS_SHARED);
    cak_ref each = cak_input(l.b.g, "each", &CAK_SHAPE(16, 16, 4, 4), true); /* as many filters as samples, made of samples */
    ck_assert_int_eq(cak_graph_value(l.b.g, cak_append(l.b.g, &cak_node_wino_filter, NULL, &each, 1))->rows, CAK_ROWS_MIXED);
    close_bench(&l.b);
}
END_TEST

static cak_ref input(cak_graph *g, cak_shape s) { return cak_input(g, "in", &s, false); }
#define REALS cak_wino_filter_reals(16, 16)

static cak_ref thin_filter(lab *l)
{
    return cak_append(l->b.g, &cak_node_wino_filter, NULL, (cak_ref[]){ input(l->b.g, CAK_SHAPE(16, 8, 4, 4)) }, 1);
}
static cak_ref small_filter(lab *l)
{
    return cak_append(l->b.g, &cak_node_wino_filter_dx, NULL, (cak_ref[]){ input(l->b.g, CAK_SHAPE(16, 16, 4, 3)) }, 1);
}
static cak_ref flat_filter(lab *l)
{
    return cak_append(l->b.g, &cak_node_wino_filter, NULL, (cak_ref[]){ input(l->b.g, CAK_SHAPE(16, 16)) }, 1);
}
static cak_ref plain_x(lab *l) { return two(l->b.g, &cak_node_wino_forward, &(int64_t){ 16 }, input(l->b.g, l->xs), l->u); }
static cak_ref eight_lanes(lab *l)
{
    return two(l->b.g, &cak_node_wino_forward, &(int64_t){ 16 }, input(l->b.g, CAK_SHAPE(2, 2, 8, 8, 8)), l->u);
}
static cak_ref odd_out(lab *l) { return two(l->b.g, &cak_node_wino_forward, &(int64_t){ 24 }, l->x, l->u); }
static cak_ref other_out(lab *l) { return two(l->b.g, &cak_node_wino_forward, &(int64_t){ 160 }, l->x, l->u); }
static cak_ref narrow_x(lab *l)
{
    return two(l->b.g, &cak_node_wino_forward, &(int64_t){ 16 }, input(l->b.g, CAK_SHAPE(2, 1, 8, 1, 16)), l->u);
}
static cak_ref plain_gy(lab *l) { return two(l->b.g, &cak_node_wino_dx, &l->xb, input(l->b.g, CAK_SHAPE(2, 16, 4, 4)), l->udx); }
static cak_ref plain_dx(lab *l) { return two(l->b.g, &cak_node_wino_dx, &l->xs, l->gy, l->udx); }
static cak_ref short_u(lab *l) { return two(l->b.g, &cak_node_wino_dx, &l->xb, l->gy, input(l->b.g, CAK_SHAPE(7))); }
static cak_ref other_size(lab *l) { return two(l->b.g, &cak_node_wino_dw, NULL, l->x, input(l->b.g, CAK_SHAPE(2, 1, 5, 4, 16))); }
static cak_ref flat_m(lab *l)
{
    return cak_append(l->b.g, &cak_node_wino_filter_dw, &l->ws, (cak_ref[]){ input(l->b.g, CAK_SHAPE(1, REALS)) }, 1);
}
static cak_ref wrong_like(lab *l) { return cak_append(l->b.g, &cak_node_wino_filter_dw, &CAK_SHAPE(16, 16, 3, 3), &l->m, 1); }

START_TEST(errors)
{
    static const struct {
        cak_ref (*make)(lab *l);
        const char *message;
    } cases[] = {
        { thin_filter, "filters must be [O,C,4,4] with multiples of 16 for O and C, got [16,8,4,4]" },
        { small_filter, "got [16,16,4,3]" },
        { flat_filter, "got [16,16]" },
        { plain_x, "x must be [B,C/16,H,W,16], got [2,16,8,8]" },
        { eight_lanes, "x must be [B,C/16,H,W,16], got [2,2,8,8,8]" },
        { odd_out, "24 output channels are no multiple of 16" },
        { other_out, "filters from 16 to 160 channels have" },
        { narrow_x, "the kernel spans 4 on axis 3, the padded input only 3" },
        { plain_gy, "gy must be [B,C/16,H,W,16], got [2,16,4,4]" },
        { plain_dx, "x must be [B,C/16,H,W,16], got [2,16,8,8]" },
        { short_u, "numbers in the Winograd domain, got [7]" },
        { other_size, "the convolution has shape [2,16,4,4], its gradient [2,16,5,4]" },
        { flat_m, "numbers in the Winograd domain, got [1," },
        { wrong_like, "got [16,16,3,3]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab l = open_lab(2, 16, 16, 8, 8);
        ck_assert_msg(cak_is_none(cases[i].make(&l)), "%s", cases[i].message);
        ck_assert_msg(strstr(cak_diag_message(l.b.d, 0), cases[i].message) != NULL, "%s\nwanted: %s", cak_diag_message(l.b.d, 0),
                      cases[i].message);
        close_bench(&l.b);
    }
}
END_TEST

/* They appear after differentiation only. */
START_TEST(no_gradient)
{
    lab l = open_lab(1, 16, 16, 4, 4);
    ck_assert(cak_is_none(cak_grad(l.b.g, l.y, l.w)));
    ck_assert_str_eq(cak_code_name(cak_diag_code(l.b.d, 0)), "E3301");
    close_bench(&l.b);
}
END_TEST

SUITE(wino, equals_conv2d, rows, errors, no_gradient)
