/* Finding what is not finite in programs that take a batch in slices: the value, the sample, the element. */
#include <math.h>
#include <string.h>

#include "graph/par.h"
#include "graph/real.h"
#include "tests/support/slice_run.h"

enum { BATCH = 16, WIDTH = 6, AT = 5 * WIDTH + 2 }; /* element 2 of sample 5 */

static const cak_clock start = { 3, 4 };

typedef struct finding {
    cak_ref value;
    int64_t index;
    double bad;
} finding;

typedef struct numbers { /* of "x" [BATCH, WIDTH] and "c" [BATCH, 1] */
    real x[BATCH * WIDTH], c[BATCH];
} numbers;

static numbers all_one(void)
{
    numbers n;
    for (int i = 0; i < BATCH * WIDTH; i++) n.x[i] = 1;
    for (int b = 0; b < BATCH; b++) n.c[b] = 1;
    return n;
}

static finding find(const bench *b, const cak_ref *out, int n, const cak_plan_options *o, int threads, const numbers *data)
{
    int before = cak_threads();
    cak_threads_set(threads);
    cak_exec *e = cak_exec_open(b->a, cak_plan_with(b->a, b->g, out, n, o), NULL);
    cak_exec_bind(e, "x", data->x), cak_exec_bind(e, "c", data->c);
    for (int id = 0; id < cak_graph_size(b->g); id++) {
        const char *name = cak_value_name(b->g, (cak_ref){ id });
        int64_t size = cak_shape_size(cak_shape_of(b->g, (cak_ref){ id }));
        if (name && strcmp(name, "x") && strcmp(name, "c")) cak_exec_bind(e, name, random_data(b->a, name, size));
    }
    finding f = { CAK_NONE, -1, 0 };
    cak_exec_run(e, &start);
    f.value = cak_exec_find_nonfinite(e, &start, &f.index, &f.bad);
    cak_exec_close(e);
    cak_threads_set(before);
    return f;
}

/* Fused or not, on any number of threads. */
static void expect(const bench *b, const cak_ref *out, int n, const cak_special *s, const numbers *data, cak_ref value,
                   int64_t index)
{
    for (int k = 0; k < 2; k++)
        for (int threads = 1; threads <= 4; threads++) {
            finding f = find(b, out, n, &(cak_plan_options){ .plain = k, .special = s }, threads, data);
            ck_assert_msg(f.value.id == value.id, "%%%d is not finite, found %%%d", value.id, f.value.id);
            ck_assert_int_eq(f.index, index);
            ck_assert(!isfinite(f.bad));
        }
}

static cak_ref samples(cak_graph *g) { return cak_input(g, "x", &CAK_SHAPE(BATCH, WIDTH), true); }

START_TEST(in_a_sample)
{
    bench b = open_bench();
    cak_ref l = cak_log(b.g, cak_scale(b.g, samples(b.g), 2)), out[] = { cak_mean(b.g, cak_exp(b.g, l)), cak_neg(b.g, l) };
    numbers n = all_one();
    ck_assert(cak_is_none(find(&b, out, 2, &(cak_plan_options){ 0 }, 2, &n).value));
    n.x[AT] = n.x[AT + WIDTH] = -1;
    expect(&b, out, 1, NULL, &n, l, AT);
    expect(&b, out, 2, NULL, &n, l, AT);
    n.x[AT] = 0;
    ck_assert(find(&b, out, 1, &(cak_plan_options){ 0 }, 1, &n).bad == -HUGE_VAL);
    close_bench(&b);
}
END_TEST

START_TEST(in_an_input)
{
    bench b = open_bench();
    cak_ref x = samples(b.g), y = cak_mean(b.g, cak_exp(b.g, x));
    numbers n = all_one();
    n.x[AT] = (real)NAN;
    expect(&b, &y, 1, NULL, &n, x, AT);
    close_bench(&b);
}
END_TEST

/* Each slice adds a finite number. */
START_TEST(in_a_sum)
{
    bench b = open_bench();
    cak_ref sum = cak_sum_axes(b.g, cak_exp(b.g, samples(b.g)), 1), out[] = { cak_tanh(b.g, sum), sum };
    numbers n = all_one();
    for (int s = 0; s < BATCH; s++) n.x[s * WIDTH + 3] = (real)log(sizeof(real) == sizeof(float) ? 3e37 : 1.7e307);
    expect(&b, out, 1, NULL, &n, sum, 3);
    expect(&b, out, 2, NULL, &n, sum, 3);
    close_bench(&b);
}
END_TEST

/* What the samples of a slice add to a sum, and what follows from it. */
START_TEST(in_a_part_of_a_sum)
{
    bench b = open_bench();
    cak_ref x = samples(b.g), y = cak_matmul(b.g, x, x, true, false), mean = cak_mean(b.g, y);
    numbers n = all_one();
    n.x[AT] = (real)(sizeof(real) == sizeof(float) ? 1e30 : 1e200);
    expect(&b, &mean, 1, NULL, &n, y, 2 * WIDTH + 2);
    close_bench(&b);
}
END_TEST

START_TEST(in_a_whole_value)
{
    bench b = open_bench();
    cak_ref mean = cak_mean_axes(b.g, samples(b.g), 1), l = cak_log(b.g, cak_shift(b.g, mean, -1)), y = cak_sum(b.g, l);
    numbers n = all_one();
    for (int i = 0; i < BATCH * WIDTH; i++) n.x[i] = 2;
    n.x[AT] = -100;
    expect(&b, &y, 1, NULL, &n, l, 2);
    close_bench(&b);
}
END_TEST

START_TEST(in_a_later_round)
{
    bench b = open_bench();
    cak_ref x = samples(b.g), mean = cak_mean_axes(b.g, x, 1), far = cak_sub(b.g, x, mean),
            l = cak_log(b.g, cak_shift(b.g, far, 1));
    cak_ref out[] = { cak_mean(b.g, cak_square(b.g, l)), cak_permute(b.g, l, &(cak_ints){ 2, { 1, 0 } }) };
    numbers n = all_one();
    n.x[AT] = -3;
    expect(&b, out, 1, NULL, &n, l, AT);
    expect(&b, out, 2, NULL, &n, l, AT);
    close_bench(&b);
}
END_TEST

/* Where only one of the two ways fails. */
START_TEST(in_a_special_sample)
{
    bench b = open_bench();
    cak_ref x = samples(b.g), c = cak_input(b.g, "c", &CAK_SHAPE(BATCH, 1), true), row = cak_mul(b.g, x, c);
    cak_ref sum = cak_sum_axes(b.g, row, 1), l = cak_log(b.g, x), other = cak_sum_axes(b.g, l, 1);
    cak_special s = { &(cak_same_rows){ c, CAK_NONE }, 1, &sum, &other, 1 };
    numbers n = all_one();
    n.x[AT] = -1;
    ck_assert(cak_is_none(find(&b, &sum, 1, &(cak_plan_options){ .special = &s }, 2, &n).value));
    n.c[5] = n.c[9] = 0;
    expect(&b, &sum, 1, &s, &n, l, AT);
    s.result = &other, s.instead = &sum;
    ck_assert(cak_is_none(find(&b, &other, 1, &(cak_plan_options){ .special = &s }, 2, &n).value));
    n.c[5] = 1;
    expect(&b, &other, 1, &s, &n, l, AT);
    close_bench(&b);
}
END_TEST

/* Kernels have scratch memory for the threads of a slice. */
START_TEST(on_more_threads_than_a_slice_has)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "image", &CAK_SHAPE(BATCH, 8, 40, 40), true);
    cak_ref w = cak_param(b.g, "w", &CAK_SHAPE(8, 8, 3, 3), (cak_init){ 0 });
    cak_ref h = cak_conv2d(b.g, x, w, 1, 1, 1), l = cak_log(b.g, cak_shift(b.g, cak_square(b.g, h), -1e-6));
    cak_ref out[] = { cak_mean(b.g, l), cak_grad(b.g, cak_mean(b.g, cak_exp(b.g, h)), w) };
    numbers n = all_one();
    finding one = find(&b, out, 2, &(cak_plan_options){ 0 }, 1, &n), many = find(&b, out, 2, &(cak_plan_options){ 0 }, 8, &n);
    ck_assert(one.value.id == many.value.id && one.index == many.index);
    close_bench(&b);
}
END_TEST

SUITE(slice_find, in_a_sample, in_an_input, in_a_sum, in_a_part_of_a_sum, in_a_whole_value, in_a_later_round, in_a_special_sample,
      on_more_threads_than_a_slice_has)
