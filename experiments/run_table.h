/* Runs as a table for readers: a row per run, the same columns in all of them. */
#ifndef EXPERIMENTS_RUN_TABLE_H
#define EXPERIMENTS_RUN_TABLE_H

#include "experiments/run_set.h"

/* Path, state, completed epochs and steps, age, size, overrides of points of a sweep, headline metrics of the last epoch: the sweep's own
** first. No line is wider than `width` (0: no limit): metrics, size and age are left out, paths and overrides cut. */
const char *cak_run_table(cak_arena *a, const cak_run_set *s, int width);

#endif
