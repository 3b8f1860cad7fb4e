/* Plans: memory is never shared by values that are needed at the same time, results equal those without a plan, speed. */
#include <string.h>
#include <time.h>

#include "graph/plan.h"
#include "tests/support/graph_run.h"

enum { SEEDS = 150, OUTS = 4, UNIT = 64 };

static const cak_plan_options whole = { .whole = true }, plain_whole = { .whole = true, .plain = true };

static bool in_unit(const cak_unit *u, int id)
{
    for (int i = 0; i < u->n; i++)
        if (u->id[i] == id) return true;
    return false;
}

static void check_owner(const cak_program *p, const cak_timetable *s, const int *owner, int id, int t)
{
    int root = p->root[id];
    if (s->of[root] < 0) return; /* elsewhere */
    const cak_buffer *b = &s->buf[s->of[root]];
    size_t end = b->offset + (b->bytes + UNIT - 1) / UNIT * UNIT;
    for (size_t u = b->offset / UNIT; u * UNIT < end; u++)
        ck_assert_msg(owner[u] == root, "step %d needs %%%d, but %%%d lies there", t, root, owner[u]);
}

/* Play a timetable: each unit of the slab knows the value that was written there last, and no value may be read after it was replaced. The
** values needed at the end are `out`. */
static void play(const cak_program *p, const cak_timetable *s, const cak_job *job, const cak_ref *out, int n_out)
{
    int *owner = cak_heap_alloc((s->slab / UNIT + 1) * sizeof *owner, "owners");
    for (size_t u = 0; u < s->slab / UNIT; u++) owner[u] = -1;
    for (int t = 0; t < s->n; t++) {
        const cak_step_io *io = &s->step[t];
        const cak_job *j = &job[io->what];
        for (int i = 0; i < j->unit.n; i++) {
            const cak_value *v = cak_graph_value(p->g, (cak_ref){ j->unit.id[i] });
            for (int k = 0; k < v->n_in; k++)
                if (!in_unit(&j->unit, p->root[v->in[k].id])) check_owner(p, s, owner, v->in[k].id, t);
        }
        for (int k = 0; k < io->n_read && j->round >= 0; k++) check_owner(p, s, owner, io->read[k], t);
        for (int k = 0; k < io->n_write; k++) {
            const cak_buffer *b = &s->buf[s->of[io->write[k]]];
            ck_assert(b->offset % UNIT == 0 && b->offset + b->bytes <= s->slab && b->first <= t && b->last >= t);
            for (size_t u = b->offset / UNIT; u * UNIT < b->offset + b->bytes; u++) owner[u] = io->write[k];
        }
    }
    for (int i = 0; i < n_out; i++)
        if (!cak_is_none(out[i])) check_owner(p, s, owner, out[i].id, s->n);
    cak_heap_free(owner);
}

static bool reads(const cak_program *p, int id, int root)
{
    const cak_value *v = cak_graph_value(p->g, (cak_ref){ id });
    for (int k = 0; k < v->n_in; k++)
        if (p->root[v->in[k].id] == root) return true;
    return false;
}

/* Only an element-wise node may write where it reads, and then element on element. */
static void check_in_place(const cak_program *p, const cak_timetable *s, const cak_job *job, int64_t rows)
{
    for (int t = 0; t < s->n; t++) {
        const cak_step_io *io = &s->step[t];
        for (int w = 0; w < io->n_write; w++)
            for (int k = 0; k < io->n_read; k++) {
                const cak_buffer *y = &s->buf[s->of[io->write[w]]], *x = &s->buf[s->of[io->read[k]]];
                if (x->offset >= y->offset + y->bytes || y->offset >= x->offset + x->bytes) continue;
                cak_ref in = { io->read[k] }, out = { io->write[w] };
                cak_shape a = rows ? cak_shape_in_slice(p->g, in, rows) : *cak_shape_of(p->g, in);
                cak_shape b = rows ? cak_shape_in_slice(p->g, out, rows) : *cak_shape_of(p->g, out);
                ck_assert(cak_graph_value(p->g, out)->node->in_place && x->offset == y->offset);
                const cak_unit *u = &job[io->what].unit;
                for (int i = 0; i < u->n; i++) ck_assert(u->id[i] <= out.id || !reads(p, u->id[i], in.id));
                ck_assert_int_eq(cak_shape_size(&a), cak_shape_size(&b));
            }
    }
}

static void check_lifetimes(const cak_timetable *s)
{
    for (int i = 0; i < s->n_buf; i++)
        for (int j = 0; j < i; j++) {
            const cak_buffer *a = &s->buf[i], *b = &s->buf[j];
            if (a->last < b->first || b->last < a->first) continue;
            ck_assert(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    ck_assert_uint_ge(s->slab, s->peak);
}

static void check_program(const cak_program *p, const cak_ref *out)
{
    play(p, &p->main, p->job, out, OUTS);
    check_in_place(p, &p->main, p->job, 0);
    check_lifetimes(&p->main);
    for (int k = 0; k < p->slices.rounds; k++)
        for (int i = 0; i < p->round[k].n_variants; i++) {
            const cak_round *w = &p->round[k];
            const cak_variant *v = &w->variant[i];
            play(p, &v->slot, v->job, v->part, w->n_total);
            play(p, &v->slot, v->job, v->row, w->n_stored);
            check_in_place(p, &v->slot, v->job, p->slices.rows);
            check_lifetimes(&v->slot);
        }
    ck_assert_uint_ge(p->info.slab, p->info.peak);
}

START_TEST(no_value_is_overwritten_before_its_last_use)
{
    int orders = 0, sliced = 0, rounds = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_graph(b.g, seed, 10 + seed, out, OUTS);
        const cak_program *p = cak_plan_with(b.a, b.g, out, OUTS, seed % 2 ? &plain_whole : &whole);
        check_program(p, out);
        ck_assert_uint_le(p->info.slab, p->info.sum);
        ck_assert(p->info.values >= p->info.kernels && p->info.kernels == p->main.n && !p->info.rounds);
        orders |= p->info.order[0] == 'c' ? 1 : p->info.order[0] == 'd' ? 2 : 4;
        p = cak_plan(b.a, b.g, out, OUTS);
        check_program(p, out);
        sliced += p->info.rounds > 0;
        rounds += p->info.rounds > 1;
        close_bench(&b);
    }
    ck_assert_int_eq(orders, 7); /* each of the three orders wins now and then */
    ck_assert_int_gt(sliced, SEEDS / 2);
    ck_assert_int_gt(rounds, SEEDS / 10);
}
END_TEST

START_TEST(a_plan_does_not_change_results)
{
    for (int seed = 0; seed < SEEDS; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_graph(b.g, seed, 10 + seed, out, OUTS);
        const real **plain = run_plain(b.a, b.g, out, OUTS);
        for (int k = 0; k < 2; k++) {
            const real **planned = run_planned_with(b.a, b.g, out, OUTS, k ? &whole : &plain_whole);
            for (int i = 0; i < OUTS; i++)
                ck_assert(!memcmp(planned[i], plain[i], (size_t)cak_shape_size(cak_shape_of(b.g, out[i])) * sizeof(real)));
        }
        close_bench(&b);
    }
}
END_TEST

/* Sums over the samples are rounded in another place. */
START_TEST(slices_do_not_change_results)
{
    for (int seed = 0; seed < SEEDS; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_graph(b.g, seed, 10 + seed, out, OUTS);
        const real **sliced = run_planned_with(b.a, b.g, out, OUTS, &(cak_plan_options){ .plain = seed % 2 });
        const real **plain = run_plain(b.a, b.g, out, OUTS);
        for (int i = 0; i < OUTS; i++)
            for (int64_t j = 0; j < cak_shape_size(cak_shape_of(b.g, out[i])); j++)
                ck_assert_double_eq_tol((double)sliced[i][j], (double)plain[i][j], 2e-5);
        close_bench(&b);
    }
}
END_TEST

START_TEST(a_chain_needs_one_buffer)
{
    bench b = open_bench();
    cak_ref y = cak_input(b.g, "x", &CAK_SHAPE(1000), false);
    for (int i = 0; i < 20; i++) y = i % 2 ? cak_exp(b.g, y) : cak_neg(b.g, y);
    cak_plan_info info = cak_program_info(cak_plan_with(b.a, b.g, &y, 1, &plain_whole));
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
    ck_assert_int_eq(p->main.n, 1);
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
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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

SUITE(plan, no_value_is_overwritten_before_its_last_use, a_plan_does_not_change_results, slices_do_not_change_results,
      a_chain_needs_one_buffer, what_no_output_needs_is_left_out, folds_are_counted, five_thousand_values_plan_within_a_second)
