/* What differs between two runs, two configuration files, or a run and a file. */
#ifndef EXPERIMENTS_DIFF_H
#define EXPERIMENTS_DIFF_H

#include "experiments/run_set.h"

typedef struct cak_difference {
    const char *section, *key; /* "config", "hp.lr" */
    const char *a, *b;         /* NULL: there is none */
} cak_difference;

typedef struct cak_differences {
    const char *a, *b; /* run directories or files */
    cak_difference *item;
    int n, cap;
    const char **same; /* sections in which nothing differs and that both sides have */
    int n_same, same_keys;
} cak_differences;

/* NULL after an error. A word is a configuration file, a run directory, or the id of a run below ./runs. */
cak_differences *cak_differences_find(cak_arena *a, cak_diag *d, const char *word_a, const char *word_b);

#endif
