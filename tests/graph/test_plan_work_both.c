/* The arithmetic of a program, counted by hand: whole values, slices, special samples, tiles that reach beyond an image. */
#include "graph/ops.h"
#include "graph/par.h"
#include "nodes/prim/conv2d.h"
#include "tests/support/graph_run.h"

extern const cak_node cak_node_wino_forward, cak_node_wino_dx, cak_node_wino_dw, cak_node_few_forward, cak_node_few_dx,
    cak_node_few_dw;

enum { BATCH = 16, IN = 8, OUT = 4 };

typedef struct net { /* out = 3 sum of (x w)^2; plain: sum of x */
    bench b;
    cak_ref out, sum, plain;
} net;

static net open_net(void)
{
    net n = { .b = open_bench() };
    cak_graph *g = n.b.g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(BATCH, IN), true);
    cak_ref w = cak_param(g, "w", &CAK_SHAPE(IN, OUT), (cak_init){ CAK_INIT_CONST, 1, 0 });
    n.sum = cak_sum_axes(g, cak_square(g, cak_matmul(g, x, w, false, false)), CAK_ALL_AXES);
    n.plain = cak_sum_axes(g, x, CAK_ALL_AXES);
    n.out = cak_scale(g, n.sum, 3);
    ck_assert(!cak_graph_failed(g));
    return n;
}

/* A sample: the product, its squares, and their sum reads these. Once: the factor 3 and the product with it. */
enum { SAMPLE = 2 * IN * OUT + OUT + OUT, ONCE = 2 };

START_TEST(ordinary_samples)
{
    static const int64_t counts[] = { 0, 1, 3, 4, 7, BATCH };
    net n = open_net();
    for (int plain = 0; plain < 2; plain++) {
        const cak_program *p = cak_plan_with(n.b.a, n.b.g, &n.out, 1, &(cak_plan_options){ .plain = plain });
        ck_assert_int_gt(cak_program_info(p).rows, 1); /* slices that are not full are counted as what they are */
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            ck_assert(cak_program_work(p, counts[i], 0) == (double)(counts[i] * SAMPLE + ONCE));
            ck_assert(cak_program_work(p, 0, counts[i]) == (double)(counts[i] * SAMPLE + ONCE)); /* none are special */
        }
    }
    close_bench(&n.b);
}
END_TEST

START_TEST(whole_batch)
{
    net n = open_net();
    const cak_program *p = cak_plan_with(n.b.a, n.b.g, &n.out, 1, &(cak_plan_options){ .whole = true });
    ck_assert(cak_program_work(p, BATCH, 0) == BATCH * SAMPLE + ONCE);
    close_bench(&n.b);
}
END_TEST

START_TEST(special_samples)
{
    net n = open_net();
    cak_ref none = CAK_NONE;
    cak_same_rows zero = { { 0 }, CAK_NONE };
    cak_special f = { .fact = &zero, .n_facts = 1, .result = &n.sum, .instead = &n.plain, .n_results = 1 };
    const cak_program *p = cak_plan_with(n.b.a, n.b.g, &n.out, 1, &(cak_plan_options){ .special = &f });
    ck_assert(cak_program_work(p, 10, 6) == 10 * SAMPLE + 6 * IN + ONCE);
    ck_assert(cak_program_work(p, 0, BATCH) == BATCH * IN + ONCE);
    f.instead = &none;
    p = cak_plan_with(n.b.a, n.b.g, &n.out, 1, &(cak_plan_options){ .special = &f });
    ck_assert(cak_program_work(p, 10, 6) == 10 * SAMPLE + ONCE);
    close_bench(&n.b);
}
END_TEST

START_TEST(other_threads)
{
    net n = open_net();
    int before = cak_threads();
    const cak_program *p = cak_plan(n.b.a, n.b.g, &n.out, 1);
    static const int threads[] = { 1, 2, 4, 64 };
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        cak_plan_info have = cak_program_info_on(p, threads[i]);
        ck_assert_int_eq(cak_threads(), before);
        cak_threads_set(threads[i]);
        cak_plan_info want = cak_program_info(cak_plan(n.b.a, n.b.g, &n.out, 1));
        cak_threads_set(before);
        ck_assert(have.slots == want.slots && have.threads == want.threads && have.slab == want.slab);
    }
    p = cak_plan_with(n.b.a, n.b.g, &n.out, 1, &(cak_plan_options){ .whole = true });
    ck_assert_int_eq(cak_program_info_on(p, 4).rounds, 0);
    close_bench(&n.b);
}
END_TEST

/* Tiles have 3 x 3 outputs and 16 products for each of 4 phases; 48 filters fill two panels of 32 columns. */
static const struct convolution {
    const cak_node *node;
    cak_shape in[2], y;
    double flops;
} convolutions[] = {
    /* 6 x 6 outputs: 2 x 2 tiles */
    { &cak_node_wino_forward, { { 5, { 2, 1, 12, 12, 16 } } }, { 5, { 2, 3, 6, 6, 16 } }, 2.0 * 2 * 4 * 16 * 4 * 16 * 64 },
    { &cak_node_wino_dw, { { 5, { 2, 1, 12, 12, 16 } }, { 5, { 2, 3, 6, 6, 16 } } }, { 0 }, 2.0 * 2 * 4 * 16 * 4 * 16 * 64 },
    /* 12 rows and one of padding, 6 a tile: 3 x 3 tiles */
    { &cak_node_wino_dx, { { 5, { 2, 3, 6, 6, 16 } } }, { 5, { 2, 1, 12, 12, 16 } }, 2.0 * 2 * 9 * 16 * 4 * 16 * 48 },
    /* 11 and 11 + 1: 2 x 2 */
    { &cak_node_wino_dx, { { 5, { 1, 3, 5, 5, 16 } } }, { 5, { 1, 1, 11, 11, 16 } }, 2.0 * 4 * 16 * 4 * 16 * 48 },
    /* 5 x 5 taps on 3 channels */
    { &cak_node_few_forward,
      { { 4, { 2, 3, 9, 9 } }, { 4, { 16, 3, 5, 5 } } },
      { 5, { 2, 1, 5, 5, 16 } },
      2.0 * 2 * 5 * 5 * 16 * 75 },
    { &cak_node_few_dx, { { 5, { 2, 1, 5, 5, 16 } }, { 4, { 16, 3, 5, 5 } } }, { 4, { 2, 3, 9, 9 } }, 2.0 * 2 * 5 * 5 * 16 * 75 },
    { &cak_node_few_dw, { { 4, { 2, 3, 9, 9 } }, { 5, { 2, 1, 5, 5, 16 } } }, { 4, { 16, 3, 5, 5 } }, 2.0 * 2 * 5 * 5 * 16 * 75 },
};

START_TEST(lowered_convolutions)
{
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
        const struct convolution *c = &convolutions[i];
        cak_site s = { .in_shape = { c->in[0], c->in[1] }, .y_shape = c->y };
        ck_assert_msg(c->node->flops(&s) == c->flops, "%zu: %s: %g", i, c->node->name, c->node->flops(&s));
    }
}
END_TEST

SUITE(plan_work, ordinary_samples, whole_batch, special_samples, other_threads, lowered_convolutions)
