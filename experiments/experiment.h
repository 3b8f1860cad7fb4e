/* An experiment: everything that a configuration declares, as structs, graphs and plans. No data are read here and nothing is run. */
#ifndef CAK_EXPERIMENT_H
#define CAK_EXPERIMENT_H

#include "experiments/optim.h"
#include "graph/build.h"
#include "graph/exec.h"
#include "graph/stage.h"

typedef struct cak_schedule { /* a number that changes with the epoch; the graph sees it as schedules.<name> */
    const char *name, *input;
    cak_pos at;
    double from, to, over; /* from + (to - from) min(1, epoch / over) */
    real value;
} cak_schedule;

typedef struct cak_parameter {
    const char *name;
    cak_shape shape;
    int64_t n;
    real *value;
    cak_init init;
} cak_parameter;

typedef struct cak_term {
    const char *name, *expr;
    cak_pos at;
    double weight;
} cak_term;
typedef struct cak_loss {
    const char *name;
    cak_pos at;
    cak_term *term;
    int n;
} cak_loss; /* sum of weight * term */
typedef struct cak_quantity {
    const char *name, *expr;
    cak_pos at;
} cak_quantity; /* a metric and what it measures */

typedef struct cak_step {   /* one phase for one batch size: forward, backward */
    const cak_graph *built; /* before the passes: what all phases share */
    cak_ref *built_out;     /* out[] there */
    const cak_graph *graph; /* after the passes */
    const cak_program *program;
    cak_exec *exec;
    cak_ref total, *term, *metric, *grad;
    int n_out;
    cak_ref *out; /* total, terms, metrics, gradients, with their names */
    const char **out_name;
} cak_step;

typedef struct cak_phase {
    const char *name;
    cak_pos at;
    int64_t repeat;
    const cak_loss *loss;
    cak_quantity *metric;
    int n_metrics;
    const char **update; /* modules or parameters, as written */
    cak_pos *update_at;
    int n_update;
    int *param, n_params; /* what they mean: indices of parameters */
    cak_adam adam;
    cak_step step[2]; /* for a full batch and for the shorter last one */
} cak_phase;

typedef struct cak_train_attr {
    int64_t epochs, max_steps;
    double abs_loss;
    int32_t nonfinite; /* 0: stop, 1: ignore */
    int64_t every_epochs, every_steps, keep;
} cak_train_attr;

/* How the engine computes: results differ by rounding only. Under `reference` the others are off. */
typedef struct cak_engine_attr {
    bool slices, fusion, layout, algebra, reference;
} cak_engine_attr;

/* What a run writes beside its metrics; no part of what it is. */
typedef struct cak_log_attr {
    bool tensorboard;
    int64_t tensorboard_steps; /* metrics of every so many steps, too; 0: of epochs only */
} cak_log_attr;

typedef struct cak_experiment {
    cak_config *config;
    cak_diag *diag;
    cak_arena *arena;
    const char *name, *init_from, *base_dir; /* base_dir: directory of the configuration, for relative paths */
    cak_pos init_from_at;
    uint64_t seed;
    cak_train_attr train;
    cak_engine_attr engine;
    cak_log_attr log;
    cak_yaml *data, *modules, *nodes;
    cak_schedule *schedule;
    int n_schedules;
    cak_loss *loss;
    int n_losses;
    cak_phase *phase;
    int n_phases;
    cak_quantity *epoch_metric; /* one-element parameters, recorded at the end of an epoch */
    int n_epoch_metrics;
    cak_parameter *param;
    int n_params;
    cak_loader_info loader;
    const char **port_name; /* "batch.input" ... */
    int64_t batch[2];       /* samples of a full and of the last batch (0: there is none) */
    cak_graph **graphs;     /* kept until close: programs point into them */
    int n_graphs;
    size_t slab_bytes; /* of the largest program, with scratch */
    void *slab;
} cak_experiment;

/* Read every section; all errors are recorded. NULL after an error. */
cak_experiment *cak_experiment_open(cak_config *c);
/* Build graphs, gradients and plans for the batches that the loader serves. Reference mode is one of the process (nodes/kernels/naive.h) and
** becomes that of the experiment: what was built in the other mode must not run after. */
bool cak_experiment_build(cak_experiment *x, const cak_loader_info *loader);
bool cak_experiment_graphs(cak_experiment *x, const cak_loader_info *loader); /* the same without plans: all mistakes show */
/* Record the mistakes of graph, losses and phases when the data section has mistakes of its own: `loader` holds stand-ins or no ports, so
** errors that shapes could cause are left out. Builds nothing that can be run. */
void cak_experiment_check(cak_experiment *x, const cak_loader_info *loader);
/* Bytes of a batch; true: it stays where it is, and slices read the rows they need. */
size_t cak_experiment_batch_bytes(const cak_experiment *x);
bool cak_experiment_streams(const cak_experiment *x);
/* Allocate slab and parameters, bind them, draw the initial values, read `init_from`. */
bool cak_experiment_ready(cak_experiment *x, real *const *port);
void cak_experiment_close(cak_experiment *x);

int64_t cak_experiment_batches(const cak_experiment *x);         /* of an epoch */
int64_t cak_experiment_steps(const cak_experiment *x);           /* of the whole run: batches of all epochs, or train.max_steps */
void cak_experiment_schedules(cak_experiment *x, int64_t epoch); /* set every schedule to its value in an epoch */

#endif
