/* Programs that take a batch in slices: the same numbers as the whole batch at once, the same bits on any number of threads. */
#include <string.h>

#include "graph/par.h"
#include "graph/plan.h"
#include "tests/support/slice_run.h"

enum { SEEDS = 36, OUTS = 5 };
#ifdef _OPENMP
enum { WITH_THREADS = 1 };
#else
enum { WITH_THREADS = 0 };
#endif

static const int thread_counts[] = { 1, 2, 3, 8 };
static const int64_t batches[] = { 2, 3, 16, 17, 65, 1 };
enum { THREADS = sizeof thread_counts / sizeof *thread_counts, BATCHES = sizeof batches / sizeof *batches };

static const cak_clock start = { 3, 4 };

/* ---- random graphs ---- */

typedef struct seen { /* what the random graphs have met */
    int rounds[4], slots[5], teams, sums, stored, linear, fused, mixed;
} seen;

/* A sum that was made from a sum and not from rows. */
static bool is_linear(const cak_graph *g, int id)
{
    const cak_value *v = cak_graph_value(g, (cak_ref){ id });
    for (int k = 0; k < v->n_in; k++)
        if (cak_graph_value(g, v->in[k])->rows == CAK_ROWS_SAMPLE) return false;
    return true;
}

static void look_at(const cak_program *p, seen *s)
{
    const cak_plan_info *i = &p->info;
    s->rounds[cak_min64(i->rounds, 3)]++;
    s->slots[cak_min64(i->slots, 4)]++;
    s->teams += i->slots > 1 && i->threads > 1;
    s->mixed += i->rounds && i->mixed;
    for (int k = 0; k < i->rounds; k++) {
        const cak_round *w = &p->round[k];
        s->sums += w->n_total > 1;
        s->stored += w->n_stored > 0 && k < i->rounds - 1;
        for (int t = 0; t < w->n_total; t++) s->linear += is_linear(p->g, w->total[t]);
        for (int t = 0; t < w->variant[0].slot.n; t++) s->fused += w->variant[0].job[t].fused != NULL;
    }
}

static void look_on(int threads, const bench *b, const cak_ref *out, bool plain, seen *s)
{
    int before = cak_threads();
    cak_threads_set(threads);
    look_at(cak_plan_with(b->a, b->g, out, OUTS, &(cak_plan_options){ .plain = plain }), s);
    cak_threads_set(before);
}

static void check_seed(int seed, seen *s)
{
    bench b = open_bench();
    cak_ref out[OUTS];
    random_batch_graph(b.g, seed, 10 + 4 * seed, batches[seed % BATCHES], out, OUTS);
    const real **plain = run_plain(b.a, b.g, out, OUTS);
    for (int k = 0; k < 2; k++) {
        const real **one = NULL;
        for (int t = 0; t < THREADS; t += k + 1) {
            const real **y = run_watched(b.a, b.g, out, OUTS, &(setting){ .plan.plain = k, .threads = thread_counts[t] });
            if (!one) one = y;
            ck_equal_bits(b.g, out, OUTS, y, one, cak_arena_print(b.a, "seed %d on %d threads", seed, thread_counts[t]));
            look_on(thread_counts[t], &b, out, k, s);
        }
        ck_near(b.g, out, OUTS, one, plain, cak_arena_print(b.a, "seed %d, %s", seed, k ? "plain" : "fused"));
    }
    close_bench(&b);
}

START_TEST(random_batches)
{
    seen s = { 0 };
    for (int seed = 0; seed < SEEDS; seed++) check_seed(seed, &s);
    for (int k = 0; k < 4; k++) ck_assert(s.rounds[k] && (s.slots[k + 1] || !WITH_THREADS));
    ck_assert((s.teams || !WITH_THREADS) && s.sums && s.stored && s.linear && s.fused && s.mixed);
}
END_TEST

/* ---- what the batch is ---- */

/* Values and plans in slices and without, on two threads. */
static cak_plan_info check_both(const bench *b, const cak_ref *out, int n, const char *what)
{
    const real **plain = run_plain(b->a, b->g, out, n);
    for (int k = 0; k < 2; k++)
        ck_near(b->g, out, n, run_watched(b->a, b->g, out, n, &(setting){ .plan.plain = k, .threads = 2 }), plain, what);
    return cak_program_info(cak_plan(b->a, b->g, out, n));
}

START_TEST(inputs_that_disagree_about_the_batch)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4, 5), true), y = cak_input(b.g, "y", &CAK_SHAPE(3, 5), true);
    cak_ref out[] = { cak_mul(b.g, cak_mean_axes(b.g, cak_exp(b.g, x), 1), cak_mean_axes(b.g, cak_sin(b.g, y), 1)),
                      cak_tanh(b.g, y) };
    cak_plan_info i = check_both(&b, out, 2, "two batches");
    ck_assert(i.batch == 0 && i.rows == 0 && i.rounds == 0 && i.slots == 1);
    close_bench(&b);
}
END_TEST

START_TEST(a_batch_that_only_dead_values_disagree_about)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4, 5), true), y = cak_mean(b.g, cak_exp(b.g, x));
    cak_exp(b.g, cak_input(b.g, "y", &CAK_SHAPE(3, 5), true));
    cak_plan_info i = check_both(&b, &y, 1, "one batch");
    ck_assert(i.batch == 4 && i.rounds == 1);
    close_bench(&b);
}
END_TEST

START_TEST(a_batch_of_one)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(1, 5), true), out[] = { cak_mean(b.g, cak_exp(b.g, x)), cak_sum_axes(b.g, x, 1) };
    cak_plan_info i = check_both(&b, out, 2, "one sample");
    ck_assert(i.batch == 0 && i.rounds == 0);
    close_bench(&b);
}
END_TEST

/* The sum of a whole batch is a row that is worth a pass; a slice of one sample is not. */
START_TEST(one_number_a_sample)
{
    static const int64_t extent[] = { 64, 65, 80, 129 };
    for (int k = 0; k < 4; k++) {
        bench b = open_bench();
        cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(extent[k]), true), y = cak_exp(b.g, x);
        cak_ref out[] = { cak_sum(b.g, y), cak_mean(b.g, cak_mul(b.g, y, x)) };
        ck_assert_int_eq(check_both(&b, out, 2, "numbers").rounds, 1);
        close_bench(&b);
    }
}
END_TEST

START_TEST(outputs_of_every_kind)
{
    for (int k = 0; k < BATCHES; k++) {
        bench b = open_bench();
        cak_graph *g = b.g;
        int64_t n = batches[k];
        cak_ref x = cak_input(g, "x", &CAK_SHAPE(n, 6), true), p = cak_param(g, "p", &CAK_SHAPE(1, 6), (cak_init){ 0 });
        cak_ref row = cak_tanh(g, x), sum = cak_mean_axes(g, row, 1), whole = cak_exp(g, sum);
        cak_ref later = cak_mul(g, row, whole), mixed = cak_permute(g, row, &(cak_ints){ 2, { 1, 0 } });
        cak_ref out[] = {
            x,
            cak_reshape(g, x, &CAK_SHAPE(n, 2, 3)),
            p,
            row,
            cak_detach(g, row),
            cak_reshape(g, row, &CAK_SHAPE(2 * n, 3)),
            sum,
            cak_reshape(g, sum, &CAK_SHAPE(6)),
            whole,
            cak_reshape(g, whole, &CAK_SHAPE(3, 2)),
            later,
            cak_mean(g, later),
            mixed,
            cak_reshape(g, mixed, &CAK_SHAPE(3, 2, n)),
            cak_uniform(g, "noise", &CAK_SHAPE(n, 2)),
            cak_const(g, 3),
            row,
        };
        check_both(&b, out, sizeof out / sizeof *out, "kinds of outputs");
        close_bench(&b);
    }
}
END_TEST

START_TEST(no_output_is_no_value)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4, 5), true), out[] = { CAK_NONE, cak_mean(b.g, cak_exp(b.g, x)), CAK_NONE };
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, out, 3), NULL);
    cak_exec_bind(e, "x", random_data(b.a, "x", 20));
    ck_assert(cak_exec_run(e, &start));
    ck_assert(!cak_exec_data(e, out[0]) && cak_exec_data(e, out[1]) && !cak_exec_data(e, out[2]));
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

/* ---- runs ---- */

START_TEST(other_bindings)
{
    bench b = open_bench();
    cak_ref out[OUTS];
    random_batch_graph(b.g, 21, 60, 16, out, OUTS);
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, out, OUTS), NULL);
    const real **first = run_planned(b.a, b.g, out, OUTS);
    const char *const order[] = { "x", "u", "x" }; /* data of this input is bound to x, the first and the last time its own */
    for (int k = 0; k < 3; k++) {
        for (int id = 0; id < cak_graph_size(b.g); id++) {
            const char *name = cak_value_name(b.g, (cak_ref){ id });
            int64_t n = cak_shape_size(cak_shape_of(b.g, (cak_ref){ id }));
            if (name) cak_exec_bind(e, name, random_data(b.a, strcmp(name, "x") ? name : order[k], n));
        }
        cak_exec_run(e, &start);
        int differ = 0;
        for (int i = 0; i < OUTS; i++)
            differ +=
                memcmp(cak_exec_data(e, out[i]), first[i], (size_t)cak_shape_size(cak_shape_of(b.g, out[i])) * sizeof(real)) != 0;
        ck_assert(k == 1 ? differ > 0 : differ == 0);
    }
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

/* What shows the memory of an input shows the new one. */
START_TEST(views_of_other_bindings)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4, 2), true), p = cak_param(b.g, "p", &CAK_SHAPE(1, 2), (cak_init){ 0 });
    cak_ref flat = cak_reshape(b.g, x, &CAK_SHAPE(8)), bias = cak_detach(b.g, p);
    cak_ref out[] = { cak_neg(b.g, flat), cak_sum_axes(b.g, cak_add(b.g, cak_detach(b.g, x), bias), 1), flat };
    cak_exec *e = cak_exec_open(b.a, cak_plan_with(b.a, b.g, out, 3, &(cak_plan_options){ .plain = true }), NULL);
    real data[3][8], weights[3][2];
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 8; i++) data[k][i] = (real)(10 * k + i);
        weights[k][0] = weights[k][1] = (real)k;
        cak_exec_bind(e, "x", data[k]), cak_exec_bind(e, "p", weights[k]);
        cak_exec_run(e, &start);
        ck_assert(cak_exec_data(e, out[0])[7] == -(real)(10 * k + 7) && cak_exec_data(e, out[2]) == data[k]);
        ck_assert(cak_exec_data(e, out[1])[0] == (real)(40 * k + 12 + 4 * k));
    }
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

/* Images of several blocks, so that a team of threads shares the work of a slice. */
static void image_graph(cak_graph *g, int64_t batch, cak_ref out[4])
{
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(batch, 2, 60, 70), true);
    cak_ref w = cak_param(g, "w", &CAK_SHAPE(4, 2, 3, 3), (cak_init){ 0 });
    cak_ref h = cak_tanh(g, cak_conv2d(g, x, w, 1, 1, 1)), m = cak_mean_axes(g, h, 1 << 2 | 1 << 3);
    cak_ref v = cak_mean_axes(g, cak_square(g, h), 1 << 2 | 1 << 3);
    cak_ref n = cak_mul(g, cak_sub(g, h, m), cak_rsqrt(g, cak_shift(g, v, 1e-3)));
    out[0] = cak_mean(g, cak_square(g, n));
    out[1] = cak_grad(g, cak_mean(g, cak_sigmoid(g, n)), w);
    out[2] = cak_sum_axes(g, cak_mul(g, n, cak_exp(g, cak_neg(g, out[0]))), 1 << 0 | 1 << 2);
    out[3] = cak_mul(g, n, cak_uniform(g, "noise", &CAK_SHAPE(batch, 1, 60, 70)));
}

START_TEST(images_on_teams)
{
    static const int64_t batch[] = { 2, 3, 9 };
    for (int k = 0; k < 3; k++) {
        bench b = open_bench();
        cak_ref out[4];
        image_graph(b.g, batch[k], out);
        const real **plain = run_plain(b.a, b.g, out, 4), **one = NULL;
        for (int t = 0; t < THREADS; t++) {
            const real **y = run_watched(b.a, b.g, out, 4, &(setting){ .plan.plain = t % 2, .threads = thread_counts[t] });
            if (!one) one = y;
            ck_equal_bits(b.g, out, 4, y, one, cak_arena_print(b.a, "%d threads", thread_counts[t]));
        }
        ck_near(b.g, out, 4, one, plain, "images");
        close_bench(&b);
    }
}
END_TEST

/* A slice of more than 64 MiB has a team of its own; the last of five runs alone. */
START_TEST(large_slices)
{
    bench b = open_bench();
    int64_t side = sizeof(real) == sizeof(float) ? 4100 : 2900;
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(5, 1, 1), true);
    cak_ref wide = cak_expand(b.g, x, &CAK_SHAPE(5, side, side)), y = cak_mean(b.g, cak_square(b.g, wide));
    int before = cak_threads();
    cak_threads_set(8);
    cak_plan_info i = cak_program_info(cak_plan_with(b.a, b.g, &y, 1, &(cak_plan_options){ .plain = true }));
    ck_assert(i.rows == 1 && (!WITH_THREADS || (i.slots == 2 && i.threads == 4)));
    cak_threads_set(before);
    const real **one = run_watched(b.a, b.g, &y, 1, &(setting){ .plan.plain = true, .threads = 8 });
    const real **two = run_watched(b.a, b.g, &y, 1, &(setting){ .plan.plain = true, .threads = 1 });
    ck_equal_bits(b.g, &y, 1, one, two, "large slices");
    double want = 0;
    for (int k = 0; k < 5; k++) want += (double)random_data(b.a, "x", 5)[k] * (double)random_data(b.a, "x", 5)[k] / 5;
    ck_close((double)one[0][0], want, 1e-5);
    close_bench(&b);
}
END_TEST

SUITE(slice, random_batches, inputs_that_disagree_about_the_batch, a_batch_that_only_dead_values_disagree_about, a_batch_of_one,
      one_number_a_sample, outputs_of_every_kind, no_output_is_no_value, other_bindings, views_of_other_bindings, images_on_teams,
      large_slices)
