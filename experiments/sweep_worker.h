/* A launcher on this machine at work: what it knows of the points, and the children that it runs. Shared by the sweep_*.c that run points. */
#ifndef CAK_SWEEP_WORKER_H
#define CAK_SWEEP_WORKER_H

#include "experiments/sweep_brief.h"
#include "experiments/sweep_child.h"
#include "experiments/sweep_run.h"
#include "experiments/hyperband.h"
#include "experiments/sweep_show.h"

typedef struct cak_task { /* what this call knows of a point */
    cak_point_state state;
    const char *refused; /* why it was not even started; NULL: it was not refused */
    bool closed;         /* this call does nothing more about it */
    bool again;          /* failed in this call and has a retry left */
    int64_t retries;
    double not_before; /* on the clock of cak_seconds() */
} cak_task;

typedef struct cak_running {
    int point, claim;
    cak_child child;
    double since;
    int64_t epochs, of_epochs; /* completed; in all, 0: not known */
    char metric[96];           /* "violations=0.2252", "" before the first epoch */
    int judged;                /* decisions of early termination that it has passed */
    const char *why;           /* "not among the best 1/3 after epoch 3": SIGUSR1 was sent; NULL: it was not */
    bool asked;                /* SIGTERM was sent */
} cak_running;

typedef struct cak_worker {
    cak_arena *a;
    cak_diag *d;
    const cak_sweep_dir *s;
    const cak_sweep_options *o;
    cak_brief brief;
    int jobs, threads;
    cak_task *task; /* by point */
    cak_running *running;
    int n_running;
    int only;            /* the one point that may be started, -1: any */
    int failures;        /* points that failed for good in this call */
    int n_durations;     /* of runs that ended in this call ... */
    double durations;    /* ... their sum, s */
    double next_summary; /* not before */
    double not_before;   /* no point is started; the machine had no room for another process */
    bool stopping;       /* a signal came: no new points */
    cak_show show;
} cak_worker;

const char *cak_worker_label(cak_arena *a, const cak_worker *w, int point); /* "3f9a1c0011223344 hp.lr=1e-4 seed=0" */
const char *cak_worker_done(cak_arena *a, const cak_worker *w);             /* "[37/150]": points that have ended */

/* Start the point if it is there to be started; false when it is not, or not now. */
bool cak_worker_try(cak_worker *w, int point);
/* running[i] has ended with a status of waitpid(): record, clean up, let go of the point, forget the child. */
void cak_worker_ended(cak_worker *w, int i, int status);

/* Look at the metrics of the children; stop those that early termination does not let go on. */
void cak_worker_watch(cak_worker *w);
void cak_worker_draw(cak_worker *w); /* the block on a terminal */

#endif
