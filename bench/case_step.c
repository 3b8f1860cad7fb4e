/* Cases: whole training steps of an experiment, and building its graphs and plans. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/forms.h"
#include "experiments/experiment.h"
#include "graph/safetensors.h"

typedef struct plan {
    const char *phase; /* NULL: a whole batch, every phase as often as the experiment says */
    int64_t batch, h, w;
    bool mix; /* every second sample is an identity: target = input, control 0 */
} plan;

typedef struct step {
    const plan *p;
    cak_diag *diag;
    cak_config *config;
    cak_experiment *x;
    cak_loader_info loader;
    real *port[CAK_MAX_OUT];
    const real **grad;
    const cak_phase *last; /* that ran */
    uint64_t draw;
} step;

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
static double torch_flops(const cak_experiment *x, const cak_phase *phase, const plan *p)
{
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

/* Convolutions: which operand is the image, the filters, the output; RESULT: the value itself. Winograd has filters of its own. */
enum { RESULT = -1, OWN = -2 };
static const struct convolution {
    const char *node;
    int x, w, y;
} convolutions[] = {
    { "conv2d", 0, 1, RESULT },         { "conv2d_dx", RESULT, 1, 0 }, { "conv2d_dw", 0, RESULT, 1 },
    { "few_forward", 0, 1, RESULT },    { "few_dx", RESULT, 1, 0 },    { "few_dw", 0, RESULT, 1 },
    { "wino_forward", 0, OWN, RESULT }, { "wino_dx", RESULT, OWN, 0 }, { "wino_dw", 0, OWN, 1 },
};

static const cak_shape *operand(const cak_graph *g, const cak_value *v, int which)
{
    return which == RESULT ? &v->shape : cak_shape_of(g, v->in[which]);
}

/* Of the convolutions in the graph that is run, for all samples. */
static double executed_flops(const cak_graph *g)
{
    double flops = 0;
    for (int i = 0; i < cak_graph_size(g); i++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ i });
        for (size_t k = 0; k < sizeof convolutions / sizeof *convolutions; k++) {
            const struct convolution *c = &convolutions[k];
            if (strcmp(c->node, v->node->name)) continue;
            const cak_shape *x = operand(g, v, c->x), *y = operand(g, v, c->y), *w = c->w == OWN ? NULL : operand(g, v, c->w);
            if (w) flops += 2 * (double)cak_shape_size(y) / (double)w->dim[0] * (double)cak_shape_size(w);
            else flops += bench_wino_flops(y->dim[0], x->dim[1] * CAK_LANES, y->dim[1] * CAK_LANES, y->dim[2], y->dim[3]);
        }
    }
    return flops;
}

/* ---- building ---- */

static bool ours(const plan *p, const cak_phase *phase) { return !p->phase || !strcmp(p->phase, phase->name); }

static void describe_loader(step *s)
{
    const plan *p = s->p;
    s->loader = (cak_loader_info){ .n_ports = CONTROL + 1, .items = p->batch, .batch = p->batch, .drop_last = true };
    cak_shape image = CAK_SHAPE(1, p->h, p->w), one = CAK_SHAPE(1), factor = CAK_SHAPE(1, 1, 1);
    const cak_shape *shape[PORTS] = { &image, &image, &one, &factor };
    for (int i = 0; i < PORTS; i++) s->loader.port[i] = (cak_batch_port){ port_names[i], *shape[i] };
}

/* With tensors from a file, parameters and the factors of the gradient penalty come from there. */
static const char *const file_overrides[] = { "graph.gp.inputs=[batch.target, fake_sg, batch.alpha]", NULL };

static bool build(step *s, const bench_options *o, cak_arena *a)
{
    const char *overrides[2] = { file_overrides[0], o->tensors ? cak_arena_print(a, "++init_from=%s", o->tensors) : NULL };
    s->diag = cak_diag_open();
    describe_loader(s);
    if (o->tensors) s->loader.n_ports = PORTS;
    s->config = cak_config_load(s->diag, o->config, overrides, o->tensors ? 2 : 0);
    if (s->config) s->x = cak_experiment_open(s->config);
    return s->x && cak_experiment_build(s->x, &s->loader) && cak_diag_errors(s->diag) == 0;
}

static void take_down(step *s)
{
    cak_diag_print(s->diag, stderr);
    for (int i = 0; i < CAK_MAX_OUT && s->port[i]; i++)
        cak_slab_free(s->port[i], (size_t)(s->p->batch * cak_shape_size(&s->loader.port[i].shape)) * sizeof(real));
    cak_experiment_close(s->x);
    if (s->config) cak_config_close(s->config);
    cak_diag_close(s->diag);
}

/* ---- the batch ---- */

static void draw_batch(step *s)
{
    int64_t n = s->p->batch, image = s->p->h * s->p->w;
    for (int i = INPUT; i <= CONTROL; i++) {
        int64_t size = n * cak_shape_size(&s->loader.port[i].shape);
        s->port[i] = bench_numbers(size, (uint64_t)i + 1);
        for (int64_t k = 0; k < size; k++) s->port[i][k] = (s->port[i][k] + 1) / 2;
    }
    for (int64_t b = 0; s->p->mix && b < n; b += 2) {
        memcpy(s->port[TARGET] + b * image, s->port[INPUT] + b * image, (size_t)image * sizeof(real));
        s->port[CONTROL][b] = 0;
    }
}

static bool read_batch(step *s, const char *path)
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

/* ---- a step ---- */

static bool step_open(bench_run *r, const void *arg)
{
    step *s = r->state = cak_arena_alloc(r->arena, sizeof *s);
    s->p = arg;
    if (!build(s, r->o, r->arena)) return false;
    if (!r->o->tensors) draw_batch(s);
    else if (!read_batch(s, r->o->tensors)) return false;
    if (!cak_experiment_ready(s->x, s->port)) return false;
    s->grad = cak_arena_alloc(r->arena, ((size_t)s->x->n_params + 1) * sizeof *s->grad);
    for (int i = 0; i < s->x->n_phases; i++) {
        const cak_phase *p = &s->x->phase[i];
        double times = s->p->phase ? 1 : (double)p->repeat;
        if (!ours(s->p, p)) continue;
        r->executed += times * executed_flops(p->step[0].graph);
        r->effective += times * torch_flops(s->x, p, s->p);
        bench_count(r, cak_arena_print(r->arena, "%s_kernels", p->name), cak_program_info(p->step[0].program).kernels);
    }
    bench_count(r, "slab_mib", (double)s->x->slab_bytes / (1 << 20));
    return true;
}

static void step_run(bench_run *r)
{
    step *s = r->state;
    for (int i = 0; i < s->x->n_phases; i++) {
        cak_phase *p = &s->x->phase[i];
        const cak_step *t = &p->step[0];
        for (int64_t k = 0; ours(s->p, p) && k < (s->p->phase ? 1 : p->repeat); k++) {
            cak_clock clock = { s->x->seed, s->draw++ };
            cak_exec_run(t->exec, &clock);
            for (int j = 0; j < p->n_params; j++) s->grad[j] = cak_exec_data(t->exec, t->grad[j]);
            cak_adam_update(&p->adam, s->grad);
            s->last = p;
        }
    }
}

/* "d(c_loss)/d(critic.conv1.weight)" -> "grad/critic.conv1.weight" */
static bool write_gradients(bench_run *r)
{
    step *s = r->state;
    const cak_phase *p = s->last;
    const cak_step *t = &p->step[0];
    int scalars = 1 + p->loss->n + p->n_metrics;
    cak_tensor *out = cak_arena_alloc(r->arena, (size_t)t->n_out * sizeof *out);
    for (int i = 0; i < t->n_out; i++) {
        const cak_parameter *q = i < scalars ? NULL : &s->x->param[p->param[i - scalars]];
        out[i] = (cak_tensor){ .name = cak_arena_print(r->arena, q ? "grad/%s" : "value/%s", q ? q->name : t->out_name[i]),
                               .dtype = CAK_REAL_DTYPE,
                               .shape = q ? q->shape : CAK_SCALAR,
                               .data = cak_exec_data(t->exec, t->out[i]),
                               .size = (size_t)(q ? q->n : 1) * sizeof(real) };
    }
    return cak_tensors_save(s->diag, r->o->gradients, out, t->n_out, NULL, 0);
}

/* There is no second way here to compute a training step; vs_torch compares with one. Finite it must be. */
static void step_check(bench_run *r)
{
    step *s = r->state;
    const cak_step *t = &s->last->step[0];
    for (int i = 0; i < t->n_out; i++) {
        const real *y = cak_exec_data(t->exec, t->out[i]);
        int64_t n = cak_shape_size(cak_shape_of(t->graph, t->out[i]));
        for (int64_t k = 0; k < n; k++) r->failed = r->failed || !isfinite(y[k]);
        bench_hash(r, y, (size_t)n * sizeof(real));
    }
    if (r->o->gradients && !write_gradients(r)) r->failed = true;
}

static void step_close(bench_run *r) { take_down(r->state); }

/* ---- building and planning ---- */

static bool plan_open(bench_run *r, const void *arg)
{
    const plan *p = arg;
    plan small = *p;
    small.batch = 16;
    double slab[2], torch = 0;
    for (int i = 0; i < 2; i++) {
        step s = { .p = i ? p : &small };
        bool ok = build(&s, r->o, r->arena);
        slab[i] = ok ? (double)s.x->slab_bytes : 0;
        for (int k = 0; ok && i && k < s.x->n_phases; k++) torch += torch_flops(s.x, &s.x->phase[k], p);
        take_down(&s);
        if (!ok) return false;
    }
    r->state = (void *)(uintptr_t)arg;
    bench_count(r, "slab_mib", slab[1] / (1 << 20));
    bench_count(r, "slab_to_batch_16", slab[1] / slab[0]);
    bench_count(r, "torch_gflop_per_sample", torch / (double)p->batch * 1e-9); /* each phase once */
    return true;
}

static void plan_run(bench_run *r)
{
    step s = { .p = r->state };
    build(&s, r->o, r->arena);
    take_down(&s);
}

/* ---- tables ---- */

static void add_step(bench_list *l, const plan *p)
{
    plan *q = cak_arena_alloc(l->arena, sizeof *q);
    *q = *p;
    const char *name = cak_arena_print(l->arena, "step/%lldx%lldx%lld/%s/%s", (long long)p->batch, (long long)p->h,
                                       (long long)p->w, p->phase ? p->phase : "batch", p->mix ? "mix" : "distinct");
    bench_add(l, &(bench_case){ name, step_open, step_run, step_check, step_close, q, false });
}

static const char *const phases[] = { "critic", "generator", NULL };

/* The sizes of the file given. */
static void add_from_file(bench_list *l)
{
    cak_diag *d = cak_diag_open();
    cak_arena *a = cak_arena_open("bench");
    cak_tensors *t = cak_tensors_load(a, d, l->o->tensors);
    const cak_tensor *x = t ? cak_tensors_find(t, "batch/input") : NULL;
    cak_diag_print(d, stderr);
    l->failed = !x || x->shape.rank != 4;
    if (!l->failed)
        for (int i = 0; i < 3; i++) add_step(l, &(plan){ phases[i], x->shape.dim[0], x->shape.dim[2], x->shape.dim[3], false });
    else fprintf(stderr, "bench: error: %s holds no tensor batch/input [B,1,H,W]\n", l->o->tensors);
    cak_arena_close(a);
    cak_diag_close(d);
}

void bench_add_steps(bench_list *l)
{
    static const int64_t sizes[][3] = { { 16, 64, 64 }, { 16, 1025, 64 }, { 1, 1025, 1292 }, { 16, 1025, 1292 } };
    static const int64_t batches[] = { 16, 64 };
    if (l->o->tensors) {
        add_from_file(l);
        return;
    }
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
        for (int i = 0; i < 3; i++)
            for (int mix = 0; mix < (sizes[z][0] > 1 ? 2 : 1); mix++)
                add_step(l, &(plan){ phases[i], sizes[z][0], sizes[z][1], sizes[z][2], mix });
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        plan *p = cak_arena_alloc(l->arena, sizeof *p);
        *p = (plan){ NULL, batches[i], 1025, 1292, false };
        const char *name = cak_arena_print(l->arena, "plan/%lldx1025x1292", (long long)batches[i]);
        bench_add(l, &(bench_case){ name, plan_open, plan_run, NULL, NULL, p, true });
    }
}
