/* A process that runs a point: this program itself, as `cak train` or `cak resume`. */
#ifndef CAK_SWEEP_CHILD_H
#define CAK_SWEEP_CHILD_H

#include <sys/types.h>

#include "experiments/sweep_attempt.h"

typedef struct cak_child_spec {
    int point, attempt; /* attempt: its number, for the log */
    bool resume;        /* the run directory is there */
    int threads;
    const char *cache; /* or NULL */
    int claim;         /* is inherited: nobody starts the point again while the child lives, whatever becomes of its launcher */
} cak_child_spec;

typedef struct cak_child {
    pid_t pid;
    const char *log;   /* path */
    uint64_t log_from; /* where the words of this attempt begin */
    int64_t started;   /* seconds since 1970 */
} cak_child;

/* The child gets SIGTERM when the launcher dies, has its own process group, and writes stderr to the log of the point. Memory of `a`. */
bool cak_child_start(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, const cak_child_spec *spec, cak_child *out);
/* What became of a child that waitpid() gave this status of: exit code or signal, times, and its last error message as the reason. */
cak_attempt cak_child_ended(cak_arena *a, const cak_child *c, int status);

#endif
