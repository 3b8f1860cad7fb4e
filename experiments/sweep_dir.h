/* A sweep directory: the plan, and what became of each point. Everything is plain files; states are derived each time they are asked for.
**
**   sweeps/<name>/  sweep.yaml           the sweep file, with the absolute path of its base
**                   plan.jsonl           a point per line, written before the first run: {"id", "config_hash", "overrides": {key: text}}
**                   plan.txt             the same for readers, with the cost
**                   claims/<id>.lock     flock held by whoever runs the point: process and child; the kernel lets go of it with the last
**                   attempts/<id>.jsonl  a line per attempt that ended: {"exit", "signal", "reason", "started", "ended", "stopped_early"}
**                   logs/<id>.txt        what the point's processes wrote to stderr
**                   runs/<id>/           the run directory
**                   summary.csv          a row per point, derived: overrides, state, counts, metrics; equal sweeps give equal bytes
**                   slurm/               job script and logs */
#ifndef CAK_SWEEP_DIR_H
#define CAK_SWEEP_DIR_H

#include "experiments/run_list.h"
#include "experiments/sweep.h"

typedef struct cak_sweep_dir {
    cak_arena *arena;
    const char *dir;
    cak_sweep *sweep;         /* read from DIR/sweep.yaml; its points are those of plan.jsonl */
    const char **config_hash; /* by point: digest of the resolved configuration when the plan was made */
} cak_sweep_dir;

/* Make DIR, or extend the plan that is there: points that it has stay (E5002 when their configuration is another one now), new ones are
** added. Takes DIR/sweep.lock meanwhile. NULL after an error; nothing is left of a directory that was new. */
cak_sweep_dir *cak_sweep_dir_make(cak_diag *d, const char *dir, cak_sweep *s, const char *const *config_hash);
cak_sweep_dir *cak_sweep_dir_open(cak_diag *d, const char *dir); /* E5003 when DIR is no sweep directory */
void cak_sweep_dir_close(cak_sweep_dir *s);

typedef enum cak_point_state {
    CAK_POINT_WAITING, /* nothing was started yet */
    CAK_POINT_RUNNING, /* somebody holds the claim */
    CAK_POINT_FINISHED,
    CAK_POINT_DIVERGED,    /* a result, too */
    CAK_POINT_STOPPED,     /* early, by hyperband */
    CAK_POINT_INTERRUPTED, /* stopped on purpose with a checkpoint (exit 75); goes on when the sweep does */
    CAK_POINT_KILLED,      /* by a signal, or its machine went down; goes on from its last checkpoint */
    CAK_POINT_FAILED,      /* ended with an error of its own: data, disk, memory, bug */
    CAK_POINT_STATES
} cak_point_state;
const char *cak_point_state_name(cak_point_state s);

typedef struct cak_point_status {
    cak_point_state state;
    const char *reason;      /* "exit code 4: no usable audio file ...", "signal 9 (Killed)"; NULL when there is nothing to say */
    int attempts;            /* that ended */
    int exit_code;           /* of the last attempt, -1: none or a signal */
    const cak_run_info *run; /* NULL: there is no run directory */
} cak_point_status;
bool cak_point_look(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, int point, cak_point_status *out);

bool cak_sweep_write_summary(cak_diag *d, const cak_sweep_dir *s);

const char *cak_point_path(cak_arena *a, const cak_sweep_dir *s, int point,
                           const char *kind); /* "runs", "logs", "claims", "attempts" */

#endif
