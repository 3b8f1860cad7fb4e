/* What one program of a sweep costs: planned, and run for a moment on random numbers. */
#include "experiments/sweep_measure.h"

#include <math.h>
#include <string.h>

#include "experiments/prepare.h"
#include "experiments/record.h"
#include "graph/par.h"
#include "graph/rng.h"

enum {
    PROCESS = 20 << 20, /* program, libraries, graphs, buffers of files: measured */
    SHIFT = 61          /* samples of a random batch differ by where they begin */
};

/* ---- data ---- */

static const char *first_message(cak_arena *a, const cak_diag *d)
{
    return cak_arena_text(a, cak_diag_errors(d) ? cak_diag_message(d, 0) : "unknown reason");
}

static cak_loader_info copy_info(cak_arena *a, const cak_loader_info *from)
{
    cak_loader_info to = *from;
    to.name = cak_arena_text(a, from->name);
    for (int i = 0; i < from->n_ports; i++) to.port[i].name = cak_arena_text(a, from->port[i].name);
    return to;
}

cak_data_cost cak_data_measure(cak_arena *a, const cak_sweep *s, const cak_point *p, const char *cache,
                               cak_progress_mode progress)
{
    cak_data_cost out = { 0 };
    cak_diag *quiet = cak_diag_open();
    cak_config *c = cak_point_compose(quiet, s, p);
    cak_experiment *x = c ? cak_experiment_open(c) : NULL;
    cak_data_options o = { .cache_dir = cache, .progress = progress };
    cak_data *data = x && !cak_diag_errors(quiet) ? cak_data_open(quiet, x->data, x->base_dir, x->seed, &o) : NULL;
    if (data) out.loader = copy_info(a, &data->info);
    else out.failure = first_message(a, quiet);
    cak_data_close(data);
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    cak_diag_close(quiet);
    return out;
}

/* ---- sizes ---- */

static double checkpoint_bytes(const cak_experiment *x)
{
    double numbers = 0;
    for (int i = 0; i < x->n_params; i++) numbers += (double)x->param[i].n;
    for (int i = 0; i < x->n_phases; i++) {
        const cak_phase *p = &x->phase[i];
        int moments = p->adam.attr.betas.v[0] > 0 ? 2 : 1; /* without momentum there is no first one */
        for (int k = 0; k < p->n_params; k++) numbers += moments * (double)x->param[p->param[k]].n;
    }
    return numbers * (double)sizeof(real) + 16384; /* names and counters */
}

static double memory_bytes(const cak_experiment *x)
{
    double params = 0, batch = cak_experiment_streams(x) ? 0 : (double)cak_experiment_batch_bytes(x);
    for (int i = 0; i < x->n_params; i++) params += (double)x->param[i].n;
    return PROCESS + (double)x->slab_bytes + 3 * params * (double)sizeof(real) + batch;
}

/* A number takes some 14 characters beside its name. */
static double record_bytes(const cak_fields *f)
{
    double bytes = 90;
    for (int i = 0; i < f->n; i++) bytes += (double)strlen(f->field[i].name) + 18;
    return bytes;
}

/* ---- time ---- */

typedef struct noise { /* rows of random numbers for a port */
    real *value;
    size_t bytes;
} noise;

static bool read_noise(void *ctx, int64_t sample, real *row)
{
    const noise *n = ctx;
    memcpy(row, n->value + sample % SHIFT, n->bytes);
    return true;
}

static void bind_noise(cak_experiment *x)
{
    for (int port = 0; port < x->loader.n_ports; port++) {
        int64_t size = cak_shape_size(&x->loader.port[port].shape);
        noise *n = cak_arena_alloc(x->arena, sizeof *n);
        *n = (noise){ cak_arena_alloc(x->arena, (size_t)(size + SHIFT) * sizeof(real)), (size_t)size * sizeof(real) };
        for (int64_t i = 0; i < size + SHIFT; i++) n->value[i] = (real)cak_rng_uniform(0, (uint64_t)port, 0, (uint64_t)i);
        cak_row_reader reader = { .read = read_noise, .ctx = n };
        for (int i = 0; i < x->n_phases; i++) cak_exec_bind_rows(x->phase[i].step[0].exec, x->port_name[port], &reader);
    }
}

/* The fastest of a few runs; a long one is run once. */
static double step_seconds(const cak_step *s, uint64_t seed)
{
    double best = INFINITY, spent = 0;
    for (int i = 0; i == 0 || (i < 8 && spent < 0.3); i++) {
        double from = cak_seconds();
        if (!cak_exec_run(s->exec, &(cak_clock){ seed, (uint64_t)i })) return -1;
        double took = cak_seconds() - from;
        spent += took;
        if (took < best) best = took;
    }
    return best;
}

static double batch_seconds(cak_experiment *x)
{
    double seconds = 0;
    real *const no_port[CAK_MAX_OUT] = { 0 };
    x->init_from = NULL;
    if (!cak_experiment_ready(x, no_port)) return -1;
    bind_noise(x);
    for (int i = 0; i < x->n_phases; i++) seconds += (double)x->phase[i].repeat * step_seconds(&x->phase[i].step[0], x->seed);
    return seconds;
}

static double batch_work(const cak_experiment *x, int which)
{
    double work = 0;
    for (int i = 0; i < x->n_phases; i++)
        work += (double)x->phase[i].repeat * cak_program_work(x->phase[i].step[which].program, x->batch[which], 0);
    return work;
}

cak_program_cost cak_program_measure(const cak_sweep *s, const cak_point *p, const cak_loader_info *loader, bool run)
{
    cak_program_cost out = { .seconds = -1 };
    cak_diag *quiet = cak_diag_open();
    cak_config *c = cak_point_compose(quiet, s, p);
    cak_experiment *x = c ? cak_experiment_open(c) : NULL;
    if (x && cak_experiment_build(x, loader)) {
        cak_record r;
        cak_record_open(&r, x);
        out.planned = true;
        out.memory = memory_bytes(x);
        out.checkpoint = checkpoint_bytes(x);
        out.step_log = record_bytes(&r.step_fields);
        out.epoch_log = 3 * record_bytes(&r.epoch_fields); /* metrics.jsonl, metrics.csv, log.txt */
        out.work = batch_work(x, 0);
        out.rest = x->batch[1] ? batch_work(x, 1) / out.work : 0;
        if (run) out.seconds = batch_seconds(x);
    }
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    cak_diag_close(quiet);
    return out;
}
