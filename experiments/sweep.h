/* A sweep: one experiment trained with many sets of overrides. The file uses the words of W&B sweeps.
**
**   name: lr                                       method: grid | random | sobol
**   base: ../quickstart.yaml                       parameters: {hp.lr: {values: [1e-4, 1e-3]}, seed: {range: [0, 4]}}
**   pair_by: [seed]    metric: {name: violations, goal: minimize}    run_cap: 100    early_terminate: {type: hyperband, min_iter: 3}
**   on_failure: {max_retries: 1, fail_fast: 5}     keep: {checkpoints: last, diverged: snapshot}
**   launcher: {type: local, jobs: 2, threads_per_job: 1}
**
** A point is one set of overrides. Its id is a digest of them (sorted by key, values as written), so points that are added later are new
** and those that were there are the same. */
#ifndef CAK_SWEEPS_H
#define CAK_SWEEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/config.h"

enum { CAK_POINT_ID = 17 }; /* 16 hex digits and the end */

typedef struct cak_point {
    char id[CAK_POINT_ID];
    const char **value; /* by parameter: the text after "key="; YAML flow text */
} cak_point;

typedef enum cak_sweep_method { CAK_SWEEP_GRID, CAK_SWEEP_RANDOM, CAK_SWEEP_SOBOL } cak_sweep_method;
typedef enum cak_launcher_type { CAK_LAUNCH_LOCAL, CAK_LAUNCH_SLURM } cak_launcher_type;
typedef enum cak_keep_checkpoints { CAK_KEEP_ALL, CAK_KEEP_LAST, CAK_KEEP_NONE } cak_keep_checkpoints;

typedef struct cak_hyperband { /* early termination, W&B's asynchronous form; min_iter 0: there is none */
    int64_t min_iter;          /* epochs before the first decision */
    double eta;                /* one in eta goes on; decisions at min_iter, min_iter eta, min_iter eta^2 ... */
} cak_hyperband;

typedef struct cak_launcher {
    cak_launcher_type type;
    int64_t jobs, threads_per_job; /* 0: as many as the machine has (jobs x threads within it) */
    int64_t array_limit;           /* slurm: tasks at a time, 0: no limit */
    const char **sbatch;           /* slurm: "--key=value" lines */
    int n_sbatch;
} cak_launcher;

typedef struct cak_sweep {
    cak_arena *arena;
    const char *path;               /* of the file */
    const char *text;               /* the file, complete in itself: with name and absolute base */
    const char *name, *description; /* name: of the file without suffix when it gives none */
    const char *base;               /* path of the configuration, absolute */
    cak_sweep_method method;
    uint64_t seed;      /* of random draws */
    const char *metric; /* an epoch metric, NULL: none */
    cak_pos metric_at;
    bool maximize;
    const char **key; /* parameters in the order of the file: "hp.lr", "model", "seed" */
    cak_pos *key_at;
    int n_keys;
    const char **pair_by; /* keys whose values vary slowest: an interrupted sweep holds whole pairs */
    int n_pair_by;
    cak_point *point;
    int n_points;
    cak_hyperband early;
    int64_t max_retries, fail_fast; /* of points that were killed or crashed; stop after so many failed points, 0: never */
    cak_keep_checkpoints keep;
    bool keep_snapshot; /* of diverged runs */
    cak_launcher launcher;
} cak_sweep;

/* Read and expand; NULL after recording every error. run_cap 0: what the file says. */
cak_sweep *cak_sweep_load(cak_diag *d, const char *path, int64_t run_cap);
/* The sweep that `cak train -m CONFIG key=a,b key=range(0,5)` means (Hydra's multirun: a grid). */
cak_sweep *cak_sweep_multirun(cak_diag *d, const char *config, const char *const *override, int n);
void cak_sweep_close(cak_sweep *s);
bool cak_sweep_is(const char *path); /* a sweep file, not a configuration? */

/* "hp.lr=1e-4", "seed=0": what the point adds to the configuration, in the order of the parameters; memory of `a`. */
const char **cak_point_overrides(cak_arena *a, const cak_sweep *s, const cak_point *p);

#endif
