/* Special samples: the cheaper way gives the same results, whichever samples take it. */
#include <math.h>
#include <string.h>

#include "graph/par.h"
#include "graph/plan.h"
#include "graph/special.h"
#include "tests/support/slice_run.h"

enum { BATCH = 5, WIDTH = 8, HIDDEN = 48, SEEDS = 150, OUTS = 3 };

static const int thread_counts[] = { 1, 2, 8 };

extern const cak_node cak_node_matmul;

/* ---- data: "c" is zero, "u" equals "x" for some samples ---- */

typedef struct facts { /* sample b: bit b */
    uint64_t zero, equal;
    real nought; /* what zero is */
} facts;

static void make_special(void *ctx, const char *name, const cak_shape *s, real *data)
{
    const facts *f = ctx;
    int64_t n = s->rank ? cak_shape_size(s) / s->dim[0] : 1;
    cak_arena *a = cak_arena_open("rows");
    const real *x = random_data(a, "x", cak_shape_size(s));
    for (int64_t b = 0; s->rank && b < s->dim[0]; b++) {
        for (int64_t i = 0; i < n && !strcmp(name, "c") && f->zero >> b & 1; i++) data[b * n + i] = f->nought;
        if (!strcmp(name, "u") && f->equal >> b & 1) memcpy(data + b * n, x + b * n, (size_t)n * sizeof *data);
    }
    cak_arena_close(a);
}

static const real **run_with(const bench *b, const cak_ref *out, int n, const cak_special *s, const facts *f, int threads)
{
    setting how = {
        .plan = { .special = s, .whole = !s, .plain = !s }, .threads = threads, .edit = make_special, .ctx = (void *)f
    };
    return run_watched(b->a, b->g, out, n, &how);
}

/* Results of the special program and of the ordinary one for these samples, on any number of threads. */
static void check_facts(const bench *b, const cak_ref *out, int n, const cak_special *s, facts f)
{
    const char *what = cak_arena_print(b->a, "zero %llx, equal %llx", (unsigned long long)f.zero, (unsigned long long)f.equal);
    const real **want = run_with(b, out, n, NULL, &f, 1), **one = NULL;
    for (int t = 0; t < 3; t++) {
        const real **have = run_with(b, out, n, s, &f, thread_counts[t]);
        if (!one) one = have;
        ck_equal_bits(b->g, out, n, have, one, what);
    }
    ck_near(b->g, out, n, one, want, what);
}

/* ---- graphs ---- */

static cak_ref rows(cak_graph *g, const char *name) { return cak_input(g, name, &CAK_SHAPE(BATCH, WIDTH), true); }
static cak_ref control(cak_graph *g) { return cak_input(g, "c", &CAK_SHAPE(BATCH, 1), true); }

/* Two layers: what it costs is worth a fact. */
static cak_ref network(cak_graph *g, cak_ref x, const char *scope)
{
    const char *old = cak_graph_scope(g, scope);
    cak_ref v = cak_param(g, "v", &CAK_SHAPE(WIDTH, HIDDEN), (cak_init){ 0 });
    cak_ref w = cak_param(g, "w", &CAK_SHAPE(HIDDEN, WIDTH), (cak_init){ 0 });
    cak_ref h = cak_tanh(g, cak_matmul(g, x, v, false, false));
    cak_graph_scope(g, old);
    return cak_tanh(g, cak_scale(g, cak_matmul(g, h, w, false, false), 0.3));
}

static cak_ref weight(cak_graph *g, const char *scope)
{
    const char *old = cak_graph_scope(g, scope);
    cak_ref v = cak_param(g, "v", &CAK_SHAPE(WIDTH, HIDDEN), (cak_init){ 0 });
    cak_graph_scope(g, old);
    return v;
}

/* A generator x + c * network(x) against u, with the gradient of a weight: c = 0 leaves x, which may be u. */
static int game(cak_graph *g, cak_ref *out)
{
    cak_ref x = rows(g, "x"), made = cak_add(g, x, cak_mul(g, control(g), network(g, x, "a")));
    cak_ref error = cak_sub(g, network(g, made, "b"), network(g, rows(g, "u"), "b"));
    out[0] = cak_mean(g, cak_square(g, error));
    out[1] = cak_grad(g, out[0], weight(g, "a"));
    out[2] = cak_mean(g, network(g, x, "b"));
    return 3;
}

/* Steps of a variant of round k that are matrix products. */
static int products(const cak_program *p, int k, int variant)
{
    const cak_variant *v = &p->round[k].variant[variant];
    int n = 0;
    for (int t = 0; t < v->slot.n; t++) n += cak_graph_value(p->g, (cak_ref){ v->job[t].unit.id[0] })->node == &cak_node_matmul;
    return n;
}

static cak_program *plan_special(const bench *b, const cak_ref *out, int n, const cak_special *s)
{
    return cak_plan_with(b->a, b->g, out, n, &(cak_plan_options){ .special = s });
}

START_TEST(every_choice_of_samples)
{
    bench b = open_bench();
    cak_ref out[3];
    int n = game(b.g, out);
    const cak_special *s = cak_specialise(b.a, b.g, out, n);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(s->n_facts, 2);
    for (uint64_t mask = 0; mask < 1 << BATCH; mask++) {
        check_facts(&b, out, n, s, (facts){ mask, mask, 0 });
        check_facts(&b, out, n, s, (facts){ mask, ~(uint64_t)0, 0 });
    }
    const cak_program *p = plan_special(&b, out, n, s);
    ck_assert_int_lt(products(p, 0, 1), products(p, 0, 0));
    close_bench(&b);
}
END_TEST

START_TEST(random_batches)
{
    static const int64_t batches[] = { 2, 3, 5, 16, 17 };
    int found = 0, rounds = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_batch_graph(b.g, seed, 8 + seed % 40, batches[seed % 5], out, OUTS);
        const cak_special *s = cak_specialise(b.a, b.g, out, OUTS);
        if (s) {
            found++;
            rounds += cak_program_info(plan_special(&b, out, OUTS, s)).rounds > 1;
            for (uint64_t k = 0; k < 4; k++) check_facts(&b, out, OUTS, s, (facts){ k * 0x15a53, k * 0x15a53 | k * 0x2ac97, 0 });
            check_facts(&b, out, OUTS, s, (facts){ ~(uint64_t)0, ~(uint64_t)0, 0 });
        }
        close_bench(&b);
    }
    ck_assert_int_gt(found, SEEDS / 20);
    ck_assert_int_gt(rounds, 1);
}
END_TEST

/* ---- what pays ---- */

START_TEST(facts_that_pay_nothing)
{
    bench b = open_bench();
    cak_ref x = rows(b.g, "x"), c = control(b.g), h = cak_mean(b.g, network(b.g, x, "a"));
    ck_assert_ptr_null(cak_specialise(b.a, b.g, &h, 1)); /* nothing to suppose */
    cak_ref little[] = { h, cak_mean(b.g, cak_mul(b.g, x, c)) };
    ck_assert_ptr_null(cak_specialise(b.a, b.g, little, 2));
    cak_ref none = CAK_NONE;
    ck_assert_ptr_null(cak_specialise(b.a, b.g, &none, 1));
    cak_ref single = cak_mean(b.g, cak_mul(b.g, cak_input(b.g, "one", &CAK_SHAPE(1, 1), true), h));
    ck_assert_ptr_null(cak_specialise(b.a, b.g, &single, 1)); /* two batches: not sliced */
    close_bench(&b);
}
END_TEST

START_TEST(only_facts_that_pay)
{
    bench b = open_bench();
    cak_ref x = rows(b.g, "x"), u = rows(b.g, "u");
    cak_ref out[] = { cak_mean(b.g, cak_mul(b.g, control(b.g), network(b.g, x, "a"))), cak_mean(b.g, u) };
    const cak_special *s = cak_specialise(b.a, b.g, out, 2);
    ck_assert_ptr_nonnull(s);
    ck_assert(s->n_facts == 1 && cak_is_none(s->fact[0].b));
    ck_assert_str_eq(cak_value_name(b.g, s->fact[0].a), "c");
    check_facts(&b, out, 2, s, (facts){ 0xa, 0x3, 0 });
    close_bench(&b);
}
END_TEST

/* ---- what takes the place of results ---- */

static cak_ref instead_of(const cak_special *s, cak_ref r)
{
    for (int i = 0; i < s->n_results; i++)
        if (s->result[i].id == r.id) return s->instead[i];
    ck_abort_msg("%%%d is no result", r.id);
}

/* The sum that a mean over everything is made of. */
static cak_ref sum_of(const cak_graph *g, cak_ref mean)
{
    while (cak_graph_value(g, mean)->in[0].id >= 0 &&
           cak_graph_value(g, cak_graph_value(g, mean)->in[0])->rows == CAK_ROWS_SHARED)
        mean = cak_graph_value(g, mean)->in[0];
    return mean;
}

START_TEST(sums_that_are_zero)
{
    bench b = open_bench();
    cak_ref out[] = { cak_mean(b.g, cak_mul(b.g, control(b.g), network(b.g, rows(b.g, "x"), "a"))),
                      cak_mean(b.g, rows(b.g, "x")) };
    const cak_special *s = cak_specialise(b.a, b.g, out, 2);
    ck_assert(cak_is_none(instead_of(s, sum_of(b.g, out[0]))) && !cak_is_none(instead_of(s, sum_of(b.g, out[1]))));
    check_facts(&b, out, 2, s, (facts){ 0x5, 0, 0 });
    check_facts(&b, out, 2, s, (facts){ 0x1f, 0, 0 });
    close_bench(&b);
}
END_TEST

START_TEST(sums_that_become_the_same)
{
    bench b = open_bench();
    cak_ref x = rows(b.g, "x"), y = cak_exp(b.g, x);
    cak_ref out[] = { cak_mean(b.g, y), cak_mean(b.g, cak_add(b.g, y, cak_mul(b.g, control(b.g), network(b.g, x, "a")))) };
    const cak_special *s = cak_specialise(b.a, b.g, out, 2);
    ck_assert_int_eq(instead_of(s, sum_of(b.g, out[0])).id, instead_of(s, sum_of(b.g, out[1])).id);
    check_facts(&b, out, 2, s, (facts){ 0x9, 0, 0 });
    close_bench(&b);
}
END_TEST

START_TEST(stored_rows)
{
    bench b = open_bench();
    cak_ref x = rows(b.g, "x"), h = cak_mul(b.g, control(b.g), network(b.g, x, "a"));
    cak_ref out[] = { cak_add(b.g, cak_exp(b.g, x), h), cak_reshape(b.g, h, &CAK_SHAPE(BATCH, 2, WIDTH / 2)),
                      cak_permute(b.g, cak_sub(b.g, h, x), &(cak_ints){ 2, { 1, 0 } }) };
    const cak_special *s = cak_specialise(b.a, b.g, out, 3);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_ne(instead_of(s, h).id, h.id);
    for (uint64_t mask = 0; mask < 1 << BATCH; mask += 5) check_facts(&b, out, 3, s, (facts){ mask, 0, 0 });
    close_bench(&b);
}
END_TEST

/* An input has no rows in a slice that could be stored: this result is computed as always, the other is not. */
START_TEST(a_result_that_cannot_be_replaced)
{
    bench b = open_bench();
    cak_ref x = rows(b.g, "x"), c = control(b.g), y = cak_add(b.g, x, cak_mul(b.g, c, network(b.g, x, "a")));
    cak_ref out[] = { y, cak_mean(b.g, cak_mul(b.g, c, network(b.g, x, "b"))) };
    ck_assert_ptr_nonnull(cak_specialise(b.a, b.g, out, 2));
    const cak_special *s = cak_specialise(b.a, b.g, out, 2);
    ck_assert_int_eq(instead_of(s, y).id, y.id);
    check_facts(&b, out, 2, s, (facts){ 0x16, 0, 0 });
    ck_assert_ptr_null(cak_specialise(b.a, b.g, out, 1)); /* nothing is left that pays */
    close_bench(&b);
}
END_TEST

/* A sum over all samples is what it is for special ones, too, whatever they add to it. */
START_TEST(sums_of_an_earlier_round)
{
    bench b = open_bench();
    cak_graph *g = b.g;
    cak_ref x = rows(g, "x"), c = control(g), h = network(g, x, "a");
    cak_ref sum = cak_mean_axes(g, cak_add(g, x, cak_mul(g, c, h)), 1), nil = cak_mean_axes(g, cak_mul(g, c, h), 1);
    cak_ref again = cak_mul(g, c, network(g, cak_mul(g, x, sum), "b"));
    cak_ref out[] = { cak_mean(g, cak_mul(g, cak_sin(g, x), sum)), cak_mean(g, cak_mul(g, cak_cos(g, x), cak_exp(g, nil))),
                      cak_mean(g, cak_add(g, cak_mul(g, x, nil), again)), cak_mean(g, cak_mul(g, x, cak_add(g, again, sum))) };
    const cak_special *s = cak_specialise(b.a, g, out, 4);
    ck_assert_ptr_nonnull(s);
    const cak_program *p = plan_special(&b, out, 4, s);
    ck_assert_int_eq(p->info.rounds, 2);
    for (int k = 0; k < 2; k++) ck_assert_int_lt(products(p, k, 1), products(p, k, 0));
    for (uint64_t mask = 0; mask < 1 << BATCH; mask += 3) check_facts(&b, out, 4, s, (facts){ mask, 0, 0 });
    close_bench(&b);
}
END_TEST

/* What a sum becomes may be a linear function of other sums; then its parts are that function of theirs. */
START_TEST(functions_of_sums)
{
    bench b = open_bench();
    cak_graph *g = b.g;
    cak_ref x = rows(g, "x"), y = cak_exp(g, x), c = control(g), sum = cak_sum_axes(g, y, 1);
    cak_ref twice = cak_sum_axes(g, cak_add(g, cak_scale(g, y, 2), cak_mul(g, c, network(g, x, "a"))), 1);
    cak_ref late = network(g, cak_mul(g, x, sum), "b");
    cak_ref thrice = cak_sum_axes(g, cak_add(g, cak_scale(g, y, 3), cak_mul(g, c, late)), 1);
    cak_ref out[] = { sum, twice, thrice };
    const cak_special *s = cak_specialise(b.a, g, out, 3);
    ck_assert_ptr_nonnull(s);
    for (int i = 1; i < 3; i++) {
        cak_ref other = instead_of(s, out[i]);
        ck_assert(other.id != out[i].id && cak_graph_value(g, other)->rows == CAK_ROWS_SHARED);
        ck_assert_int_eq(cak_graph_value(g, cak_graph_value(g, other)->in[0])->rows, CAK_ROWS_SHARED);
    }
    ck_assert_int_eq(cak_program_info(plan_special(&b, out, 3, s)).rounds, 2);
    for (uint64_t mask = 0; mask < 1 << BATCH; mask += 3) check_facts(&b, out, 3, s, (facts){ mask, 0, 0 });
    close_bench(&b);
}
END_TEST

/* ---- which samples are special ---- */

enum { KINDS = 8 };

/* Rows that are stored show which way they were computed. */
static cak_special tell_apart(cak_graph *g, cak_ref *out, cak_ref *in)
{
    in[0] = cak_input(g, "a", &CAK_SHAPE(KINDS, 3), true), in[1] = cak_input(g, "b", &CAK_SHAPE(KINDS, 3), true);
    cak_ref sum = cak_add(g, in[0], in[1]), *instead = cak_arena_alloc(cak_graph_arena(g), sizeof *instead);
    *out = cak_tanh(g, cak_scale(g, sum, 0));
    *instead = cak_shift(g, *out, 1);
    return (cak_special){ .result = out, .instead = instead, .n_results = 1 };
}

static void check_special(const cak_special *s, const bench *b, const real *x, const real *y, const int *special)
{
    for (int t = 0; t < 3; t++) {
        int before = cak_threads();
        cak_threads_set(thread_counts[t]);
        cak_exec *e = cak_exec_open(b->a, plan_special(b, s->result, 1, s), NULL);
        cak_exec_bind(e, "a", x), cak_exec_bind(e, "b", y);
        for (int run = 0; run < 2; run++) {
            cak_exec_run(e, &(cak_clock){ 1, 2 });
            for (int k = 0; k < KINDS; k++) {
                bool ordinary = !(cak_exec_data(e, s->result[0])[3 * k + 1] == 1); /* NaN is ordinary */
                ck_assert_msg(ordinary == !special[k], "sample %d, special: %d", k, special[k]);
            }
        }
        cak_exec_close(e);
        cak_threads_set(before);
    }
}

START_TEST(rows_that_are_zero)
{
    const real x[KINDS * 3] = { 0, 0, 0, -0.0f, 0, 0, 0, 1, 0, (real)NAN, 0, 0, 0, 0, (real)1e-30, 0, 0, 0, 0, 0, 1, -1, 0, 0 };
    bench b = open_bench();
    cak_ref out, in[2];
    cak_special s = tell_apart(b.g, &out, in);
    s.fact = &(cak_same_rows){ in[0], CAK_NONE }, s.n_facts = 1;
    check_special(&s, &b, x, random_data(b.a, "b", KINDS * 3), (const int[]){ 1, 1, 0, 0, 0, 1, 0, 0 });
    close_bench(&b);
}
END_TEST

/* Equal means the same bits, so that what differs is exactly zero; a NaN is taken for a number. */
START_TEST(rows_that_are_equal)
{
    real *x, *y;
    bench b = open_bench();
    cak_ref out, in[2];
    cak_special s = tell_apart(b.g, &out, in);
    x = random_data(b.a, "x", KINDS * 3), y = random_data(b.a, "x", KINDS * 3);
    x[0] = 0, y[0] = -x[0];                /* two zeros */
    y[5] += 1;                             /* the last element */
    y[6] = x[6] + (real)1e-6;              /* the first */
    y[9] = (real)NAN;                      /* one of them */
    memcpy(y + 15, x + 18, 3 * sizeof *y); /* the row of another sample */
    s.fact = &(cak_same_rows){ in[0], in[1] }, s.n_facts = 1;
    check_special(&s, &b, x, y, (const int[]){ 0, 0, 0, 0, 1, 0, 1, 1 });
    close_bench(&b);
}
END_TEST

START_TEST(all_facts_must_hold)
{
    bench b = open_bench();
    cak_ref out, in[2];
    cak_special s = tell_apart(b.g, &out, in);
    real *x = random_data(b.a, "x", KINDS * 3), *y = random_data(b.a, "x", KINDS * 3);
    memset(x, 0, 9 * sizeof *x), memset(y, 0, 6 * sizeof *y);
    s.fact = (cak_same_rows[]){ { in[0], CAK_NONE }, { in[0], in[1] } }, s.n_facts = 2;
    check_special(&s, &b, x, y, (const int[]){ 1, 1, 0, 0, 0, 0, 0, 0 });
    close_bench(&b);
}
END_TEST

SUITE(special, every_choice_of_samples, random_batches, facts_that_pay_nothing, only_facts_that_pay, sums_that_are_zero,
      sums_that_become_the_same, stored_rows, a_result_that_cannot_be_replaced, sums_of_an_earlier_round, functions_of_sums,
      rows_that_are_zero, rows_that_are_equal, all_facts_must_hold)
