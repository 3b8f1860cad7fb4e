/* Sections of a configuration: what is refused, with which code, and where; what `init_from` takes. */
#include <string.h>

#include "experiments/experiment.h"
#include "graph/safetensors.h"
#include "tests/support/suite.h"

typedef struct bad {
    const char *override, *text;
    cak_code code;
} bad;

static const cak_shape image = CAK_SHAPE(1, 24, 20), number = CAK_SHAPE(1), factor = CAK_SHAPE(1, 1, 1);

static cak_loader_info golden_ports(void)
{
    return (cak_loader_info){ .n_ports = 4,
                              .items = 10,
                              .batch = 4,
                              .port = { { "input", image }, { "target", image }, { "control", number }, { "alpha", factor } } };
}

static bool open_with(cak_diag *d, const char *override, cak_config **c, cak_experiment **x)
{
    cak_loader_info info = golden_ports();
    *x = NULL;
    *c = cak_config_load(d, "configs/tiny/golden.yaml", override ? &override : NULL, override ? 1 : 0);
    if (!*c) return false;
    *x = cak_experiment_open(*c);
    return cak_experiment_build(*x, &info) && !cak_diag_errors(d);
}

static void close_all(cak_diag *d, cak_config *c, cak_experiment *x)
{
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    cak_diag_close(d);
}

static bool recorded(const cak_diag *d, const bad *b)
{
    for (int i = 0; i < cak_diag_errors(d); i++)
        if (cak_diag_code(d, i) == b->code && strstr(cak_diag_message(d, i), b->text) && cak_diag_pos(d, i).line > 0) return true;
    return false;
}

static const bad cases[] = {
    { "version=2", "got '2'", CAK_E1202 },
    { "name=a b", "a b", CAK_E1205 },
    { "seed=-1", "got '-1'", CAK_E1202 },
    { "schedules.temperature={type: steps, from: 1, to: 2, over: 3}", "unknown schedule 'steps'", CAK_E1202 },
    { "schedules.temperature={type: linear_epochs, from: 1, to: 2, over: 0}", "got '0'", CAK_E1202 },
    { "++schedules.a-b.c={from: 1}", "type", CAK_E1204 },
    { "schedules=[1]", "`schedules` must be a mapping", CAK_E1201 },
    { "losses.c_loss=3", "must be a mapping of terms", CAK_E1201 },
    { "losses.c_loss.gp={weight: 1, value: [1]}", "expected", CAK_E1201 },
    { "losses.c_loss.gp.weight=much", "got 'much'", CAK_E1201 },
    { "losses.c_loss.gp.value=gp.penalt", "no output 'penalt'", CAK_E3002 },
    { "losses.c_loss.gp.value=gp.norm", "where one number is needed", CAK_E3102 },
    { "train.phases=1", "`phases` must be a mapping", CAK_E1201 },
    { "train.phases.critic=1", "must be a mapping", CAK_E1201 },
    { "train.phases.critic.loss=c_los", "did you mean 'c_loss'?", CAK_E3002 },
    { "train.phases.critic.repeat=0", "got '0'", CAK_E1202 },
    { "train.phases.critic.update=[]", "names no module", CAK_E1204 },
    { "train.phases.critic.update=[[a]]", "list of modules", CAK_E1201 },
    { "train.phases.critic.update=[detectr]", "names no module or parameter", CAK_E3002 },
    { "train.phases.critic.update=[critic, generator]", "does not depend on it", CAK_E3101 },
    { "train.phases.critic.optimizer.type=sgd", "unknown optimizer", CAK_E1202 },
    { "~train.phases.critic.optimizer.type", "needs a `type`", CAK_E1204 },
    { "train.phases.critic.optimizer.betas=[0.5]", "two numbers", CAK_E1202 },
    { "train.phases.critic.metrics={a b: w}", "a b", CAK_E1205 },
    { "train.phases.critic.metrics.wasserstein_d=[w]", "must be an expression", CAK_E1201 },
    { "train.guard.abs_loss=-1", "got '-1'", CAK_E1202 },
    { "train.guard.nonfinite=maybe", "stop", CAK_E1202 },
    { "+train.guard.x=1", "unknown key 'x'", CAK_E1203 },
    { "train.checkpoint.keep=0", "got '0'", CAK_E1202 },
    { "+train.epoch=3", "did you mean 'epochs'?", CAK_E1203 },
    { "metrics.scale=detector.weight", "not a parameter with one element", CAK_E3002 },
    { "metrics.scale=generator.scal", "not a parameter with one element", CAK_E3002 },
    { "~losses", "`losses` is missing", CAK_E1204 },
    { "modules=5", "`modules` must be a mapping", CAK_E1201 },
    { "graph=5", "`graph` must be a mapping", CAK_E1201 },
    { "train.phases.critic.optimizer.betas={a: 1}", "a list of numbers", CAK_E1201 },
    { "++modules.loose={outputs: {y: b}, inputs: [x], nodes: {a: {type: expp, inputs: [x]}, b: {type: exp, inputs: [a]}}}",
      "did you mean 'exp'?", CAK_E3001 },
    { "~train", "`train` is missing", CAK_E1204 },
    { "+log=5", "`log` must be a mapping", CAK_E1201 },
    { "+log={tensorbord: true}", "did you mean 'tensorboard'?", CAK_E1203 },
    { "+log={tensorboard: maybe}", "got 'maybe'", CAK_E1201 },
    { "+log={tensorboard_steps: -1}", "got '-1'", CAK_E1202 },
};

START_TEST(refused)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cak_diag *d = cak_diag_open();
        cak_config *c;
        cak_experiment *x;
        bool ok = open_with(d, cases[i].override, &c, &x);
        if (ok || !recorded(d, &cases[i])) cak_diag_print(d, stderr);
        ck_assert_msg(!ok && recorded(d, &cases[i]), "%s: '%s' with code %s", cases[i].override, cases[i].text,
                      cak_code_name(cases[i].code));
        close_all(d, c, x);
    }
}
END_TEST

/* One mistake is one error: it has no consequences. */
START_TEST(one_mistake_is_one_error)
{
    static const char *const overrides[] = {
        "modules=5",
        "graph=5",
        "losses=5",
        "~losses",
        "losses.c_loss=3",
        "train.phases.critic.loss=c_los",
        "train.phases.critic.optimizer.betas={a: 1}",
        "train.phases.critic.optimizer.betas=[0.5]",
        "++train.phases.critic.metrics.step=w",
        "graph.fake.module=generatr",
        "modules.generator.tau=x",
        "++modules.loose={outputs: {y: b}, inputs: [x], nodes: {a: {type: expp, inputs: [x]}, b: {type: exp, inputs: [a]}}}",
        "++modules.loose={outputs: {y: x}, inputs: [x], nodes: {a: {type: call, module: loose, inputs: [1]}}}",
        "metrics.scale=generatr.scale",
        "train.phases.critic.update=[detectr]",
        "schedules=5",
        "metrics.scale=[1]",
        "losses.c_loss.comp=[1]",
        "~modules.generator.type",
    };
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++) {
        cak_diag *d = cak_diag_open();
        cak_config *c;
        cak_experiment *x;
        ck_assert(!open_with(d, overrides[i], &c, &x));
        if (cak_diag_errors(d) != 1) cak_diag_print(d, stderr);
        ck_assert_msg(cak_diag_errors(d) == 1, "%s", overrides[i]);
        close_all(d, c, x);
    }
}
END_TEST

/* Without a single port known, everything that needs no shape is checked. */
START_TEST(unknown_ports)
{
    cak_diag *d = cak_diag_open();
    const char *const overrides[] = { "graph.recon.type=l2", "metrics.scale=generatr.scale",
                                      "++train.phases.critic.metrics.step=w", "train.phases.critic.update=[detectr]" };
    cak_config *c = cak_config_load(d, "configs/tiny/golden.yaml", overrides, 4);
    cak_experiment *x = cak_experiment_open(c);
    cak_experiment_check(x, &(cak_loader_info){ 0 });
    if (cak_diag_errors(d) != 4) cak_diag_print(d, stderr);
    ck_assert_int_eq(cak_diag_errors(d), 4);
    cak_diag_clear(d);
    x->data = NULL; /* no section at all: the loader is called `batch` */
    cak_experiment_check(x, &(cak_loader_info){ 0 });
    ck_assert_int_eq(cak_diag_errors(d), 4);
    close_all(d, c, x);
}
END_TEST

/* A sub-graph that is never called is checked, but adds no parameter. */
START_TEST(uncalled_modules)
{
    cak_diag *d = cak_diag_open();
    cak_config *c;
    cak_experiment *x;
    ck_assert(
        open_with(d, "++modules.loose={outputs: {y: b}, nodes: {b: {type: call, module: detector, inputs: [1]}}}", &c, &x) ||
        cak_diag_errors(d));
    close_all(d, c, x);
    d = cak_diag_open();
    ck_assert(open_with(d,
                        "++modules.loose={outputs: {y: b}, nodes: {a: {type: reshape, inputs: [1], shape: [1, 1, 1, 1]}, "
                        "b: {type: conv_layer, inputs: [a], out: 2, kernel: 1}}}",
                        &c, &x));
    ck_assert_int_eq(x->n_params, 11);
    close_all(d, c, x);
}
END_TEST

/* 10 items in batches of 4: programs for 4 and for 2 samples; phases know their parameters; building again changes nothing. */
START_TEST(batches_and_parameters)
{
    cak_diag *d = cak_diag_open();
    cak_config *c;
    cak_experiment *x;
    cak_loader_info info = golden_ports();
    ck_assert(open_with(d, NULL, &c, &x));
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(x->batch[0], 4);
        ck_assert_int_eq(x->batch[1], 2);
        ck_assert_int_eq(x->n_params, 11);
        ck_assert_int_eq(x->phase[0].n_params, 10); /* detector and critic */
        ck_assert_int_eq(x->phase[1].n_params, 3);  /* detector and scale */
        ck_assert(x->phase[1].step[1].program != NULL && x->slab_bytes > 0);
        ck_assert(cak_experiment_build(x, &info));
    }
    close_all(d, c, x);
}
END_TEST

/* T(e) = 2 + 18 min(1, e / 5) */
START_TEST(temperature)
{
    static const double want[] = { 2, 5.6, 9.2, 12.8, 16.4, 20, 20 };
    cak_diag *d = cak_diag_open();
    cak_config *c;
    cak_experiment *x;
    ck_assert(open_with(d, "schedules.temperature={type: linear_epochs, from: 2, to: 20, over: 5}", &c, &x));
    for (int e = 0; e < 7; e++) {
        cak_experiment_schedules(x, e);
        ck_close((double)x->schedule[0].value, want[e], 1e-6);
    }
    close_all(d, c, x);
}
END_TEST

static bool ready_from(const char *path, cak_diag *d, real *first)
{
    cak_config *c;
    cak_experiment *x;
    real *port[4] = { 0 };
    cak_arena *a = cak_arena_open("test");
    bool built = open_with(d, cak_arena_print(a, "init_from=%s", path), &c, &x);
    if (!built) cak_diag_print(d, stderr);
    ck_assert(built);
    for (int i = 0; i < 4; i++) port[i] = cak_arena_alloc(a, 4 * sizeof(real) * (size_t)cak_shape_size(&x->loader.port[i].shape));
    bool ok = cak_experiment_ready(x, port) && !cak_diag_errors(d);
    for (int i = 0; i < x->n_params; i++)
        if (!strcmp(x->param[i].name, "generator.scale")) *first = x->param[i].value[0];
    cak_experiment_close(x);
    cak_config_close(c);
    cak_arena_close(a);
    return ok;
}

START_TEST(initial_values)
{
    cak_diag *d = cak_diag_open(); /* cleared after each expected error */
    cak_arena *a = cak_arena_open("test");
    real scale = 0, data[2] = { (real)0.25, 9 };
    char *path = cak_arena_print(a, "%s/init.safetensors", temp_dir());
    cak_tensor t[2] = { { "generator.scale", sizeof(real) == 4 ? "F32" : "F64", CAK_SHAPE(1), data, sizeof(real) },
                        { "opt/critic/v/detector.bias", sizeof(real) == 4 ? "F32" : "F64", CAK_SHAPE(1), data + 1,
                          sizeof(real) } };
    ck_assert(cak_tensors_save(d, path, t, 2, NULL, 0));
    ck_assert(ready_from(path, d, &scale)); /* parameters that are not in the file are drawn; optimisers are left out */
    ck_assert(scale == (real)0.25);
    t[0].name = "generator.scales";
    ck_assert(cak_tensors_save(d, path, t, 2, NULL, 0));
    ck_assert(!ready_from(path, d, &scale) && cak_diag_code(d, 0) == CAK_E4010);
    cak_diag_clear(d);
    t[0] = (cak_tensor){ "generator.scale", t[0].dtype, CAK_SHAPE(2), data, 2 * sizeof(real) };
    ck_assert(cak_tensors_save(d, path, t, 1, NULL, 0));
    ck_assert(!ready_from(path, d, &scale) && cak_diag_code(d, 0) == CAK_E4010);
    cak_diag_clear(d);
    ck_assert(!ready_from("/no/such/file", d, &scale) && cak_diag_code(d, 0) == CAK_E4002);
    cak_diag_clear(d);
    cak_arena_close(a);
    cak_diag_close(d);
}
END_TEST

SUITE(experiment, refused, one_mistake_is_one_error, unknown_ports, uncalled_modules, batches_and_parameters, temperature,
      initial_values)
