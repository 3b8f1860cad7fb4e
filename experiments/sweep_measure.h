/* What one program of a sweep costs: planned memory, size of a checkpoint, time of a batch. */
#ifndef CAK_SWEEP_MEASURE_H
#define CAK_SWEEP_MEASURE_H

#include "experiments/progress.h"
#include "experiments/sweep_check.h"

typedef struct cak_data_cost { /* what a `data` section serves */
    cak_loader_info loader;
    const char *failure; /* why it cannot be opened; NULL: it can */
} cak_data_cost;

typedef struct cak_program_cost {
    bool planned;               /* the sizes below are known */
    double memory;              /* bytes of a process that trains it */
    double checkpoint;          /* bytes */
    double step_log, epoch_log; /* bytes that a step, an epoch adds to the logs */
    double work;                /* operations of a full batch */
    double rest;                /* share of a full batch that the last one of an epoch costs */
    double seconds;             /* of a full batch; negative: not measured */
} cak_program_cost;

/* Open the data of a point once: what they serve, and the cache is filled before several runs want to fill it. */
cak_data_cost cak_data_measure(cak_arena *a, const cak_sweep *s, const cak_point *p, const char *cache,
                               cak_progress_mode progress);
/* Plan the program of a point; with `run`, time each phase on the first batch of its data. */
cak_program_cost cak_program_measure(const cak_sweep *s, const cak_point *p, const cak_loader_info *loader, bool run,
                                     const char *cache);

#endif
