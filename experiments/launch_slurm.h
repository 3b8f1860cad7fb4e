/* Sweeps on a Slurm cluster: `cak sweep` submits a job array whose tasks are agents, and ends.
**
**   DIR/slurm/  job.sh           the script that was submitted last
**               jobs.txt         a line per submission: job id, when, for how many points
**               <job>_<task>.log what the tasks wrote
**
** The nodes must see DIR, the program and the configuration under the same paths, and flock() must work between them: local disks and
** NFSv4 do that. */
#ifndef CAK_LAUNCH_SLURM_H
#define CAK_LAUNCH_SLURM_H

#include "experiments/sweep_run.h"

/* Has every point ended, so that there is nothing to submit or to wait for? */
bool cak_slurm_over(const cak_sweep_dir *s, const cak_sweep_options *o);

/* Submit a job array for the open points; E4012 when Slurm does not take it. Returns the exit code. */
int cak_slurm_submit(cak_diag *d, const cak_sweep_dir *s, const cak_sweep_options *o);

/* --dry-run: print the script; s->dir need not exist. */
bool cak_slurm_print(cak_diag *d, const cak_sweep_dir *s, const cak_sweep_options *o);

typedef struct cak_slurm_tasks { /* of all job arrays of a sweep */
    int running, pending;
    const char *unknown; /* why squeue did not tell; NULL: it did, or nothing was submitted yet */
} cak_slurm_tasks;
cak_slurm_tasks cak_slurm_look(cak_arena *a, const cak_sweep_dir *s, double timeout);

#endif
