/* Dumps: the text of a small graph, and a picture description that Graphviz reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/graph_run.h"

static const char *const names[] = { "loss", "d(loss)/d(w)", "none" };

static bench small_graph(cak_ref out[3])
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "batch.x", &CAK_SHAPE(4, 3), true);
    cak_graph_scope(b.g, "f");
    cak_where old = cak_graph_at(b.g, (cak_pos){ "a.yaml", 2, 3, 1 }, "f");
    cak_ref w = cak_param(b.g, "w", &CAK_SHAPE(3), (cak_init){ 0 });
    cak_ref y = cak_clip(b.g, cak_mul(b.g, x, w), -1, 1);
    cak_graph_restore(b.g, old);
    y = cak_add(b.g, y, cak_permute(b.g, cak_uniform(b.g, "noise", &CAK_SHAPE(4, 3)), &(cak_ints){ 2, { 0, 1 } }));
    out[0] = cak_mean(b.g, cak_leaky_mask(b.g, y, 0.2));
    out[0] = cak_add(b.g, out[0], cak_mean(b.g, y));
    out[1] = cak_grad(b.g, out[0], w);
    out[2] = CAK_NONE;
    return b;
}

static char *read_text(const char *path)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

START_TEST(text_is_golden)
{
    cak_ref out[3];
    bench b = small_graph(out);
    ck_assert_str_eq(cak_dump_text(b.a, b.g, out, names, 3), read_text(source_path("tests/golden/dump.txt")));
    ck_assert_str_eq(cak_dump_text(b.a, b.g, NULL, NULL, 0), cak_dump_text(b.a, b.g, out, names, 0));
    close_bench(&b);
}
END_TEST

START_TEST(every_kind_of_attribute)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(2, 1, 6, 6), true), w = cak_input(b.g, "w", &CAK_SHAPE(3, 1, 3, 3), false);
    cak_ref y = cak_conv2d(b.g, x, w, 2, 1, 1);
    cak_conv2d_dx(b.g, y, w, 2, 1, 1, cak_shape_of(b.g, x));
    cak_matmul(b.g, cak_reshape(b.g, x, &CAK_SHAPE(2, 36)), cak_reshape(b.g, x, &CAK_SHAPE(2, 36)), false, true);
    char *text = cak_dump_text(b.a, b.g, NULL, NULL, 0);
    static const char *const parts[] = { "%0 = input x [2,1,6,6] sample\n",
                                         "conv2d(%0, %1) {stride: 2, pad: 1, dilation: 1} [2,3,3,3] sample\n", "like: [2,1,6,6]}",
                                         "{shape: [2, 36]}", "{tx: false, ty: true} [2,2] mixed\n" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ck_assert_msg(strstr(text, parts[i]) != NULL, "%s in\n%s", parts[i], text);
    close_bench(&b);
}
END_TEST

/* Exit status of dot on `text`; -1 when Graphviz is not installed. */
static int run_dot(const char *text)
{
    if (system("command -v dot >/dev/null 2>&1") != 0) return -1;
    FILE *p = popen("dot -Tdot >/dev/null 2>&1", "w");
    ck_assert_ptr_nonnull(p);
    fputs(text, p);
    return pclose(p);
}

START_TEST(dot_is_well_formed)
{
    cak_ref out[3];
    bench b = small_graph(out);
    char *dot = cak_dump_dot(b.a, b.g, out, names, 3, "a \"quoted\" \\ title");
    ck_assert_ptr_nonnull(strstr(dot, "label=\"a \\\"quoted\\\" \\\\ title\\n"));
    ck_assert_ptr_nonnull(strstr(dot, "label=\"param\\nf.w\\n[3]\""));
    ck_assert_ptr_nonnull(strstr(dot, "label=\"d(loss)/d(w)\""));
    ck_assert_ptr_null(strstr(dot, "none"));
    ck_assert_int_le(run_dot(dot), 0);
    if (run_dot(dot) == 0) ck_assert_int_ne(run_dot("digraph {"), 0); /* the judge can say no */
    close_bench(&b);
}
END_TEST

START_TEST(labels_are_escaped)
{
    bench b = open_bench();
    cak_graph_at(b.g, (cak_pos){ 0 }, "say \"hi\"\\");
    cak_ref k = cak_const(b.g, 2), y = cak_exp(b.g, cak_input(b.g, "x", &CAK_SHAPE(2), false)), out[] = { y, k };
    char *dot = cak_dump_dot(b.a, b.g, out, names, 2, "t");
    ck_assert_ptr_nonnull(strstr(dot, "label=\"d(loss)/d(w)\\n{value: 2}\"")); /* a constant as output */
    ck_assert_ptr_null(strstr(dot, "v0"));
    ck_assert_ptr_nonnull(strstr(dot, "say \\\"hi\\\"\\\\"));
    ck_assert_int_le(run_dot(dot), 0);
    close_bench(&b);
}
END_TEST

SUITE(dump, text_is_golden, every_kind_of_attribute, dot_is_well_formed, labels_are_escaped)
