/* Graphs: equal values merge, errors have a place, rows follow the samples, parameters are shared, limits hold. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/build.h"
#include "tests/support/graph_run.h"

extern const cak_node cak_node_pow, cak_node_add;

static const cak_pos here = { "a.yaml", 3, 5, 1 };

START_TEST(equal_values_merge)
{
    bench b = open_bench();
    cak_graph *g = b.g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(4), false), y = cak_input(g, "y", &CAK_SHAPE(4), false);
    int same[][2] = {
        { cak_add(g, x, y).id, cak_add(g, x, y).id },
        { cak_pow(g, x, 2.5).id, cak_pow(g, x, 2.5).id },
        { cak_const(g, 1).id, cak_const(g, 1).id },
        { cak_sum_axes(g, x, 1).id, cak_sum_axes(g, x, 1).id },
        { cak_uniform(g, "a", &CAK_SHAPE(3)).id, cak_uniform(g, "a", &CAK_SHAPE(3)).id },
        { cak_input(g, "x", &CAK_SHAPE(4), false).id, x.id },
        { cak_detach(g, x).id, cak_detach(g, x).id },
    };
    int different[][2] = {
        { cak_sub(g, x, y).id, cak_sub(g, y, x).id },
        { cak_add(g, x, y).id, cak_mul(g, x, y).id },
        { cak_pow(g, x, 2.5).id, cak_pow(g, x, 2.25).id },
        { cak_const(g, 0).id, cak_const(g, -0.0).id },
        { cak_clip(g, x, 0, 1).id, cak_clip(g, x, 0, 2).id },
        { cak_uniform(g, "a", &CAK_SHAPE(3)).id, cak_uniform(g, "b", &CAK_SHAPE(3)).id },
        { cak_uniform(g, "a", &CAK_SHAPE(3)).id, cak_uniform(g, "a", &CAK_SHAPE(3, 1)).id },
        { x.id, y.id },
        { cak_detach(g, x).id, x.id },
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) ck_assert_msg(same[i][0] == same[i][1], "pair %zu", i);
    for (size_t i = 0; i < sizeof different / sizeof *different; i++)
        ck_assert_msg(different[i][0] != different[i][1], "pair %zu", i);
    int size = cak_graph_size(g);
    for (int i = 0; i < 1000; i++) cak_const(g, i + 0.5); /* the table grows and still finds the old ones */
    ck_assert_int_eq(cak_add(g, x, y).id, same[0][0]);
    ck_assert_int_eq(cak_graph_size(g), size + 1000);
    close_bench(&b);
}
END_TEST

START_TEST(an_error_has_a_place_and_stays)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(2), false), y = cak_input(b.g, "y", &CAK_SHAPE(3), false);
    cak_where old = cak_graph_at(b.g, here, "fake");
    ck_assert(cak_is_none(cak_exp(b.g, cak_add(b.g, x, y))));
    cak_graph_restore(b.g, old);
    ck_assert(cak_graph_failed(b.g) && cak_is_none(cak_exp(b.g, x)));
    ck_assert(cak_is_none(cak_sum(b.g, CAK_NONE)) && cak_is_none(cak_mean(b.g, CAK_NONE)) &&
              cak_is_none(cak_flat(b.g, CAK_NONE)));
    ck_assert(cak_is_none(cak_column(b.g, CAK_NONE, x)) && cak_is_none(cak_concat(b.g, x, CAK_NONE, 0)));
    ck_assert_int_eq(cak_diag_errors(b.d), 1);
    ck_assert_int_eq(cak_diag_code(b.d, 0), CAK_E3005);
    ck_assert_str_eq(cak_diag_message(b.d, 0), "fake: shapes [2] and [3] do not broadcast");
    ck_assert_int_eq(cak_diag_pos(b.d, 0).line, 3);
    ck_assert_int_eq(cak_diag_pos(b.d, 0).col, 5);
    cak_graph_recover(b.g);
    ck_assert(!cak_is_none(cak_exp(b.g, x)));
    ck_assert(cak_is_none(cak_append(b.g, &cak_node_add, NULL, (const cak_ref[]){ x, CAK_NONE }, 2)));
    ck_assert_str_eq(cak_diag_message(b.d, 1), "input 1 of add is not connected");
    close_bench(&b);
}
END_TEST

START_TEST(apply_counts_inputs)
{
    static const struct {
        const char *type;
        int n;
        cak_code code;
        const char *message;
    } bad[] = {
        { "add", 1, CAK_E3004, "add needs input 'y' (a shape that broadcasts with x)" },
        { "exp", 2, CAK_E3004, "exp takes 1 input, got 2" },
        { "l1", 3, CAK_E3004, "l1 takes 2 inputs, got 3" },
        { "l1", 0, CAK_E3004, "l1 needs input 'a' (any shape)" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bench b = open_bench();
        cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(2), false), in[] = { x, x, x }, out[CAK_MAX_OUT];
        ck_assert(!cak_apply(b.g, cak_node_find(bad[i].type), NULL, in, bad[i].n, out) && cak_is_none(out[0]));
        ck_assert_int_eq(cak_diag_code(b.d, 0), bad[i].code);
        ck_assert_str_eq(cak_diag_message(b.d, 0), bad[i].message);
        ck_assert(!cak_apply(b.g, cak_node_find("exp"), NULL, in, 1, out)); /* the failure sticks */
        cak_graph_recover(b.g);
        ck_assert(cak_apply(b.g, cak_node_find("exp"), NULL, in, 1, out) && !cak_is_none(out[0]));
        close_bench(&b);
    }
}
END_TEST

static cak_rows rows(const cak_graph *g, cak_ref r) { return cak_graph_value(g, r)->rows; }

START_TEST(rows_follow_the_samples)
{
    bench b = open_bench();
    cak_graph *g = b.g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(4, 3), true), p = cak_input(g, "p", &CAK_SHAPE(3), false);
    cak_ref image = cak_input(g, "image", &CAK_SHAPE(4, 1, 5, 5), true), w = cak_input(g, "w", &CAK_SHAPE(2, 1, 3, 3), false);
    cak_ref one = cak_input(g, "one", &CAK_SHAPE(1, 3), true), big = cak_input(g, "big", &CAK_SHAPE(2, 4, 3), false);
    cak_ref m = cak_input(g, "m", &CAK_SHAPE(3, 2), false), swapped = cak_permute(g, x, &(cak_ints){ 2, { 1, 0 } });
    cak_ref y = cak_conv2d(g, image, w, 1, 0, 1);
    const struct {
        cak_ref r;
        cak_rows want;
    } cases[] = {
        { x, CAK_ROWS_SAMPLE },
        { p, CAK_ROWS_SHARED },
        { cak_const(g, 2), CAK_ROWS_SHARED },
        { cak_uniform(g, "a", &CAK_SHAPE(4, 1)), CAK_ROWS_SAMPLE },
        { cak_uniform(g, "a", &CAK_SCALAR), CAK_ROWS_SHARED },
        { cak_mul(g, x, p), CAK_ROWS_SAMPLE },
        { cak_exp(g, p), CAK_ROWS_SHARED },
        { cak_detach(g, x), CAK_ROWS_SAMPLE },
        { cak_sum(g, x), CAK_ROWS_SHARED },
        { cak_sum_axes(g, x, 1), CAK_ROWS_SHARED },
        { cak_sum_axes(g, x, 2), CAK_ROWS_SAMPLE },
        { cak_mean(g, one), CAK_ROWS_SHARED }, /* a batch of one is a batch */
        { cak_sum_axes(g, swapped, 1), CAK_ROWS_MIXED },
        { swapped, CAK_ROWS_MIXED },
        { cak_exp(g, swapped), CAK_ROWS_MIXED },
        { cak_permute(g, image, &(cak_ints){ 4, { 0, 1, 3, 2 } }), CAK_ROWS_SAMPLE },
        { cak_reshape(g, x, &CAK_SHAPE(4, 3, 1)), CAK_ROWS_SAMPLE },
        { cak_reshape(g, x, &CAK_SHAPE(12)), CAK_ROWS_MIXED },
        { cak_slice(g, x, 0, 1, 2), CAK_ROWS_MIXED },
        { cak_slice(g, x, 1, 1, 2), CAK_ROWS_SAMPLE },
        { cak_pad(g, x, 0, 1, 0), CAK_ROWS_MIXED },
        { cak_pad(g, x, 1, 1, 0), CAK_ROWS_SAMPLE },
        { cak_expand(g, p, &CAK_SHAPE(4, 3)), CAK_ROWS_SHARED },
        { cak_expand(g, x, &CAK_SHAPE(2, 4, 3)), CAK_ROWS_MIXED },
        { cak_add(g, x, big), CAK_ROWS_MIXED },
        { cak_matmul(g, x, m, false, false), CAK_ROWS_SAMPLE },
        { cak_matmul(g, x, x, true, false), CAK_ROWS_SHARED },
        { cak_matmul(g, x, x, false, true), CAK_ROWS_MIXED },
        { y, CAK_ROWS_SAMPLE },
        { cak_conv2d_dx(g, y, w, 1, 0, 1, cak_shape_of(g, image)), CAK_ROWS_SAMPLE },
        { cak_conv2d_dw(g, image, y, 1, 0, 1, cak_shape_of(g, w)), CAK_ROWS_SHARED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) ck_assert_msg(rows(g, cases[i].r) == cases[i].want, "case %zu", i);
    cak_verify(g);
    close_bench(&b);
}
END_TEST

START_TEST(parameters_are_shared_by_name)
{
    bench b = open_bench();
    cak_init zero = { CAK_INIT_CONST, 0, 0 };
    const char *old = cak_graph_scope(b.g, "critic");
    cak_ref w = cak_param(b.g, "weight", &CAK_SHAPE(2, 3), zero);
    ck_assert_int_eq(cak_param(b.g, "weight", &CAK_SHAPE(2, 3), zero).id, w.id);
    cak_graph_scope(b.g, old);
    cak_ref other = cak_param(b.g, "weight", &CAK_SHAPE(2, 3), (cak_init){ CAK_INIT_NORMAL, 1, 2 });
    ck_assert_int_ne(other.id, w.id);
    ck_assert_int_eq(cak_graph_params(b.g), 2);
    ck_assert_str_eq(cak_graph_param(b.g, 0)->name, "critic.weight");
    ck_assert_str_eq(cak_graph_param(b.g, 1)->name, "weight");
    ck_assert_int_eq(cak_graph_param(b.g, 1)->init.kind, CAK_INIT_NORMAL);
    ck_assert_str_eq(cak_value_name(b.g, w), "critic.weight");
    ck_assert_ptr_null(cak_value_name(b.g, cak_exp(b.g, w)));
    cak_graph_scope(b.g, "critic");
    ck_assert(cak_is_none(cak_param(b.g, "weight", &CAK_SHAPE(3, 2), zero)));
    ck_assert_str_eq(cak_diag_message(b.d, 0), "parameter 'critic.weight' is [2,3] in one call and [3,2] in another");
    cak_graph_recover(b.g);
    ck_assert(cak_is_none(cak_param(b.g, "empty", &CAK_SHAPE(0), zero)) && cak_graph_params(b.g) == 2);
    close_bench(&b);
}
END_TEST

START_TEST(an_input_has_one_shape)
{
    bench b = open_bench();
    cak_input(b.g, "x", &CAK_SHAPE(2), true);
    ck_assert(cak_is_none(cak_input(b.g, "x", &CAK_SHAPE(3), true)));
    ck_assert_str_eq(cak_diag_message(b.d, 0), "input 'x' exists with another shape");
    close_bench(&b);
}
END_TEST

START_TEST(shapes_have_limits)
{
    static const struct {
        cak_shape shape;
        bool good;
    } cases[] = {
        { CAK_SHAPE(1), true },
        { CAK_SCALAR, true },
        { CAK_SHAPE((int64_t)1 << 40), true },
        { CAK_SHAPE((int64_t)1 << 20, 1, (int64_t)1 << 20), true },
        { CAK_SHAPE(0), false },
        { CAK_SHAPE(3, -1), false },
        { CAK_SHAPE(((int64_t)1 << 40) + 1), false },
        { CAK_SHAPE((int64_t)1 << 20, 2, (int64_t)1 << 20), false },
        { CAK_SHAPE((int64_t)1 << 32, (int64_t)1 << 32), false }, /* 2^64 is 0 to a careless product */
        { CAK_SHAPE(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX), false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench b = open_bench();
        ck_assert_int_eq(cak_shape_valid(&cases[i].shape), cases[i].good);
        ck_assert_msg(cak_is_none(cak_input(b.g, "x", &cases[i].shape, false)) != cases[i].good, "case %zu", i);
        if (!cases[i].good)
            ck_assert_ptr_nonnull(strstr(cak_diag_message(b.d, 0), "has an empty axis or more than 2^40 elements"));
        close_bench(&b);
    }
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE((int64_t)1 << 30, 1), false), y = cak_input(b.g, "y", &CAK_SHAPE(1 << 11), false);
    ck_assert(cak_is_none(cak_add(b.g, x, y))); /* by broadcasting */
    ck_assert_ptr_nonnull(strstr(cak_diag_message(b.d, 0), "[1073741824,2048]"));
    close_bench(&b);
}
END_TEST

START_TEST(a_graph_has_a_limit)
{
    bench b = open_bench();
    for (int i = 0; i < CAK_MAX_VALUES; i++) cak_const(b.g, i);
    ck_assert(!cak_graph_failed(b.g) && cak_graph_size(b.g) == CAK_MAX_VALUES);
    ck_assert(!cak_is_none(cak_const(b.g, 5))); /* exists */
    ck_assert(cak_is_none(cak_const(b.g, -1)));
    ck_assert_int_eq(cak_diag_code(b.d, 0), CAK_E3302);
    close_bench(&b);
}
END_TEST

START_TEST(shape_texts)
{
    char text[CAK_SHAPE_TEXT];
    ck_assert_str_eq(cak_shape_text(&CAK_SCALAR, text), "[]");
    ck_assert_str_eq(cak_shape_text(&CAK_SHAPE(16, 1, 1025, 1292), text), "[16,1,1025,1292]");
    cak_shape long_one = CAK_SHAPE(INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN);
    ck_assert_uint_lt(strlen(cak_shape_text(&long_one, text)), CAK_SHAPE_TEXT);
    ck_assert(text[strlen(text) - 1] == ']');
}
END_TEST

/* A lie in a graph is a bug of the engine: exit code 70. */
static int verify_after(void (*tamper)(cak_value *v))
{
    bench b = open_bench();
    cak_ref y = cak_exp(b.g, cak_input(b.g, "x", &CAK_SHAPE(3, 2), true));
    tamper((cak_value *)cak_graph_value(b.g, y));
    pid_t pid = fork();
    if (!pid) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        cak_verify(b.g);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    close_bench(&b);
    return WEXITSTATUS(status);
}

static void nothing(cak_value *v) { (void)v; }
static void wrong_shape(cak_value *v) { v->shape.dim[1] = 3; }
static void wrong_rows(cak_value *v) { v->rows = CAK_ROWS_SHARED; }
static void wrong_edge(cak_value *v) { v->in[0].id = 1; }

START_TEST(verify_finds_lies)
{
    ck_assert_int_eq(verify_after(nothing), 0);
    ck_assert_int_eq(verify_after(wrong_shape), CAK_EXIT_BUG);
    ck_assert_int_eq(verify_after(wrong_rows), CAK_EXIT_BUG);
    ck_assert_int_eq(verify_after(wrong_edge), CAK_EXIT_BUG);
}
END_TEST

SUITE(graph, equal_values_merge, an_error_has_a_place_and_stays, apply_counts_inputs, rows_follow_the_samples,
      parameters_are_shared_by_name, an_input_has_one_shape, shapes_have_limits, a_graph_has_a_limit, shape_texts,
      verify_finds_lies)
