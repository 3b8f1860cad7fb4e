/* Cases: whole training steps of an experiment, and building its graphs and plans. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>

#include "bench/step.h"
#include "graph/safetensors.h"

/* ---- a step ---- */

static bool step_open(bench_run *r, const void *arg)
{
    bench_step *s = r->state = cak_arena_alloc(r->arena, sizeof *s);
    s->p = arg;
    if (!bench_step_build(s, r->o, r->arena) || !bench_step_ready(s, r->o, r->arena)) return false;
    for (int i = 0; i < s->x->n_phases; i++) {
        const cak_phase *p = &s->x->phase[i];
        double times = s->p->phase ? 1 : (double)p->repeat;
        if (!bench_step_runs(s->p, p)) continue;
        r->executed += times * bench_step_executed(s, p);
        r->effective += times * bench_step_torch(s, p);
        bench_count(r, cak_arena_print(r->arena, "%s_kernels", p->name), cak_program_info(p->step[0].program).kernels);
    }
    bench_count(r, "slab_mib", (double)s->x->slab_bytes / (1 << 20));
    return true;
}

static void step_run(bench_run *r) { bench_step_run(r->state); }

/* "d(c_loss)/d(critic.conv1.weight)" -> "grad/critic.conv1.weight" */
static bool write_gradients(bench_run *r)
{
    bench_step *s = r->state;
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
    bench_step *s = r->state;
    const cak_step *t = &s->last->step[0];
    for (int i = 0; i < t->n_out; i++) {
        const real *y = cak_exec_data(t->exec, t->out[i]);
        int64_t n = cak_shape_size(cak_shape_of(t->graph, t->out[i]));
        for (int64_t k = 0; k < n; k++) r->failed = r->failed || !isfinite(y[k]);
        bench_hash(r, y, (size_t)n * sizeof(real));
    }
    if (r->o->gradients && !write_gradients(r)) r->failed = true;
}

static void step_close(bench_run *r) { bench_step_close(r->state); }

/* ---- building and planning ---- */

static bool plan_open(bench_run *r, const void *arg)
{
    const bench_plan *p = arg;
    bench_plan small = *p;
    small.batch = 16;
    double slab[2], torch = 0;
    for (int i = 0; i < 2; i++) {
        bench_step s = { .p = i ? p : &small };
        bool ok = bench_step_build(&s, r->o, r->arena);
        slab[i] = ok ? (double)s.x->slab_bytes : 0;
        for (int k = 0; ok && i && k < s.x->n_phases; k++) torch += bench_step_torch(&s, &s.x->phase[k]);
        bench_step_close(&s);
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
    bench_step s = { .p = r->state };
    bench_step_build(&s, r->o, r->arena);
    bench_step_close(&s);
}

/* ---- tables ---- */

static void add_step(bench_list *l, const bench_plan *p)
{
    bench_plan *q = cak_arena_alloc(l->arena, sizeof *q);
    *q = *p;
    const char *name = cak_arena_print(l->arena, "step/%lldx%lldx%lld/%s/%s", (long long)p->batch, (long long)p->h,
                                       (long long)p->w, p->phase ? p->phase : "batch", p->every ? "mix" : "distinct");
    bench_add(l, &(bench_case){ name, step_open, step_run, step_check, step_close, q, false });
}

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
        for (int i = 0; i < 3; i++)
            add_step(l, &(bench_plan){ bench_phases[i], x->shape.dim[0], x->shape.dim[2], x->shape.dim[3], 0 });
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
                add_step(l, &(bench_plan){ bench_phases[i], sizes[z][0], sizes[z][1], sizes[z][2], 2 * mix });
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        bench_plan *p = cak_arena_alloc(l->arena, sizeof *p);
        *p = (bench_plan){ NULL, batches[i], 1025, 1292, 0 };
        const char *name = cak_arena_print(l->arena, "plan/%lldx1025x1292", (long long)batches[i]);
        bench_add(l, &(bench_case){ name, plan_open, plan_run, NULL, NULL, p, true });
    }
}
