/* Metrics of a run: metrics.jsonl is the log of truth, metrics.csv (one row per epoch) is derived from it.
**
**   {"t":"step","step":812,"epoch":32,"batch":12,"wall":961.002,"c_loss":null,"gp":1.5,"nonfinite":{"c_loss":"+inf"}}
**   {"t":"epoch","epoch":32,"step":800,"wall":948.301,"g_loss":-0.745}
**   {"t":"event","event":"resume","step":800,"wall":948.301,"note":"..."}
**
** A record is one write(2), its fields stand in declared order, numbers read back as the same float (or double). "wall", the seconds
** that the run has lasted, is the only field in which equal runs differ. */
#ifndef EXPERIMENTS_METRICS_H
#define EXPERIMENTS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/arena.h"
#include "graph/diag.h"

typedef struct cak_field {
    const char *name;
    bool exact; /* 17 digits (a double) instead of 9 (a float) */
} cak_field;

typedef struct cak_fields { /* the values of a record, in this order */
    const cak_field *field;
    int n;
} cak_fields;

/* How many records a run has written. These two counters belong in a checkpoint: a resume cuts the log back to them. (A byte offset
** would differ between a resumed and a straight run, whose checkpoints must be equal.) */
typedef struct cak_metrics_count {
    uint64_t steps, epochs;
} cak_metrics_count;

typedef struct cak_metrics cak_metrics;

/* keep NULL: a new log, no file may exist. Otherwise keep exactly that many records (and the events between them), drop the rest, and
** write metrics.csv anew. The names in `step` and `epoch` outlive the metrics. NULL on error. */
cak_metrics *cak_metrics_open(cak_diag *d, const char *dir, cak_fields step, cak_fields epoch, const cak_metrics_count *keep);
void cak_metrics_close(cak_metrics *m);

bool cak_metrics_step(cak_diag *d, cak_metrics *m, uint64_t step, uint64_t epoch, uint64_t batch, double wall,
                      const double *value);
bool cak_metrics_epoch(cak_diag *d, cak_metrics *m, uint64_t epoch, uint64_t step, double wall, const double *value);
bool cak_metrics_event(cak_diag *d, cak_metrics *m, const char *event, uint64_t step, double wall,
                       const char *note); /* note or NULL */

cak_metrics_count cak_metrics_counted(const cak_metrics *m);
bool cak_metrics_sync(cak_diag *d, cak_metrics *m); /* to disk; call before a checkpoint is saved */
/* The last 64 step records, oldest first, one per line: what led to a divergence. */
bool cak_metrics_write_ring(cak_diag *d, const cak_metrics *m, const char *path);

/* ---- reading, for tables and figures ---- */

typedef struct cak_metrics_table { /* all records of one kind */
    const char *const *name;       /* columns in order of first appearance: "step", "epoch", "wall", "g_loss" ... */
    int n_names;
    const double *value; /* [row * n_names + column]; NaN where a record has no such field */
    int n_rows;
} cak_metrics_table;
/* kind: "step" or "epoch". A torn last line is ignored; any other malformed line is E4002. An absent file gives an empty table. */
cak_metrics_table *cak_metrics_read(cak_arena *a, cak_diag *d, const char *dir, const char *kind);
int cak_metrics_column(const cak_metrics_table *t, const char *name); /* -1 when absent */
bool cak_metrics_is_place(const char *name); /* "epoch" or "step": where a record stands, counted from 0 */

/* The newest record of a kind, looked for from the end of the file: a table of one row, or none. */
cak_metrics_table *cak_metrics_last(cak_arena *a, cak_diag *d, const char *dir, const char *kind);

#endif
