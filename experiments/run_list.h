/* Finding and describing run directories from outside: nothing here takes a lock or changes a file. */
#ifndef EXPERIMENTS_RUN_LIST_H
#define EXPERIMENTS_RUN_LIST_H

#include "experiments/metrics.h"
#include "experiments/rundir.h"
#include "graph/safetensors.h"

typedef struct cak_run_file {
    const char *name; /* relative to the run directory */
    uint64_t size;
} cak_run_file;

typedef struct cak_run_streams { /* digests of what went in; runs with equal ones are paired */
    const char *batches;         /* order and contents of all batches; NULL: the run does not say */
    const cak_pair *init;        /* initial values by parameter, sorted by name */
    int n_init;
} cak_run_streams;

typedef struct cak_run_info {
    const char *dir, *id, *name, *config_hash;
    cak_run_state state; /* CAK_RUN_CRASHED is found out here */
    int holder;          /* process that holds the lock, 0 when nobody does */
    uint64_t seed;
    int64_t created;              /* seconds since 1970 */
    const char *json;             /* the whole run.json */
    uint64_t size;                /* bytes of all files */
    int64_t epochs, steps;        /* completed */
    int64_t diverged_step;        /* -1: it did not */
    int exit_code;                /* -1: the run has not ended */
    const char *parent;           /* sweep and point that the run belongs to, or NULL */
    const char *const *overrides; /* "hp.lr=1e-4", as typed */
    int n_overrides;
    cak_run_streams streams;
    const cak_metrics_table *last; /* newest epoch record: one row or none */
} cak_run_info;

/* E4011 when dir is no run directory, E4002 when a file of it is unreadable. */
cak_run_info *cak_run_describe(cak_arena *a, cak_diag *d, const char *dir);
/* Lines of overrides.txt, *n of them; a run may have none. NULL after E4002. */
const char *const *cak_run_overrides(cak_arena *a, cak_diag *d, const char *dir, int *n);
/* Directory of the run that a user means: a run directory, or the id of one run below ./runs; NULL after E4011. */
const char *cak_run_locate(cak_arena *a, cak_diag *d, const char *word);
/* Run directories at or below `root`, sorted by path; symbolic links are not followed. */
const char *const *cak_run_find(cak_arena *a, cak_diag *d, const char *root, int *n);
/* Regular files below a directory, sorted by name. */
const cak_run_file *cak_run_files(cak_arena *a, cak_diag *d, const char *dir, int *n);

struct json_t;
/* run.json with dir, derived state, size, completed epochs and steps, metrics of the last epoch. */
struct json_t *cak_run_json(const cak_run_info *r);

#endif
