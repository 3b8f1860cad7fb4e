/* The script of a job array. */
#ifndef CAK_SLURM_SCRIPT_H
#define CAK_SLURM_SCRIPT_H

#include "experiments/sweep.h"

typedef struct cak_slurm_job {
    const char *dir;        /* of the sweep, absolute */
    const char *program;    /* cak itself, absolute */
    const char *array;      /* task numbers: "0-3", "2,5-7" */
    bool by_index;          /* a task's number is the line of its point in the plan; else it runs the next open point */
    int64_t limit, threads; /* tasks at a time, 0: no limit; threads of each */
    const char *cache;      /* --cache of the runs, NULL: none */
} cak_slurm_job;

/* Lines of #SBATCH and the commands. What launcher.sbatch of the sweep says replaces what is said here. */
const char *cak_slurm_script(cak_arena *a, const cak_sweep *s, const cak_slurm_job *j);

/* Can Slurm be told this path? It takes no backslash in the name of a log, and a line of #SBATCH ends with its line. */
bool cak_slurm_path_ok(const char *path);

#endif
