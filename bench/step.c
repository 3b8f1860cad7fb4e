/* Building and running a training step: its experiment, its batch, the operations that it stands for. */
#include "bench/step.h"

#include <stdio.h>
#include <string.h>

#include "graph/safetensors.h"

const char *const bench_phases[] = { "critic", "generator", NULL };

enum { INPUT, TARGET, CONTROL, ALPHA, PORTS };
static const char *const port_names[PORTS] = { "input", "target", "control", "alpha" };

/* ---- counting ---- */

/* Passes of a convolution that PyTorch's autograd runs in a step of the audit game, of the first convolution and of the others. In the
** critic step: real and fake forward, backward to data and to weights (2 and 3 each, the first needs no gradient of the data), and the
** gradient penalty (6 each). In the generator step: forward and both gradients, those of the weights for nothing. */
static const struct passes {
    const char *phase;
    int first, others;
} passes[] = { { "critic", 10, 12 }, { "generator", 3, 3 } };

static int64_t module_int(const cak_experiment *x, const char *key)
{
    int64_t value = 0;
    cak_yaml *module = x->modules ? cak_yaml_get(x->modules, "critic") : NULL, *y = module ? cak_yaml_get(module, key) : NULL;
    if (y) cak_config_int(x->diag, y, &value);
    return value;
}

/* Of one phase, once: from the shapes of the critic's filters. 0 for an experiment that has no such critic. */
double bench_step_torch(const bench_step *s, const cak_phase *phase)
{
    const cak_experiment *x = s->x;
    const bench_plan *p = s->p;
    const struct passes *row = passes, *end = passes + sizeof passes / sizeof *passes;
    while (row < end && strcmp(row->phase, phase->name)) row++;
    int64_t stride = module_int(x, "stride"), pad = module_int(x, "pad"), h = p->h, w = p->w;
    if (row == end || stride < 1) return 0;
    double flops = 0;
    for (int i = 0, seen = 0; i < x->n_params; i++) {
        const cak_shape *f = &x->param[i].shape;
        if (strncmp(x->param[i].name, "critic.", 7) || f->rank != 4) continue;
        h = (h + 2 * pad - f->dim[2]) / stride + 1;
        w = (w + 2 * pad - f->dim[3]) / stride + 1;
        flops += 2 * (double)(x->param[i].n * h * w) * (seen++ ? row->others : row->first);
    }
    return flops * (double)p->batch;
}

int64_t bench_identities(const bench_plan *p) { return p->every ? (p->batch + p->every - 1) / p->every : 0; }

/* Found in the data, which may come from a file. */
double bench_step_executed(const bench_step *s, const cak_phase *phase)
{
    int64_t image = s->p->h * s->p->w, special = 0;
    for (int64_t b = 0; b < s->p->batch; b++)
        special += s->port[CONTROL][b] == 0 &&
                   !memcmp(s->port[INPUT] + b * image, s->port[TARGET] + b * image, (size_t)image * sizeof(real));
    return cak_program_work(phase->step[0].program, s->p->batch - special, special);
}

/* ---- building ---- */

bool bench_step_runs(const bench_plan *p, const cak_phase *phase) { return !p->phase || !strcmp(p->phase, phase->name); }

static void describe_loader(bench_step *s)
{
    const bench_plan *p = s->p;
    s->loader = (cak_loader_info){ .n_ports = CONTROL + 1, .items = p->batch, .batch = p->batch, .drop_last = true };
    cak_shape image = CAK_SHAPE(1, p->h, p->w), one = CAK_SHAPE(1), factor = CAK_SHAPE(1, 1, 1);
    const cak_shape *shape[PORTS] = { &image, &image, &one, &factor };
    for (int i = 0; i < PORTS; i++) s->loader.port[i] = (cak_batch_port){ port_names[i], *shape[i] };
}

/* With tensors from a file, parameters and the factors of the gradient penalty come from there. */
static const char *const file_overrides[] = { "graph.gp.inputs=[batch.target, fake_sg, batch.alpha]", NULL };

bool bench_step_build(bench_step *s, const bench_options *o, cak_arena *a)
{
    const char *overrides[2] = { file_overrides[0], o->tensors ? cak_arena_print(a, "++init_from=%s", o->tensors) : NULL };
    s->diag = cak_diag_open();
    describe_loader(s);
    if (o->tensors) s->loader.n_ports = PORTS;
    s->config = cak_config_load(s->diag, o->config, overrides, o->tensors ? 2 : 0);
    if (s->config) s->x = cak_experiment_open(s->config);
    return s->x && cak_experiment_build(s->x, &s->loader) && cak_diag_errors(s->diag) == 0;
}

void bench_step_close(bench_step *s)
{
    cak_diag_print(s->diag, stderr);
    for (int i = 0; i < CAK_MAX_OUT && s->port[i]; i++)
        cak_slab_free(s->port[i], (size_t)(s->p->batch * cak_shape_size(&s->loader.port[i].shape)) * sizeof(real));
    cak_experiment_close(s->x);
    if (s->config) cak_config_close(s->config);
    cak_diag_close(s->diag);
}

/* ---- the batch ---- */

static void draw_batch(bench_step *s)
{
    int64_t n = s->p->batch, image = s->p->h * s->p->w;
    for (int i = INPUT; i <= CONTROL; i++) {
        int64_t size = n * cak_shape_size(&s->loader.port[i].shape);
        s->port[i] = bench_numbers(size, (uint64_t)i + 1);
        for (int64_t k = 0; k < size; k++) s->port[i][k] = (s->port[i][k] + 1) / 2;
    }
    for (int64_t b = 0; s->p->every && b < n; b += s->p->every) {
        memcpy(s->port[TARGET] + b * image, s->port[INPUT] + b * image, (size_t)image * sizeof(real));
        s->port[CONTROL][b] = 0;
    }
}

static bool read_batch(bench_step *s, const char *path)
{
    cak_arena *a = cak_arena_open("bench");
    cak_tensors *t = cak_tensors_load(a, s->diag, path);
    bool ok = t != NULL;
    for (int i = 0; ok && i < PORTS; i++) {
        int64_t size = s->p->batch * cak_shape_size(&s->loader.port[i].shape);
        const cak_tensor *b = cak_tensors_find(t, cak_arena_print(a, "batch/%s", port_names[i]));
        s->port[i] = cak_slab_alloc((size_t)size * sizeof(real), "bench");
        ok = b && cak_shape_size(&b->shape) == size && cak_tensor_read(s->diag, b, s->port[i]);
        if (!ok) fprintf(stderr, "bench: error: %s: no tensor batch/%s of %lld numbers\n", path, port_names[i], (long long)size);
    }
    cak_arena_close(a);
    return ok;
}

bool bench_step_ready(bench_step *s, const bench_options *o, cak_arena *a)
{
    if (!o->tensors) draw_batch(s);
    else if (!read_batch(s, o->tensors)) return false;
    s->grad = cak_arena_alloc(a, ((size_t)s->x->n_params + 1) * sizeof *s->grad);
    return cak_experiment_ready(s->x, s->port);
}

void bench_step_run(bench_step *s)
{
    for (int i = 0; i < s->x->n_phases; i++) {
        cak_phase *p = &s->x->phase[i];
        const cak_step *t = &p->step[0];
        for (int64_t k = 0; bench_step_runs(s->p, p) && k < (s->p->phase ? 1 : p->repeat); k++) {
            cak_clock clock = { s->x->seed, s->draw++ };
            cak_exec_run(t->exec, &clock);
            for (int j = 0; j < p->n_params; j++) s->grad[j] = cak_exec_data(t->exec, t->grad[j]);
            cak_adam_update(&p->adam, s->grad);
            s->last = p;
        }
    }
}
