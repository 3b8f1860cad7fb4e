/* Inputs that are read row by row: same bits as from memory, each row once a round, failures, special samples, what is not finite. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/par.h"
#include "tests/support/graph_run.h"

enum { B = 16, N = 5000 }; /* rows are larger than CAK_BLOCK */
static const cak_clock start = { 1, 0 };

typedef struct feed { /* where the rows of an input are */
    const char *name;
    real *data;
    int64_t size; /* of a row */
    int64_t bad;  /* this row cannot be read; -1: all can */
    int reads;
} feed;

static bool read_row(void *ctx, int64_t sample, real *row)
{
    feed *f = ctx;
    __atomic_fetch_add(&f->reads, 1, __ATOMIC_RELAXED);
    if (sample == f->bad) return false;
    memcpy(row, f->data + sample * f->size, (size_t)f->size * sizeof *row);
    return true;
}

/* Even rows are known to be equal. */
static bool even_same(const void *ctx, const void *other, int64_t sample)
{
    const feed *f = ctx, *g = other;
    return sample % 2 == 0 && f->size == g->size;
}

static feed make_feed(cak_arena *a, const char *name, int64_t size)
{
    return (feed){ name, random_data(a, name, B * size), size, -1, 0 };
}

static void bind_readers(cak_exec *e, feed *f, int n, bool known)
{
    for (int i = 0; i < n; i++) {
        cak_row_reader r = { read_row, known ? even_same : NULL, &f[i] };
        ck_assert(cak_exec_bind_rows(e, f[i].name, &r));
        f[i].reads = 0;
    }
}

static void bind_memory(cak_exec *e, const feed *f, int n)
{
    for (int i = 0; i < n; i++) ck_assert(cak_exec_bind(e, f[i].name, f[i].data));
}

/* A sum over the samples that a second round reads, rows that are stored, a sum of products. */
enum { OUT = 4 };
static void two_rounds(cak_graph *g, cak_ref *out)
{
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(B, 5, N / 5), true), t = cak_input(g, "t", &CAK_SHAPE(B, 5, N / 5), true);
    cak_ref h = cak_tanh(g, cak_add(g, x, t)), m = cak_mean_axes(g, h, 1 << 0), n = cak_sub(g, h, m);
    out[0] = cak_mean(g, cak_square(g, n));
    out[1] = cak_sum_axes(g, cak_mul(g, n, t), 1 << 0 | 1 << 2);
    out[2] = cak_sum_axes(g, cak_abs(g, n), 1 << 1 | 1 << 2);
    out[3] = x;
}

static void expect_same(const cak_exec *e, const cak_graph *g, const cak_ref *out, const real **want, int n)
{
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)cak_shape_size(cak_shape_of(g, out[i])) * sizeof(real);
        ck_assert_msg(!memcmp(cak_exec_data(e, out[i]), want[i], bytes), "output %d", i);
    }
}

static const real **copy_results(cak_arena *a, const cak_exec *e, const cak_graph *g, const cak_ref *out, int n)
{
    const real **y = cak_arena_alloc(a, (size_t)n * sizeof *y);
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)cak_shape_size(cak_shape_of(g, out[i])) * sizeof(real);
        y[i] = memcpy(cak_arena_alloc(a, bytes), cak_exec_data(e, out[i]), bytes);
    }
    return y;
}

/* Runs of one program: from memory, then from readers. */
static void compare(const bench *b, const cak_ref *out, int n, const cak_plan_options *o, feed *f, int reads_x)
{
    cak_exec *e = cak_exec_open(b->a, cak_plan_with(b->a, b->g, out, n, o), NULL);
    bind_memory(e, f, 2);
    ck_assert(cak_exec_run(e, &start));
    const real **want = copy_results(b->a, e, b->g, out, n);
    bind_readers(e, f, 2, false);
    for (int run = 1; run <= 2; run++) {
        ck_assert(cak_exec_run(e, &start));
        expect_same(e, b->g, out, want, n);
        ck_assert_int_eq(f[0].reads, run * reads_x);
    }
    cak_exec_close(e);
}

START_TEST(same_bits)
{
    int before = cak_threads();
    bench b = open_bench();
    cak_ref out[OUT];
    two_rounds(b.g, out);
    feed f[2] = { make_feed(b.a, "x", N), make_feed(b.a, "t", N) };
    for (int threads = 1; threads <= 3; threads++) {
        cak_threads_set(threads);
        compare(&b, out, 3, &(cak_plan_options){ 0 }, f, 2 * B); /* two rounds */
        compare(&b, out, 3, &(cak_plan_options){ .plain = true }, f, 2 * B);
        compare(&b, out, 3, &(cak_plan_options){ .whole = true }, f, B);
        compare(&b, out, 4, &(cak_plan_options){ 0 }, f, B); /* the caller sees x: read once, as a whole */
    }
    cak_threads_set(before);
    close_bench(&b);
}
END_TEST

START_TEST(binding)
{
    bench b = open_bench();
    cak_ref out[OUT];
    two_rounds(b.g, out);
    feed f[2] = { make_feed(b.a, "x", N), make_feed(b.a, "t", N) }, unused = make_feed(b.a, "other", N);
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, out, OUT), NULL);
    ck_assert(!cak_exec_bind_rows(e, "nothing", &(cak_row_reader){ read_row, NULL, &f[0] }));
    bind_readers(e, f, 2, false);
    ck_assert(cak_exec_run(e, &start));
    real first = cak_exec_data(e, out[0])[0];
    cak_exec_bind(e, "x", unused.data);
    ck_assert(cak_exec_run(e, &start) && cak_exec_data(e, out[0])[0] != first);
    ck_assert_ptr_eq(cak_exec_data(e, out[3]), unused.data);
    ck_assert_int_eq(f[0].reads, B);
    bind_readers(e, f, 2, false); /* back again */
    long count = cak_alloc_count();
    ck_assert(cak_exec_run(e, &start) && cak_exec_data(e, out[0])[0] == first);
    ck_assert_int_eq(cak_alloc_count(), count);
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

START_TEST(shared_inputs_have_no_rows)
{
    pid_t pid = fork();
    if (!pid) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        bench b = open_bench();
        cak_ref y = cak_exp(b.g, cak_input(b.g, "x", &CAK_SHAPE(3), false));
        cak_exec_bind_rows(cak_exec_open(b.a, cak_plan(b.a, b.g, &y, 1), NULL), "x", &(cak_row_reader){ read_row, NULL, NULL });
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), CAK_EXIT_BUG);
}
END_TEST

/* Whichever row cannot be read, the run ends; the next one is as if nothing had happened. */
static void fail_everywhere(const bench *b, const cak_ref *out, int n, const cak_plan_options *o, feed *f, int n_feeds)
{
    cak_exec *e = cak_exec_open(b->a, cak_plan_with(b->a, b->g, out, n, o), NULL);
    bind_readers(e, f, n_feeds, true);
    ck_assert(cak_exec_run(e, &start));
    const real **want = copy_results(b->a, e, b->g, out, n);
    for (int k = 0; k < n_feeds; k++)
        for (f[k].bad = B - 1; f[k].bad >= 0; f[k].bad--) ck_assert(!cak_exec_run(e, &start));
    ck_assert(cak_exec_run(e, &start));
    expect_same(e, b->g, out, want, n);
    cak_exec_close(e);
}

START_TEST(unreadable_rows)
{
    int before = cak_threads();
    bench b = open_bench();
    cak_ref out[OUT];
    two_rounds(b.g, out);
    feed f[2] = { make_feed(b.a, "x", N), make_feed(b.a, "t", N) };
    for (int threads = 1; threads <= 3; threads++) {
        cak_threads_set(threads);
        fail_everywhere(&b, out, 3, &(cak_plan_options){ 0 }, f, 2);
        fail_everywhere(&b, out, OUT, &(cak_plan_options){ 0 }, f, 2);
        fail_everywhere(&b, out, 3, &(cak_plan_options){ .whole = true }, f, 2);
    }
    cak_threads_set(before);
    close_bench(&b);
}
END_TEST

/* ---- special samples: where x = t and c = 0, another sum takes the place of the result ---- */

typedef struct pairs {
    cak_ref y;
    feed f[3];
    cak_special special;
} pairs;

static pairs make_pairs(bench *b)
{
    static cak_same_rows fact[2];
    static cak_ref result, instead;
    cak_graph *g = b->g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(B, N), true), t = cak_input(g, "t", &CAK_SHAPE(B, N), true);
    cak_ref c = cak_input(g, "c", &CAK_SHAPE(B, 1), true);
    pairs p = { .f = { make_feed(b->a, "x", N), make_feed(b->a, "t", N), make_feed(b->a, "c", 1) } };
    p.y = result = cak_sum_axes(g, cak_mul(g, cak_square(g, cak_sub(g, x, t)), c), 3);
    instead = cak_sum_axes(g, cak_exp(g, x), 3);
    fact[0] = (cak_same_rows){ x, t };
    fact[1] = (cak_same_rows){ c, CAK_NONE };
    p.special = (cak_special){ .fact = fact, .n_facts = 2, .result = &result, .instead = &instead, .n_results = 1 };
    for (int i = 0; i < B; i++) {
        p.f[2].data[i] = (real)0.5;
        if (i % 2 == 0 || i == 1) memcpy(p.f[1].data + i * N, p.f[0].data + i * N, N * sizeof(real));
        if (i % 2 == 0 || i == 1 || i == 3) p.f[2].data[i] = 0; /* 1: equal, but not known to be; 3: only the control is 0 */
    }
    p.f[2].data[4] = 1; /* only equal */
    return p;
}

enum { SPECIAL = B / 2, ZEROS = SPECIAL + 1 }; /* samples for which both facts hold; controls that are zero */

START_TEST(special_samples)
{
    bench b = open_bench();
    pairs p = make_pairs(&b);
    cak_exec *e = cak_exec_open(b.a, cak_plan_with(b.a, b.g, &p.y, 1, &(cak_plan_options){ .special = &p.special }), NULL);
    bind_memory(e, p.f, 3);
    ck_assert(cak_exec_run(e, &start));
    real want = cak_exec_data(e, p.y)[0];
    ck_assert(want > SPECIAL * N * (real)0.8); /* exp(x) was summed up */
    bind_readers(e, p.f, 3, true);
    ck_assert(cak_exec_run(e, &start) && cak_exec_data(e, p.y)[0] == want);
    ck_assert_int_eq(p.f[2].reads, 2 * B);
    ck_assert_int_eq(p.f[1].reads, B + 2); /* rows 1 and 3 are compared */
    bind_readers(e, p.f, 3, false);
    ck_assert(cak_exec_run(e, &start) && cak_exec_data(e, p.y)[0] == want);
    ck_assert_int_eq(p.f[1].reads, B + ZEROS);
    ck_assert_int_eq(p.f[0].reads, B + ZEROS);
    cak_exec_close(e);
    cak_exec *one = cak_exec_open(b.a, cak_plan_with(b.a, b.g, &p.y, 1, &(cak_plan_options){ .special = &p.special }), NULL);
    bind_readers(one, p.f, 3, true);
    bind_memory(one, p.f, 1); /* one of each kind */
    ck_assert(cak_exec_run(one, &start) && cak_exec_data(one, p.y)[0] == want);
    cak_exec_close(one);
    close_bench(&b);
}
END_TEST

START_TEST(unreadable_special_samples)
{
    bench b = open_bench();
    pairs p = make_pairs(&b);
    cak_plan_options o = { .special = &p.special };
    fail_everywhere(&b, &p.y, 1, &o, p.f, 3);
    close_bench(&b);
}
END_TEST

START_TEST(what_is_not_finite_is_found)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(B, N), true), l = cak_log(b.g, cak_shift(b.g, x, 2)),
            y = cak_sum(b.g, cak_exp(b.g, l));
    feed f = make_feed(b.a, "x", N);
    int64_t index = -1;
    double bad = 0;
    for (int whole = 0; whole < 2; whole++) {
        cak_ref out[2] = { y, x };
        cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, out, 1 + whole), NULL);
        bind_readers(e, &f, 1, false);
        ck_assert(cak_exec_run(e, &start));
        ck_assert(cak_is_none(cak_exec_find_nonfinite(e, &start, &index, &bad)));
        f.data[9 * N + 7] = -3;
        ck_assert(cak_exec_run(e, &start));
        ck_assert_int_eq(cak_exec_find_nonfinite(e, &start, &index, &bad).id, l.id);
        ck_assert(index == 9 * N + 7 && isnan(bad));
        f.data[9 * N + 7] = -INFINITY; /* it came from outside */
        ck_assert(cak_exec_run(e, &start));
        ck_assert_int_eq(cak_exec_find_nonfinite(e, &start, &index, &bad).id, x.id);
        ck_assert(index == 9 * N + 7 && bad == -HUGE_VAL);
        f.bad = 2;
        if (!whole) ck_assert(cak_is_none(cak_exec_find_nonfinite(e, &start, &index, &bad)));
        f.bad = -1;
        f.data[9 * N + 7] = 1;
        cak_exec_close(e);
    }
    close_bench(&b);
}
END_TEST

SUITE(rows, shared_inputs_have_no_rows, same_bits, binding, unreadable_rows, special_samples, unreadable_special_samples,
      what_is_not_finite_is_found)
