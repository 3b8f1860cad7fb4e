/* The layout pass: the same values and derivatives as without it, no needless copies, a stable result. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/build.h"
#include "tests/support/graph_run.h"

enum { OUTS = 24 };

typedef struct net { /* a program: values and derivatives of a scalar */
    bench b;
    cak_ref out[OUTS];
    const char *name[OUTS];
    int n;
} net;

static void add(net *t, const char *name, cak_ref r)
{
    ck_assert_int_lt(t->n, OUTS);
    ck_assert_msg(!cak_graph_failed(t->b.g), "%s: %s", name, cak_diag_errors(t->b.d) ? cak_diag_message(t->b.d, 0) : "");
    t->out[t->n] = r;
    t->name[t->n++] = cak_arena_text(t->b.a, name);
}

/* Derivatives of `loss` in every parameter. */
static void add_gradients(net *t, cak_ref loss)
{
    cak_ref p[OUTS], gp[OUTS];
    int n = cak_graph_params(t->b.g);
    for (int i = 0; i < n; i++) p[i] = cak_graph_param(t->b.g, i)->ref;
    ck_assert(cak_gradients(t->b.g, loss, p, n, gp));
    for (int i = 0; i < n; i++) add(t, cak_graph_param(t->b.g, i)->name, gp[i]);
}

/* First derivative in x, and that of its norm in the parameters. */
static void add_derivatives(net *t, cak_ref y, cak_ref x)
{
    cak_ref gx = cak_grad(t->b.g, cak_square(t->b.g, y), x);
    cak_ref penalty = cak_mean(t->b.g, cak_square(t->b.g, gx));
    add(t, "y", y);
    add(t, "dy/dx", gx);
    add(t, "penalty", penalty);
    add_gradients(t, cak_add(t->b.g, penalty, cak_mean(t->b.g, y)));
}

static double norm(const real *a, const real *b, int64_t n) /* of a - b */
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)a[i] - (b ? (double)b[i] : 0);
        sum += d * d;
    }
    return sqrt(sum);
}

static int count(const cak_graph *g, const char *type)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) n += !strcmp(cak_graph_value(g, (cak_ref){ id })->node->name, type);
    return n;
}

static void replace_graph(net *t, cak_graph *g)
{
    cak_graph_close(t->b.g);
    t->b.g = g;
}

static void fold(net *t)
{
    replace_graph(t, cak_pass_fold(t->b.g, t->out, t->n));
    replace_graph(t, cak_pass_dce(t->b.g, t->out, t->n));
}

/* Run with and without the pass; the lowered graph stays in t. */
static void compare(net *t)
{
    cak_shape shape[OUTS];
    for (int i = 0; i < t->n; i++) shape[i] = *cak_shape_of(t->b.g, t->out[i]);
    const real **want = run_planned(t->b.a, t->b.g, t->out, t->n);
    fold(t);
    replace_graph(t, cak_pass_layout(t->b.g, t->out, t->n));
    const real **got = run_planned(t->b.a, t->b.g, t->out, t->n);
    for (int i = 0; i < t->n; i++) {
        ck_assert(cak_shape_equal(cak_shape_of(t->b.g, t->out[i]), &shape[i]));
        double d = norm(got[i], want[i], cak_shape_size(&shape[i])), size = norm(want[i], NULL, cak_shape_size(&shape[i]));
        if (strstr(t->name[i],
                   ".bias")) /* without effect in front of a norm: rounding only, measured by the weight's derivative */
            size += norm(want[i - 1], NULL, cak_shape_size(&shape[i - 1]));
        ck_assert_msg(d <= (sizeof(real) == 4 ? 2e-6 : 1e-13) * size, "%s differs by %.2e", t->name[i], d / size);
    }
}

/* ---- networks ---- */

static cak_ref layer(cak_graph *g, const char *scope, cak_ref x, int out, int kernel, int stride, int pad)
{
    return cak_use(
        g, "conv_layer", scope,
        CAK_SET({ "out", .num = out }, { "kernel", .num = kernel }, { "stride", .num = stride }, { "pad", .num = pad }), x);
}

static cak_ref lrelu(cak_graph *g, cak_ref x) { return cak_use(g, "leaky_relu", NULL, NULL, x); }

static net open_net(void) { return (net){ .b = open_bench() }; }

/* The critic of the configuration, without the audit. */
static net open_critic(cak_shape x_shape)
{
    static const char *const no_detector[] = { "~modules.critic.detector" };
    net t = open_net();
    cak_config *c = cak_config_load(t.b.d, source_path("configs/critic/audit.yaml"), no_detector, 1);
    cak_ref x = cak_input(t.b.g, "x", &x_shape, true);
    static const char nodes[] = "y: {type: call, module: critic, inputs: [x]}";
    cak_yaml *map = cak_yaml_parse(t.b.a, t.b.d, "nodes.yaml", nodes, strlen(nodes));
    cak_builder *b = cak_builder_open(t.b.g, map, cak_yaml_get(c->root, "modules"), &(cak_binding){ "x", x }, 1);
    cak_ref y = cak_builder_value(b, "y", (cak_pos){ "nodes.yaml", 1, 1, 1 });
    add_derivatives(&t, y, x);
    cak_config_close(c);
    return t;
}

START_TEST(critic)
{
    net t = open_critic(CAK_SHAPE(3, 1, 69, 76));
    compare(&t);
    ck_assert_int_eq(count(t.b.g, "permute"), 0);
    ck_assert_int_eq(count(t.b.g, "conv2d") + count(t.b.g, "conv2d_dx") + count(t.b.g, "conv2d_dw"), 0);
    ck_assert_int_eq(count(t.b.g, "wino_filter"), 2);
    ck_assert_int_eq(count(t.b.g, "wino_filter_dx"), 2);
    ck_assert_int_gt(count(t.b.g, "few_forward"), 0);
    close_bench(&t.b);
}
END_TEST

/* Odd sizes, kernels and strides of all kinds, channels that do not divide by 16. */
static net open_mixed(int c1, int c2, int c3)
{
    net t = open_net();
    cak_graph *g = t.b.g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(2, 3, 41, 37), true);
    cak_ref h = lrelu(g, layer(g, "a", x, c1, 5, 2, 1));
    h = lrelu(g, layer(g, "b", h, c2, 4, 2, 1));
    h = cak_use(g, "instance_norm", NULL, NULL, layer(g, "c", h, c2, 3, 1, 1));
    h = lrelu(g, layer(g, "d", h, c3, 4, 2, 1));
    add_derivatives(&t, cak_mean_axes(g, h, 1 << 2 | 1 << 3), x);
    return t;
}

START_TEST(mixed_networks)
{
    static const int channels[][3] = { { 16, 32, 48 }, { 16, 24, 32 }, { 8, 16, 16 }, { 32, 32, 5 }, { 20, 6, 16 } };
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        net t = open_mixed(channels[i][0], channels[i][1], channels[i][2]);
        compare(&t);
        close_bench(&t.b);
    }
}
END_TEST

/* Convolutions read by nodes that need plain channels, sums over channels, broadcasts of all ranks. */
START_TEST(other_readers)
{
    net t = open_net();
    cak_graph *g = t.b.g;
    cak_ref x = cak_input(g, "x", &CAK_SHAPE(2, 16, 32, 30), true), column = cak_input(g, "column", &CAK_SHAPE(2, 1, 1, 1), true);
    cak_ref plane = cak_input(g, "plane", &CAK_SHAPE(16, 15), false), row = cak_input(g, "row", &CAK_SHAPE(15), false);
    cak_ref mask = cak_input(g, "mask", &CAK_SHAPE(2, 1, 16, 15), true), each = cak_input(g, "each", &CAK_SHAPE(32, 1, 1), false);
    cak_ref h = cak_mul(g, cak_add(g, layer(g, "a", x, 32, 4, 2, 1), plane), cak_mul(g, mask, column));
    h = cak_sub(g, cak_mul(g, h, each), cak_detach(g, cak_add(g, h, row)));
    cak_ref channels = cak_sum_axes(g, h, 1 << 1), batch = cak_sum_axes(g, h, 1 << 0);
    h = cak_mul(g, h, cak_tanh(g, cak_add(g, cak_scale(g, channels, 0.01), cak_expand(g, batch, cak_shape_of(g, h)))));
    cak_ref part = cak_slice(g, h, 1, 3, 16), turned = cak_permute(g, h, &(cak_ints){ 4, { 0, 2, 1, 3 } });
    cak_ref flat = cak_reshape(g, h, &CAK_SHAPE(2 * 32, 240)), product = cak_matmul(g, flat, flat, false, true);
    cak_ref next = layer(g, "b", cak_concat(g, part, cak_slice(g, h, 1, 0, 16), 1), 16, 4, 2, 1);
    add(&t, "h", h);
    add(&t, "part", part);
    cak_ref y = cak_add(g, cak_mean(g, cak_abs(g, next)), cak_scale(g, cak_mean(g, cak_abs(g, product)), 1e-3));
    y = cak_add(g, y, cak_mean(g, cak_abs(g, turned)));
    add_derivatives(&t, y, x);
    compare(&t);
    ck_assert_int_gt(count(t.b.g, "wino_forward"), 0);
    close_bench(&t.b);
}
END_TEST

/* A value that only plain nodes read is not copied back and forth, however it came about. */
START_TEST(blocks_only_where_it_pays)
{
    net t = open_net();
    cak_ref x = cak_input(t.b.g, "x", &CAK_SHAPE(1, 1, 32, 32), true);
    cak_ref h = lrelu(t.b.g, layer(t.b.g, "a", x, 16, 3, 1, 1)); /* few channels, but read by a kernel of plain layout */
    add(&t, "y", layer(t.b.g, "b", h, 16, 3, 1, 1));
    compare(&t);
    ck_assert_int_eq(count(t.b.g, "conv2d"), 2);
    ck_assert_int_eq(count(t.b.g, "permute"), 0);
    close_bench(&t.b);

    t = open_net(); /* one image of 2x2 outputs: transforming the filters would take longer */
    x = cak_input(t.b.g, "x", &CAK_SHAPE(1, 64, 4, 4), true);
    add(&t, "y", layer(t.b.g, "a", x, 128, 4, 2, 1));
    compare(&t);
    ck_assert_int_eq(count(t.b.g, "conv2d"), 1);
    close_bench(&t.b);

    t = open_net(); /* one copy in for three readers, one out */
    x = cak_input(t.b.g, "x", &CAK_SHAPE(1, 16, 64, 64), true);
    h = cak_tanh(t.b.g, x);
    cak_ref y = cak_add(t.b.g, layer(t.b.g, "a", h, 64, 4, 2, 1), layer(t.b.g, "b", cak_sin(t.b.g, h), 64, 4, 2, 1));
    add(&t, "y", cak_add(t.b.g, y, layer(t.b.g, "c", cak_exp(t.b.g, h), 64, 4, 2, 1)));
    compare(&t);
    ck_assert_int_eq(count(t.b.g, "wino_forward"), 3);
    ck_assert_int_eq(count(t.b.g, "permute"), 2);
    close_bench(&t.b);
}
END_TEST

/* Filters made of samples, whole graphs without convolutions, missing outputs. */
START_TEST(left_alone)
{
    net t = open_net();
    cak_ref x = cak_input(t.b.g, "x", &CAK_SHAPE(64, 16, 16, 16), true),
            w = cak_input(t.b.g, "w", &CAK_SHAPE(64, 16, 4, 4), true);
    add(&t, "mixed", cak_conv2d(t.b.g, x, w, 2, 1, 1));
    add(&t, "sum", cak_sum_axes(t.b.g, cak_square(t.b.g, x), 1 << 2));
    compare(&t);
    ck_assert_int_eq(count(t.b.g, "conv2d"), 1);
    ck_assert_int_eq(count(t.b.g, "permute") + count(t.b.g, "reshape"), 0);
    t.out[0] = CAK_NONE;
    replace_graph(&t, cak_pass_layout(t.b.g, t.out, t.n));
    ck_assert(cak_is_none(t.out[0]));
    ck_assert_int_eq(cak_graph_size(t.b.g), 3);
    close_bench(&t.b);
}
END_TEST

/* ---- the critic step of a configuration: everything but its data ---- */

START_TEST(critic_step_copies_nothing)
{
    net t = open_net();
    cak_config *c = cak_config_load(t.b.d, source_path("configs/quickstart.yaml"), NULL, 0);
    ck_assert_ptr_nonnull(c);
    cak_shape image = CAK_SHAPE(2, 1, 64, 64);
    cak_binding bind[] = { { "batch.input", cak_input(t.b.g, "batch.input", &image, true) },
                           { "batch.target", cak_input(t.b.g, "batch.target", &image, true) },
                           { "batch.control", cak_input(t.b.g, "batch.control", &CAK_SHAPE(2, 1), true) },
                           { "schedules.temperature", cak_input(t.b.g, "schedules.temperature", &CAK_SCALAR, false) } };
    cak_builder *b = cak_builder_open(t.b.g, cak_yaml_get(c->root, "graph"), cak_yaml_get(c->root, "modules"), bind, 4);
    cak_pos at = { "quickstart.yaml", 1, 1, 1 };
    cak_ref loss = cak_sub(t.b.g, cak_scale(t.b.g, cak_builder_value(b, "gp.penalty", at), 10), cak_builder_value(b, "w", at));
    loss = cak_add(t.b.g, loss, cak_builder_value(b, "mean(fake_audit.violation)", at));
    add(&t, "c_loss", loss);
    cak_ref p[OUTS], gp[OUTS];
    int n = cak_graph_params(t.b.g);
    for (int i = 0; i < n; i++) p[i] = cak_graph_param(t.b.g, i)->ref;
    ck_assert(cak_gradients(t.b.g, loss, p, n, gp));
    for (int i = 0; i < n; i++)
        if (!cak_is_none(gp[i])) add(&t, cak_graph_param(t.b.g, i)->name, gp[i]);
    compare(&t);
    ck_assert_int_eq(count(t.b.g, "permute"), 0);
    ck_assert_int_gt(count(t.b.g, "wino_dw"), 0);
    cak_config_close(c);
    close_bench(&t.b);
}
END_TEST

static char *read_text(const char *path)
{
    static char text[1 << 17];
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

/* The number of the first line that differs, 0: none. */
static int first_difference(const char *a, const char *b)
{
    int line = 1;
    for (; *a == *b; a++, b++) {
        if (!*a) return 0;
        line += *a == '\n';
    }
    return line;
}

START_TEST(golden)
{
    net t = open_critic(CAK_SHAPE(2, 1, 64, 64));
    fold(&t);
    replace_graph(&t, cak_pass_layout(t.b.g, t.out, t.n));
    char *text = cak_dump_text(t.b.a, t.b.g, t.out, t.name, t.n);
    int line = first_difference(text, read_text(source_path("tests/golden/lowered_critic.txt")));
    ck_assert_msg(line == 0, "line %d of lowered_critic.txt", line);
    close_bench(&t.b);
}
END_TEST

SUITE(layout, critic, mixed_networks, other_readers, blocks_only_where_it_pays, left_alone, critic_step_copies_nothing, golden)
