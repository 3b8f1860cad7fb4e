/* One critic step and one generator step of the author's code, through the configuration, against the reference numbers. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "experiments/experiment.h"
#include "tests/support/suite.h"

#ifdef CAK_DOUBLE
#define KIND "f64"
#define TOL 1e-9
#else
#define KIND "f32"
#define TOL 1e-4
#endif

static cak_diag *d;
static cak_config *c;
static cak_experiment *x;
static json_t *golden, *ref;
static real *port[4];

static double number(json_t *j, const char *key)
{
    json_t *v = json_object_get(j, key);
    ck_assert_msg(json_is_number(v), "golden value '%s'", key);
    return json_number_value(v);
}

static void feed(real *out, const char *key, size_t n)
{
    json_t *list = json_object_get(golden, key);
    ck_assert_int_eq((int)json_array_size(list), (int)n);
    for (size_t i = 0; i < n; i++) out[i] = (real)json_number_value(json_array_get(list, i));
}

static void open_golden(void)
{
    static const char *const names[] = { "input", "target", "control", "alpha" };
    static const char *const keys[] = { "x_in", "x_target", "c", "alpha" };
    static const cak_shape shapes[] = { CAK_SHAPE(1, 24, 20), CAK_SHAPE(1, 24, 20), CAK_SHAPE(1), CAK_SHAPE(1, 1, 1) };
    cak_loader_info info = { .n_ports = 4, .items = 4, .batch = 4 };
    golden = json_load_file("tests/golden/golden_tiny.json", 0, NULL);
    ck_assert_ptr_nonnull(golden);
    ref = json_object_get(golden, KIND);
    d = cak_diag_open();
    c = cak_config_load(d, "configs/tiny/golden.yaml", NULL, 0);
    ck_assert_ptr_nonnull(c);
    x = cak_experiment_open(c);
    for (int i = 0; i < 4; i++) {
        size_t n = 4 * (size_t)cak_shape_size(&shapes[i]);
        info.port[i] = (cak_batch_port){ names[i], shapes[i] };
        port[i] = cak_slab_alloc(n * sizeof(real), "port");
        feed(port[i], keys[i], n);
    }
    bool ok = cak_experiment_build(x, &info) && cak_experiment_ready(x, port);
    if (!ok) cak_diag_print(d, stderr);
    ck_assert(ok);
}

static void close_golden(void)
{
    cak_experiment_close(x);
    cak_config_close(c);
    cak_diag_close(d);
    json_decref(golden);
}

static const cak_phase *run_phase(int i)
{
    cak_phase *p = &x->phase[i];
    const cak_step *s = &p->step[0];
    cak_exec_run(s->exec, &(cak_clock){ 0, 0 });
    return p;
}

/* The reference names its tensors after the author's modules. */
static const char *author_name(const char *name)
{
    static const char *const map[][2] = {
        { "detector.weight", "detector.conv.weight" },       { "detector.bias", "detector.conv.bias" },
        { "critic.conv1.weight", "realism_net.0.weight" },   { "critic.conv1.bias", "realism_net.0.bias" },
        { "critic.conv2.weight", "realism_net.2.weight" },   { "critic.conv2.bias", "realism_net.2.bias" },
        { "critic.conv3.weight", "realism_net.5.weight" },   { "critic.conv3.bias", "realism_net.5.bias" },
        { "critic.linear.weight", "realism_net.10.weight" }, { "critic.linear.bias", "realism_net.10.bias" },
    };
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (!strcmp(map[i][0], name)) return map[i][1];
    return NULL;
}

/* Biases in front of an instance norm and the last bias have gradient 0 by algebra: only rounding is left of them. */
static bool dead(const char *name)
{
    return !strcmp(name, "critic.conv2.bias") || !strcmp(name, "critic.conv3.bias") || !strcmp(name, "critic.linear.bias");
}

static double term(const cak_phase *p, const char *name)
{
    for (int i = 0; i < p->loss->n; i++)
        if (!strcmp(p->loss->term[i].name, name)) return (double)cak_exec_data(p->step[0].exec, p->step[0].term[i])[0];
    ck_abort_msg("no term %s", name);
    return NAN;
}

static void check_critic_gradients(const cak_phase *p, json_t *critic)
{
    int compared = 0;
    for (int i = 0; i < p->n_params; i++) {
        const cak_parameter *q = &x->param[p->param[i]];
        const real *g = cak_exec_data(p->step[0].exec, p->step[0].grad[i]);
        double l2 = sqrt(cak_norm2(g, q->n)), sum = 0, scale = number(json_object_get(critic, "grad_l2"), author_name(q->name));
        for (int64_t k = 0; k < q->n; k++) sum += (double)g[k];
        if (dead(q->name)) {
            ck_assert_msg(l2 < (TOL < 1e-8 ? 1e-9 : 1e-1), "%s: %g", q->name, l2);
            continue;
        }
        ck_close(l2, scale, TOL);
        ck_close(sum, number(json_object_get(critic, "grad_sum"), author_name(q->name)), TOL);
        compared++;
    }
    ck_assert_int_eq(compared, 7);
}

static void check_detector(const cak_phase *p, json_t *want, const char *w_key, const char *b_key)
{
    for (int i = 0; i < p->n_params; i++) {
        const cak_parameter *q = &x->param[p->param[i]];
        const real *g = cak_exec_data(p->step[0].exec, p->step[0].grad[i]);
        const char *key = !strcmp(q->name, "detector.weight")   ? w_key
                          : !strcmp(q->name, "detector.bias")   ? b_key
                          : !strcmp(q->name, "generator.scale") ? "grad_scale"
                                                                : NULL;
        if (!key) continue;
        json_t *list = json_object_get(want, key);
        for (int64_t k = 0; k < q->n; k++) ck_close((double)g[k], json_number_value(json_array_get(list, (size_t)k)), TOL);
    }
}

static void update(const cak_phase *p)
{
    const real *grad[16];
    for (int i = 0; i < p->n_params; i++) grad[i] = cak_exec_data(p->step[0].exec, p->step[0].grad[i]);
    cak_adam_update((cak_adam *)&p->adam, grad);
}

static const real *param(const char *name)
{
    for (int i = 0; i < x->n_params; i++)
        if (!strcmp(x->param[i].name, name)) return x->param[i].value;
    ck_abort_msg("no parameter %s", name);
    return NULL;
}

START_TEST(critic_then_generator)
{
    open_golden();
    json_t *critic = json_object_get(ref, "critic"), *generator = json_object_get(ref, "generator");
    const cak_phase *p = run_phase(0);
    ck_close((double)cak_exec_data(p->step[0].exec, p->step[0].total)[0], number(critic, "c_loss"), TOL);
    ck_close(term(p, "gp"), number(critic, "gp"), TOL);
    ck_close(term(p, "adv"), number(critic, "wasserstein"), TOL < 1e-8 ? TOL : 1e-3); /* a difference of means near 5 */
    check_critic_gradients(p, critic);
    check_detector(p, critic, "grad_detector_w", "grad_detector_b");
    update(p);
    json_t *after = json_object_get(critic, "after_adam");
    for (int k = 0; k < 9; k++)
        ck_close((double)param("detector.weight")[k], json_number_value(json_array_get(json_object_get(after, "w"), (size_t)k)),
                 TOL);
    p = run_phase(1);
    ck_close((double)cak_exec_data(p->step[0].exec, p->step[0].total)[0], number(generator, "g_loss"), TOL);
    ck_close(-term(p, "adv"), number(generator, "adv"), TOL);
    ck_close(2 * term(p, "comp"), number(generator, "viol_term"), TOL);
    ck_close(term(p, "recon"), number(generator, "l1"), TOL);
    ck_close(0.01 * term(p, "reg"), number(generator, "reg"), TOL);
    check_detector(p, generator, "grad_w", "grad_b");
    update(p);
    after = json_object_get(generator, "after_adam");
    ck_close((double)param("generator.scale")[0], json_number_value(json_array_get(json_object_get(after, "scale"), 0)), TOL);
    ck_close((double)param("detector.bias")[0], json_number_value(json_array_get(json_object_get(after, "b"), 0)), TOL);
    close_golden();
}
END_TEST

/* The norms of the four gradients inside the penalty. */
START_TEST(gradient_norms)
{
    open_golden();
    cak_graph *g = cak_graph_open(d);
    static const char *const names[] = { "batch.input", "batch.target", "batch.control", "batch.alpha", "schedules.temperature" };
    static const cak_shape shapes[] = { CAK_SHAPE(4, 1, 24, 20), CAK_SHAPE(4, 1, 24, 20), CAK_SHAPE(4, 1), CAK_SHAPE(4, 1, 1, 1),
                                        CAK_SCALAR };
    cak_binding bind[5];
    for (int i = 0; i < 5; i++) bind[i] = (cak_binding){ names[i], cak_input(g, names[i], &shapes[i], i < 4) };
    cak_ref norm = cak_builder_value(cak_builder_open(g, x->nodes, x->modules, bind, 5), "gp.norm", CAK_NOWHERE);
    cak_exec *e = cak_exec_open(x->arena, cak_plan(x->arena, g, &norm, 1), NULL);
    for (int i = 0; i < 4; i++) cak_exec_bind(e, names[i], port[i]);
    cak_exec_bind(e, names[4], &x->schedule[0].value);
    for (int i = 0; i < x->n_params; i++) cak_exec_bind(e, x->param[i].name, x->param[i].value);
    cak_exec_run(e, &(cak_clock){ 0, 0 });
    json_t *want = json_object_get(json_object_get(ref, "critic"), "grad_norms");
    for (size_t i = 0; i < 4; i++) ck_close((double)cak_exec_data(e, norm)[i], json_number_value(json_array_get(want, i)), TOL);
    cak_exec_close(e);
    cak_graph_close(g);
    close_golden();
}
END_TEST

SUITE(golden, critic_then_generator, gradient_norms)
