/* Attempts: how the processes of a point ended, one line each in attempts/<id>.jsonl; and what the files of a point say together. */
#ifndef CAK_SWEEP_ATTEMPT_H
#define CAK_SWEEP_ATTEMPT_H

#include "experiments/sweep_dir.h"

typedef struct cak_attempt {
    int exit_code; /* -1: a signal ended it */
    int signal;    /* 0: none did */
    const char *reason;
    int64_t started, ended; /* seconds since 1970 */
    bool stopped_early;
    int changes; /* of state in run.json by then; when it holds others now, run.json is the newer word */
} cak_attempt;

bool cak_attempt_add(cak_diag *d, const cak_sweep_dir *s, int point, const cak_attempt *t);
/* The number of attempts, and the last one; E4002. A torn last line is ignored. */
bool cak_attempt_last(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, int point, int *n, cak_attempt *last);

/* What the files say, whoever holds the claim: never CAK_POINT_RUNNING unless somebody runs the point by hand. Damaged files are failures
** of the point with a reason. *changes (NULL: not asked for) is the number of changes of state in run.json. */
void cak_point_outcome(cak_arena *a, const cak_sweep_dir *s, int point, cak_point_status *out, int *changes);

#endif
