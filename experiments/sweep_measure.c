/* What one program of a sweep costs: planned, and run for a moment. */
#include "experiments/sweep_measure.h"

#include <math.h>
#include <string.h>

#include "experiments/prepare.h"
#include "experiments/record.h"
#include "graph/par.h"

enum { PROCESS = 16 << 20 }; /* bytes of program, libraries, graphs and buffers of files: measured */

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

typedef struct port_rows { /* a port of the loader, read as a step wants its rows */
    const cak_data *data;
    cak_diag *d;
    int port;
} port_rows;

static bool read_row(void *ctx, int64_t sample, real *row)
{
    const port_rows *p = ctx;
    return p->data->ops->read_row(p->data->loader, p->d, p->port, sample, row);
}

static bool same_row(const void *ctx, const void *other, int64_t sample)
{
    const port_rows *p = ctx, *q = other;
    return p->data->ops->same_row && p->data->ops->same_row(p->data->loader, p->port, q->port, sample);
}

/* The first batch of the data: in memory, or read by slices, as in training. */
static bool bind_batch(cak_experiment *x, const cak_data *data, real **port)
{
    bool ok = true, streams = cak_experiment_streams(x);
    if (data->ops->open_batch) data->ops->open_batch(data->loader, 0, 0);
    for (int k = 0; k < x->loader.n_ports; k++) {
        int64_t size = cak_shape_size(&x->loader.port[k].shape);
        port_rows *p = cak_arena_alloc(x->arena, sizeof *p);
        *p = (port_rows){ data, x->diag, k };
        cak_row_reader reader = { read_row, same_row, p };
        for (int64_t i = 0; i < x->batch[0] && !streams; i++) ok = read_row(p, i, port[k] + i * size) && ok;
        for (int i = 0; i < x->n_phases && streams; i++) cak_exec_bind_rows(x->phase[i].step[0].exec, x->port_name[k], &reader);
    }
    return ok;
}

/* The fastest of a few runs; a long one is run once. */
static double step_seconds(const cak_step *s, uint64_t seed)
{
    double best = INFINITY, spent = 0;
    for (int i = 0; i == 0 || (i < 8 && spent < 0.3); i++) {
        double from = cak_seconds();
        cak_exec_run(s->exec, &(cak_clock){ seed, (uint64_t)i });
        double took = cak_seconds() - from;
        spent += took;
        if (took < best) best = took;
    }
    return best;
}

static double batch_seconds(cak_experiment *x, const char *cache)
{
    double seconds = 0;
    real *port[CAK_MAX_OUT] = { 0 };
    cak_data_options o = { .cache_dir = cache, .progress = CAK_PROGRESS_NONE };
    cak_data *data = cak_data_open(x->diag, x->data, x->base_dir, x->seed, &o);
    for (int k = 0; k < x->loader.n_ports && !cak_experiment_streams(x); k++)
        port[k] = cak_arena_alloc(x->arena, (size_t)(x->batch[0] * cak_shape_size(&x->loader.port[k].shape)) * sizeof(real));
    x->init_from = NULL; /* the time does not depend on values */
    bool ready = data && cak_experiment_ready(x, port) && bind_batch(x, data, port);
    for (int i = 0; i < x->n_phases && ready; i++)
        seconds += (double)x->phase[i].repeat * step_seconds(&x->phase[i].step[0], x->seed);
    cak_data_close(data);
    return ready ? seconds : -1;
}

static double batch_work(const cak_experiment *x, int which)
{
    double work = 0;
    for (int i = 0; i < x->n_phases; i++)
        work += (double)x->phase[i].repeat * cak_program_work(x->phase[i].step[which].program, x->batch[which], 0);
    return work;
}

cak_program_cost cak_program_measure(const cak_sweep *s, const cak_point *p, const cak_loader_info *loader, bool run,
                                     const char *cache)
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
        if (run) out.seconds = batch_seconds(x, cache);
    }
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    cak_diag_close(quiet);
    return out;
}
