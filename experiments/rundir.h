/* Run directories: a run owns one directory, holds its lock, and keeps its state and provenance in run.json.
**
**   runs/<name>/<YYYYMMDD-HHMMSS-sSEED-HASH>/   run.json run.lock config.yaml overrides.txt origins.tsv config.src/ metrics.jsonl
**                                               metrics.csv log.txt ckpt/ snapshot/ ...
**
** States: created -> running -> finished | diverged | failed | interrupted, and back to running when a run is resumed. `crashed` is
** never written: it is what a run is called that says running while nobody holds run.lock. run.json is always replaced atomically. */
#ifndef EXPERIMENTS_RUNDIR_H
#define EXPERIMENTS_RUNDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/arena.h"
#include "graph/diag.h"

typedef enum cak_run_state {
    CAK_RUN_CREATED,
    CAK_RUN_RUNNING,
    CAK_RUN_FINISHED,
    CAK_RUN_DIVERGED,
    CAK_RUN_FAILED,
    CAK_RUN_INTERRUPTED,
    CAK_RUN_CRASHED, /* derived, only seen in listings */
    CAK_RUN_STATES
} cak_run_state;
const char *cak_run_state_name(cak_run_state state); /* "created" ... */

typedef struct cak_run_spec { /* a new run */
    const char *root;         /* "runs"; ignored when dir is given */
    const char *dir;          /* --run-dir: absent or an empty directory; NULL: root/name/id */
    const char *name;
    uint64_t seed;
    const char *config_digest; /* 32 hex digits */
    int argc;
    char *const *argv;
    int threads;
    const char *parent; /* sweep and point that the run belongs to, or NULL */
} cak_run_spec;

struct json_t;
typedef struct cak_run {
    const char *dir, *id, *name;
    cak_run_state state; /* as found in run.json when opened */
    cak_arena *arena;
    struct json_t *doc; /* contents of run.json */
    int lock;
    double wall, cpu; /* clocks when the run was started, s */
} cak_run;

/* Make the directory, take the lock, write run.json in state `created`. NULL after recording the error (nothing is left behind). */
cak_run *cak_run_create(cak_diag *d, const cak_run_spec *spec);
/* Open an existing run to go on with it: takes the lock, removes temporary files of a killed writer, refuses symbolic links.
** The caller looks at run->state. E4011 no run directory, E4004 in use. */
cak_run *cak_run_open(cak_diag *d, const char *dir);
/* Look at a run from outside: no lock, nothing is changed; only reading functions may follow. state may be CAK_RUN_CRASHED. */
cak_run *cak_run_peek(cak_diag *d, const char *dir);
void cak_run_close(cak_run *run); /* releases the lock; the state stays what it is; NULL is fine */

const char *cak_run_path(const cak_run *run, const char *name); /* dir/name, in the run's arena */
/* Whole file below the directory, atomically. Folders in `name` ("config.src/base.yaml") are made. */
bool cak_run_write(cak_diag *d, cak_run *run, const char *name, const char *text);

/* Fields of run.json that are known later ("graph_hash", "data_hash"); written with the next change of state. */
void cak_run_put_text(cak_run *run, const char *key, const char *value);
void cak_run_put_json(cak_run *run, const char *key, struct json_t *value); /* takes the value over */
void cak_run_put_int(cak_run *run, const char *key, int64_t value);
const char *cak_run_text(const cak_run *run, const char *key); /* top-level string of run.json, NULL when absent */

bool cak_run_start(cak_diag *d, cak_run *run); /* -> running */

typedef struct cak_run_diverged { /* where the first non-finite value was met; strings may be NULL */
    uint64_t step, epoch;
    const char *phase, *term; /* "critic", "gp" */
    double value;
    const char *node, *origin; /* first node with a non-finite value; "file:line" it was written at */
} cak_run_diverged;
typedef struct cak_run_end {
    cak_run_state state; /* finished, diverged, failed or interrupted */
    int exit_code;
    const cak_run_diverged *diverged; /* NULL unless diverged */
} cak_run_end;
bool cak_run_finish(cak_diag *d, cak_run *run, const cak_run_end *end);

#endif
