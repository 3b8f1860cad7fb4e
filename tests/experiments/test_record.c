/* Step values are what the programs computed; epoch values are their means, then schedules and parameters. */
#include <math.h>
#include <string.h>

#include "experiments/record.h"
#include "tests/support/suite.h"

static int column(const cak_fields *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->field[i].name, name)) return i;
    ck_abort_msg("no field %s", name);
    return -1;
}

static cak_experiment *open_tiny(cak_diag *d, cak_config **c, cak_arena *a)
{
    cak_loader_info info = { .n_ports = 4,
                             .items = 4,
                             .batch = 4,
                             .port = { { "input", CAK_SHAPE(1, 24, 20) },
                                       { "target", CAK_SHAPE(1, 24, 20) },
                                       { "control", CAK_SHAPE(1) },
                                       { "alpha", CAK_SHAPE(1, 1, 1) } } };
    *c = cak_config_load(d, "configs/tiny/golden.yaml", NULL, 0);
    cak_experiment *x = cak_experiment_open(*c);
    real **port = cak_arena_alloc(a, 4 * sizeof *port);
    ck_assert(cak_experiment_build(x, &info));
    for (int i = 0; i < 4; i++) {
        int64_t n = 4 * cak_shape_size(&info.port[i].shape);
        port[i] = cak_arena_alloc(a, (size_t)n * sizeof(real) + 64);
        for (int64_t k = 0; k < n; k++) port[i][k] = (real)(0.5 + 0.4 * sin((double)(k * (i + 1))));
    }
    ck_assert(cak_experiment_ready(x, port));
    return x;
}

/* Run both phases of a batch and move the parameters, so that batches differ. */
static void batch(cak_experiment *x, cak_record *r)
{
    const real *grad[16];
    for (int i = 0; i < x->n_phases; i++) {
        cak_phase *p = &x->phase[i];
        cak_exec_run(p->step[0].exec, &(cak_clock){ 0, 0 });
        for (int k = 0; k < p->n_params; k++) grad[k] = cak_exec_data(p->step[0].exec, p->step[0].grad[k]);
        ck_assert(cak_record_phase(r, i, &p->step[0], grad));
        cak_adam_update(&p->adam, grad);
    }
    cak_record_add(r);
}

START_TEST(means_of_an_epoch)
{
    cak_diag *d = cak_diag_open();
    cak_arena *a = cak_arena_open("test");
    cak_config *c;
    cak_experiment *x = open_tiny(d, &c, a);
    cak_record r;
    cak_record_open(&r, x);
    int step_g = column(&r.step_fields, "g_loss"), step_norm = column(&r.step_fields, "critic.grad_norm.critic.conv1.weight");
    double sum = 0, first = 0;
    for (int k = 0; k < 3; k++) {
        batch(x, &r);
        sum += r.step_value[step_g];
        if (!k) first = r.step_value[step_g];
        ck_assert(r.step_value[step_norm] > 0 &&
                  r.step_value[step_norm] <= r.step_value[column(&r.step_fields, "critic.grad_norm")]);
    }
    ck_assert(first != r.step_value[step_g]);
    cak_record_epoch(&r, x);
    ck_close(r.epoch_value[column(&r.epoch_fields, "g_loss")], sum / 3, 1e-12);
    ck_close(r.epoch_value[column(&r.epoch_fields, "temperature")], 20, 1e-6);
    ck_close(r.epoch_value[column(&r.epoch_fields, "scale")], 0.78444594 - 3e-4, 1e-3);
    ck_assert_ptr_nonnull(strstr(cak_record_line(&r), "g_loss="));
    cak_record_clear(&r);
    batch(x, &r);
    cak_record_epoch(&r, x);
    ck_close(r.epoch_value[column(&r.epoch_fields, "g_loss")], r.step_value[step_g], 1e-12);
    cak_experiment_close(x);
    cak_config_close(c);
    cak_arena_close(a);
    cak_diag_close(d);
}
END_TEST

/* The loss is the weighted sum of its terms. */
START_TEST(terms_add_up)
{
    cak_diag *d = cak_diag_open();
    cak_arena *a = cak_arena_open("test");
    cak_config *c;
    cak_experiment *x = open_tiny(d, &c, a);
    cak_record r;
    cak_record_open(&r, x);
    batch(x, &r);
    for (int i = 0; i < x->n_phases; i++) {
        const cak_loss *l = x->phase[i].loss;
        double sum = 0;
        for (int k = 0; k < l->n; k++)
            sum +=
                l->term[k].weight * r.step_value[column(&r.step_fields, cak_arena_print(a, "%s.%s", l->name, l->term[k].name))];
        ck_close(r.step_value[column(&r.step_fields, l->name)], sum, 1e-5);
    }
    cak_experiment_close(x);
    cak_config_close(c);
    cak_arena_close(a);
    cak_diag_close(d);
}
END_TEST

SUITE(record, means_of_an_epoch, terms_add_up)
