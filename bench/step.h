/* A training step of an experiment on a batch of made or given samples. */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "bench/bench.h"
#include "experiments/experiment.h"

typedef struct bench_plan {
    const char *phase; /* NULL: a whole batch, every phase as often as the experiment says */
    int64_t batch, h, w;
    int64_t every; /* every so many-th sample is an identity: target = input, control 0; 0: none */
} bench_plan;

typedef struct bench_step {
    const bench_plan *p;
    cak_diag *diag;
    cak_config *config;
    cak_experiment *x;
    cak_loader_info loader;
    real *port[CAK_MAX_OUT];
    const real **grad;
    const cak_phase *last; /* that ran */
    uint64_t draw;
} bench_step;

extern const char *const bench_phases[]; /* of the experiment, with NULL at the end */

bool bench_step_build(bench_step *s, const bench_options *o,
                      cak_arena *a); /* graphs and plans; false after messages in s->diag */
bool bench_step_ready(bench_step *s, const bench_options *o, cak_arena *a); /* ... memory, weights and batch, after build */
void bench_step_run(bench_step *s);
void bench_step_close(bench_step *s); /* after a failure too */

bool bench_step_runs(const bench_plan *p, const cak_phase *phase);
int64_t bench_identities(const bench_plan *p); /* in the batch */
/* Operations of one phase, once: as executed with the batch that is ready, and as PyTorch executes them (0 for an experiment without the critic of the audit game). */
double bench_step_executed(const bench_step *s, const cak_phase *phase);
double bench_step_torch(const bench_step *s, const cak_phase *phase);

#endif
