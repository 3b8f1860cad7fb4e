/* Many runs and the values that describe them: configuration, overrides, state, metrics of the last epoch.
**
** Values of a run by key: the flattened config.yaml ("train.phases.critic.optimizer.lr"; lists are one value), and what the resolved file does
** not hold any more (hp.lr, model), from overrides and sources. A point of a sweep that failed before it had a run directory is a member, too. */
#ifndef EXPERIMENTS_RUN_SET_H
#define EXPERIMENTS_RUN_SET_H

#include "experiments/run_list.h"
#include "experiments/where.h"

typedef struct cak_names { /* a list of words */
    const char *const *name;
    int n;
} cak_names;
cak_names cak_names_split(cak_arena *a, const char *text); /* at commas; NULL is an empty list */
bool cak_names_have(cak_names list, const char *name);

typedef enum cak_outcome { /* what a run says about divergence and metrics */
                           CAK_OUTCOME_FINISHED,
                           CAK_OUTCOME_DIVERGED,
                           CAK_OUTCOME_STOPPED,    /* early, by the sweep */
                           CAK_OUTCOME_RUNNING,    /* counts with what it has so far */
                           CAK_OUTCOME_INCOMPLETE, /* failed, killed or interrupted: it says nothing */
                           CAK_OUTCOMES
} cak_outcome;

typedef struct cak_member {
    const char *label;        /* directory of the run; "point ID of DIR" where there is none */
    const char *full;         /* the directory without links and dots; NULL: there is none */
    const cak_run_info *info; /* NULL: there is no run directory */
    cak_outcome outcome;
    const char *state;
    int sweep;         /* number of the sweep that it is a point of, from 1; 0: none */
    const char *point; /* overrides that tell it from other points, "hp.lr=1e-4 seed=0"; NULL: it is none */
    bool configured;   /* config.yaml is known */
    cak_setting *value;
    int n_values; /* by key; keys beyond have no value */
} cak_member;

typedef struct cak_set_key {
    const char *name;
    bool config;    /* a value of a resolved configuration */
    bool source;    /* of the sources alone: hp, options of `defaults` */
    int overridden; /* 0: by no run; else its place among the keys that are, from 1 */
} cak_set_key;

typedef struct cak_run_set {
    cak_arena *arena;
    cak_member *run;
    int n, cap;
    cak_set_key *key;
    int n_keys, cap_keys, n_overridden;
    struct cak_opened_sweep *sweep; /* every sweep that a member belongs to */
    int n_sweeps, cap_sweeps;
    bool plain;  /* configurations are not read: states and metrics are all there is */
    int waiting; /* points of sweeps that nobody has started */
} cak_run_set;

cak_run_set *cak_run_set_open(cak_arena *a);
void cak_run_set_close(cak_run_set *s);

/* Add what a word means: a sweep directory (with its points), a directory with runs below, a run directory, the id of a run below ./runs.
** Runs that are there already are not added again; those that cannot be read are left out with a warning. */
bool cak_run_set_add(cak_run_set *s, cak_diag *d, const char *word);
bool cak_run_set_add_below(cak_run_set *s, cak_diag *d, const char *dir); /* runs at or below a directory */
struct cak_sweep;
const struct cak_sweep *cak_member_sweep(const cak_run_set *s, const cak_member *r); /* NULL: it is no point */
/* The one sweep that all members are points of, or NULL. */
const struct cak_sweep *cak_run_set_sweep(const cak_run_set *s);

/* Keep the runs that the expression holds for. E5001 when it is wrong. */
bool cak_run_set_filter(cak_run_set *s, cak_diag *d, const char *option, const char *expression);

/* Order by the value of a key, "-KEY" for the largest first: numbers, then texts, then runs without it; equal runs keep their order. */
bool cak_run_set_sort(cak_run_set *s, cak_diag *d, const char *option, const char *key);

/* Value of a run: "state", "name", "seed", "id", "dir", "epoch", "step", "created" ..., a key, "metrics.NAME" or NAME. */
cak_setting cak_run_set_value(const cak_run_set *s, const cak_member *r, const char *key);
int cak_run_set_key(const cak_run_set *s, const char *name);                      /* -1: no run has it */
cak_setting cak_run_set_at(const cak_run_set *s, int run, int key);               /* of a key by number */
const char *cak_run_set_any(const cak_run_set *s, int key);                       /* of the first run that has one */
const char *const *cak_run_set_names(cak_arena *a, const cak_run_set *s, int *n); /* all that cak_run_set_value knows */
/* E5001 with a suggestion when no run has the key. */
bool cak_run_set_knows(const cak_run_set *s, cak_diag *d, const char *option, const char *key);

/* Metrics of the last epochs in order of first appearance; with places left out, or headlines only. */
cak_names cak_run_set_metrics(const cak_run_set *s, bool headlines);
/* Epoch metrics without a dot, `wall` and places: what tables show unasked. */
bool cak_is_headline(const char *metric);
double cak_member_metric(const cak_member *r, const char *name); /* of the last epoch; NaN when there is none */
const char *cak_metric_text(cak_arena *a, double v);             /* "0.25", "nan", "inf" */

/* ---- for those who add members ---- */

cak_member *cak_run_set_append(cak_run_set *s, const char *label, const cak_run_info *info);
cak_set_key *cak_run_set_put(cak_run_set *s, cak_member *r, const char *key, const char *value);
void cak_run_set_override(cak_run_set *s, cak_member *r, const char *key, const char *value);
struct cak_yaml;
void cak_run_set_flatten(cak_run_set *s, cak_member *r, const struct cak_yaml *root); /* values of a configuration */
void cak_run_set_sources(cak_run_set *s, cak_member *r); /* run_set_source.c: hp and options of `defaults` from config.src */
/* Values of config.yaml, config.src and overrides.txt of the run. False: config.yaml is there and cannot be read. */
bool cak_run_set_describe(cak_run_set *s, cak_diag *d, cak_member *r);

/* ---- sweeps (run_set_sweep.c) ---- */

bool cak_is_sweep(const char *dir);
bool cak_run_set_add_sweep(cak_run_set *s, cak_diag *d, const char *dir);
/* A run that is a point of a sweep takes its state from there: it may have been stopped early. A sweep that cannot be read is a warning. */
void cak_run_set_ask_sweep(cak_run_set *s, cak_diag *d, cak_member *r);
void cak_run_set_close_sweeps(cak_run_set *s);

#endif
