/* Plans: memory is never shared by values that are needed at the same time, results equal those without a plan, speed. */
#include <string.h>
#include <time.h>

#include "graph/plan.h"
#include "tests/support/graph_run.h"

enum { SEEDS = 150, OUTS = 4, UNIT = 64 };

/* Play the program: each unit of the slab knows the value that was written there last, and no value may be read after it was replaced. */
static void play(const cak_program *p)
{
    int *owner = cak_heap_alloc((p->info.slab / UNIT + 1) * sizeof *owner, "owners");
    for (size_t u = 0; u < p->info.slab / UNIT; u++) owner[u] = -1;
    for (int t = 0; t <= p->n; t++) {
        const cak_value *v = t < p->n ? cak_graph_value(p->g, (cak_ref){ p->order[t] }) : NULL;
        int n = v ? v->n_in : p->n_out;
        for (int k = 0; k < n; k++) {
            cak_ref in = v ? v->in[k] : p->out[k];
            int root = p->root[in.id];
            if (p->of[root] < 0) continue; /* bound from outside */
            const cak_buffer *b = &p->buf[p->of[root]];
            size_t bytes = (size_t)cak_shape_size(cak_shape_of(p->g, in)) * sizeof(real);
            ck_assert_uint_le(bytes, b->bytes);
            for (size_t u = b->offset / UNIT; u * UNIT < b->offset + bytes; u++)
                ck_assert_msg(owner[u] == root, "step %d reads %%%d, but %%%d lies there", t, root, owner[u]);
        }
        if (!v) break;
        const cak_buffer *b = &p->buf[p->of[p->order[t]]];
        ck_assert(b->offset % UNIT == 0 && b->offset + b->bytes <= p->info.slab && b->first <= t && b->last >= t);
        for (size_t u = b->offset / UNIT; u * UNIT < b->offset + b->bytes; u++) owner[u] = p->order[t];
    }
    cak_heap_free(owner);
}

/* Only an element-wise node may write where it reads, and then element on element. */
static void check_in_place(const cak_program *p)
{
    for (int t = 0; t < p->n; t++) {
        const cak_value *v = cak_graph_value(p->g, (cak_ref){ p->order[t] });
        const cak_buffer *y = &p->buf[p->of[p->order[t]]];
        for (int k = 0; k < v->n_in; k++) {
            int i = p->of[p->root[v->in[k].id]];
            if (i < 0) continue;
            const cak_buffer *x = &p->buf[i];
            if (x->offset >= y->offset + y->bytes || y->offset >= x->offset + x->bytes) continue;
            ck_assert(v->node->in_place && x->offset == y->offset);
            ck_assert_int_eq(cak_shape_size(cak_shape_of(p->g, v->in[k])), cak_shape_size(&v->shape));
        }
    }
}

static void check_lifetimes(const cak_program *p)
{
    for (int i = 0; i < p->n_buf; i++)
        for (int j = 0; j < i; j++) {
            const cak_buffer *a = &p->buf[i], *b = &p->buf[j];
            if (a->last < b->first || b->last < a->first) continue;
            ck_assert(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
}

START_TEST(no_value_is_overwritten_before_its_last_use)
{
    int orders = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_graph(b.g, seed, 10 + seed, out, OUTS);
        const cak_program *p = cak_plan(b.a, b.g, out, OUTS);
        play(p);
        check_in_place(p);
        check_lifetimes(p);
        ck_assert_uint_ge(p->info.slab, p->info.peak);
        ck_assert_uint_le(p->info.slab, p->info.sum);
        ck_assert(p->info.values >= p->info.kernels && p->info.kernels == p->n);
        orders |= p->info.order[0] == 'c' ? 1 : p->info.order[0] == 'd' ? 2 : 4;
        close_bench(&b);
    }
    ck_assert_int_eq(orders, 7); /* each of the three orders wins now and then */
}
END_TEST

START_TEST(a_plan_does_not_change_results)
{
    for (int seed = 0; seed < SEEDS; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_graph(b.g, seed, 10 + seed, out, OUTS);
        const real **planned = run_planned(b.a, b.g, out, OUTS), **plain = run_plain(b.a, b.g, out, OUTS);
        for (int i = 0; i < OUTS; i++)
            ck_assert(!memcmp(planned[i], plain[i], (size_t)cak_shape_size(cak_shape_of(b.g, out[i])) * sizeof(real)));
        close_bench(&b);
    }
}
END_TEST

START_TEST(a_chain_needs_one_buffer)
{
    bench b = open_bench();
    cak_ref y = cak_input(b.g, "x", &CAK_SHAPE(1000), false);
    for (int i = 0; i < 20; i++) y = i % 2 ? cak_exp(b.g, y) : cak_neg(b.g, y);
    cak_plan_info info = cak_program_info(cak_plan(b.a, b.g, &y, 1));
    size_t bytes = (1000 * sizeof(real) + 63) / 64 * 64;
    ck_assert_uint_eq(info.slab, bytes);
    ck_assert_uint_eq(info.peak, bytes);
    ck_assert_uint_eq(info.sum, 20 * bytes);
    ck_assert_uint_eq(info.external, bytes);
    ck_assert_int_eq(info.kernels, 20);
    close_bench(&b);
}
END_TEST

START_TEST(what_no_output_needs_is_left_out)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(3), false), y = cak_exp(b.g, x);
    cak_sin(b.g, x);
    cak_ref out[] = { y, CAK_NONE, x, cak_detach(b.g, y) };
    const cak_program *p = cak_plan(b.a, b.g, out, 4);
    ck_assert_int_eq(p->n, 1);
    char *text = cak_program_text(b.a, p);
    ck_assert_ptr_nonnull(strstr(text, "values 3, kernels 1, folds over samples 0, mixed 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "   0  %1     exp "));
    close_bench(&b);
}
END_TEST

START_TEST(folds_are_counted)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(3, 4), true);
    cak_ref out[] = { cak_mean(b.g, x), cak_exp(b.g, cak_permute(b.g, x, &(cak_ints){ 2, { 1, 0 } })) };
    cak_plan_info info = cak_program_info(cak_plan(b.a, b.g, out, 2));
    ck_assert_int_eq(info.folds, 1);
    ck_assert_int_eq(info.mixed, 2);
    ck_assert_uint_gt(info.scratch, 0);
    close_bench(&b);
}
END_TEST

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

START_TEST(five_thousand_values_plan_within_a_second)
{
    bench b = open_bench();
    cak_ref out[OUTS];
    random_graph(b.g, 1, 3500, out, OUTS);
    cak_ref all = cak_const(b.g, 0); /* everything is live */
    for (int id = 0, n = cak_graph_size(b.g); id < n; id++) all = cak_add(b.g, all, cak_sum(b.g, (cak_ref){ id }));
    ck_assert_int_gt(cak_graph_size(b.g), 5000);
    double from = now();
    cak_plan(b.a, b.g, &all, 1);
    ck_assert_double_lt(now() - from, 1);
    close_bench(&b);
}
END_TEST

SUITE(plan, no_value_is_overwritten_before_its_last_use, a_plan_does_not_change_results, a_chain_needs_one_buffer,
      what_no_output_needs_is_left_out, folds_are_counted, five_thousand_values_plan_within_a_second)
