/* Passes that save memory and kernels: masks of leaky ReLUs that are read off results, sums of equal linear functions. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_run.h"

static int count(const cak_graph *g, const char *type)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) n += !strcmp(cak_graph_value(g, (cak_ref){ id })->node->name, type);
    return n;
}

/* Readers of value r that are not of type `but`. */
static int readers(const cak_graph *g, cak_ref r, const char *but)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        for (int k = 0; k < v->n_in; k++) n += v->in[k].id == r.id && strcmp(v->node->name, but) != 0;
    }
    return n;
}

typedef cak_graph *pass(const cak_graph *g, cak_ref *out, int n);

/* Run before and after the pass; the results may differ by `tolerance` of their size. Returns the clean new graph in b. */
static void compare(bench *b, cak_ref *out, int n, pass *p, double tolerance)
{
    const real **want = run_planned(b->a, b->g, out, n);
    cak_graph *to = p(b->g, out, n), *clean = cak_pass_dce(to, out, n);
    cak_graph_close(to);
    cak_graph_close(b->g);
    b->g = clean;
    const real **got = run_planned(b->a, b->g, out, n);
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < cak_shape_size(cak_shape_of(b->g, out[i])); k++)
            ck_assert_double_le(fabs((double)got[i][k] - (double)want[i][k]), tolerance * fabs((double)want[i][k]));
}

/* y = x mask(x) and its gradient, which reads the mask; `kind` is the near miss. */
enum { PLAIN, SLOPE_0, SLOPE_NEGATIVE, INPUT_READ, INPUT_WANTED, OTHER_PRODUCT };

static cak_ref leaky(bench *b, int kind, cak_ref *out, int *n)
{
    static const double slopes[] = { [SLOPE_0] = 0, [SLOPE_NEGATIVE] = -0.5 };
    double slope = kind == SLOPE_0 || kind == SLOPE_NEGATIVE ? slopes[kind] : 0.2;
    cak_ref x = cak_add(b->g, cak_input(b->g, "x", &CAK_SHAPE(6, 50), true), cak_input(b->g, "p", &CAK_SHAPE(50), false));
    cak_ref m = cak_leaky_mask(b->g, x, slope), y = cak_mul(b->g, kind == OTHER_PRODUCT ? cak_sin(b->g, x) : x, m);
    out[(*n)++] = cak_mul(b->g, cak_sin(b->g, y), m);
    if (kind == INPUT_READ) out[(*n)++] = cak_exp(b->g, x);
    if (kind == INPUT_WANTED) out[(*n)++] = x;
    return x;
}

START_TEST(masks_are_read_off_results)
{
    for (int kind = PLAIN; kind <= OTHER_PRODUCT; kind++) {
        bench b = open_bench();
        cak_ref out[2];
        int n = 0;
        leaky(&b, kind, out, &n);
        compare(&b, out, n, cak_pass_mask, 0);
        ck_assert_int_eq(count(b.g, "leaky_mask"), kind == PLAIN ? 2 : 1);
        if (kind == PLAIN) { /* the product's mask is what the last value reads */
            const cak_value *last = cak_graph_value(b.g, out[0]);
            const cak_value *m = cak_graph_value(b.g, last->in[1]);
            ck_assert_str_eq(cak_graph_value(b.g, m->in[0])->node->name, "mul");
            ck_assert_int_eq(readers(b.g, cak_graph_value(b.g, m->in[0])->in[0], "leaky_mask"), 1);
        }
        close_bench(&b);
    }
}
END_TEST

START_TEST(a_mask_that_is_read_before_its_product_stays)
{
    bench b = open_bench();
    cak_ref x = cak_neg(b.g, cak_input(b.g, "x", &CAK_SHAPE(6, 50), true)), m = cak_leaky_mask(b.g, x, 0.2);
    cak_ref early = cak_sin(b.g, m), y = cak_mul(b.g, m, x);
    cak_ref out[] = { early, y, cak_add(b.g, cak_exp(b.g, y), m) };
    compare(&b, out, 3, cak_pass_mask, 0);
    ck_assert_int_eq(count(b.g, "leaky_mask"), 2);
    close_bench(&b);
}
END_TEST

static cak_ref fold(bench *b, const char *name)
{
    return cak_sum_axes(b->g, cak_input(b->g, name, &CAK_SHAPE(4, 3, 5), true), 1);
}
static cak_ref turn(bench *b, cak_ref x, int first) { return cak_permute(b->g, x, &(cak_ints){ 3, { 0, first, 3 - first } }); }

START_TEST(sums_of_linear_functions_meet)
{
    bench b = open_bench();
    cak_ref sum = turn(&b, fold(&b, "x0"), 2);
    for (int i = 1; i < 4; i++) sum = cak_add(b.g, sum, turn(&b, fold(&b, (const char *[]){ "", "x1", "x2", "x3" }[i]), 2));
    compare(&b, &sum, 1, cak_pass_gather, 1e-5);
    ck_assert_int_eq(count(b.g, "permute"), 1);
    ck_assert_int_eq(count(b.g, "add"), 3);
    close_bench(&b);
}
END_TEST

/* Other attributes, samples, two readers, an output, the same value twice, an element-wise function. */
START_TEST(near_misses_stay_apart)
{
    for (int kind = 0; kind < 6; kind++) {
        bench b = open_bench();
        cak_ref x = kind == 1 ? cak_input(b.g, "x", &CAK_SHAPE(4, 5, 5), true)
                              : cak_sum_axes(b.g, cak_input(b.g, "x", &CAK_SHAPE(4, 5, 5), true), 1);
        cak_ref y = kind == 1 ? cak_input(b.g, "y", &CAK_SHAPE(4, 5, 5), true)
                              : cak_sum_axes(b.g, cak_input(b.g, "y", &CAK_SHAPE(4, 5, 5), true), 1);
        cak_ref lx = kind == 5 ? cak_neg(b.g, x) : turn(&b, x, 2),
                ly = kind == 5 ? cak_neg(b.g, y) : turn(&b, y, kind == 0 ? 1 : 2);
        cak_ref out[] = { cak_add(b.g, lx, kind == 4 ? lx : ly), kind == 2 ? cak_sin(b.g, lx) : kind == 3 ? ly : CAK_NONE };
        int nodes = count(b.g, "permute") + count(b.g, "neg"), n = cak_is_none(out[1]) ? 1 : 2;
        compare(&b, out, n, cak_pass_gather, 0);
        ck_assert_msg(count(b.g, "permute") + count(b.g, "neg") == nodes - (kind == 4), "kind %d", kind);
        close_bench(&b);
    }
}
END_TEST

START_TEST(random_graphs_keep_their_values)
{
    enum { OUTS = 4 };
    for (int seed = 0; seed < 60; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_graph(b.g, seed, 20 + seed, out, OUTS);
        const real **want = run_planned(b.a, b.g, out, OUTS);
        cak_graph *m = cak_pass_mask(b.g, out, OUTS), *to = cak_pass_gather(m, out, OUTS);
        const real **got = run_planned(b.a, to, out, OUTS);
        for (int i = 0; i < OUTS; i++)
            for (int64_t k = 0; k < cak_shape_size(cak_shape_of(to, out[i])); k++)
                ck_assert_double_eq_tol((double)got[i][k], (double)want[i][k], 1e-5);
        cak_graph_close(m), cak_graph_close(to);
        close_bench(&b);
    }
}
END_TEST

SUITE(pass_memory, masks_are_read_off_results, a_mask_that_is_read_before_its_product_stays, sums_of_linear_functions_meet,
      near_misses_stay_apart, random_graphs_keep_their_values)
