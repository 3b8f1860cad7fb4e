/* From a graph to numbers: a program is a plan (order, lifetimes, offsets in one slab); an exec is one program with its memory. */
#ifndef CAK_EXEC_H
#define CAK_EXEC_H

#include "graph/graph.h"

typedef struct cak_program cak_program; /* read-only after planning; belongs to an arena */
typedef struct cak_exec cak_exec;

/* Samples for which there is a cheaper way to the same results: all facts hold for them. See graph/special.h. */
typedef struct cak_same_rows {
    cak_ref a, b; /* the row of input a equals that of input b; b none: it is all zero */
} cak_same_rows;
typedef struct cak_special {
    cak_same_rows *fact;
    int n_facts;
    cak_ref *result,
        *instead; /* a sum over samples or a stored value of the graph, and what takes its place for these samples; none: it is zero */
    int n_results;
} cak_special;

typedef struct cak_plan_options {
    bool whole;                 /* the whole batch at once instead of slices */
    bool plain;                 /* every kernel by itself, none fused */
    const cak_special *special; /* NULL: none */
} cak_plan_options;

/* Plan the values that out[] needs. The outputs stay valid after a run. */
cak_program *cak_plan(cak_arena *a, const cak_graph *g, const cak_ref *out, int n);
cak_program *cak_plan_with(cak_arena *a, const cak_graph *g, const cak_ref *out, int n, const cak_plan_options *o);

typedef struct cak_plan_info {
    int values, kernels;                 /* live values; steps that run, over the samples counted once */
    size_t peak;                         /* bytes alive at the worst step: a lower bound of the slab */
    size_t slab, scratch, sum, external; /* bytes: planned slab, scratch, sum of all tensors, parameters and inputs */
    int folds, mixed;                    /* values that fold samples / mix samples otherwise */
    int64_t batch, rows;                 /* samples; samples of a slice (0: not sliced) */
    int rounds, slots, threads;          /* passes over the batch; slices at the same time; threads of each */
    const char *order;                   /* which order was best: "creation", "depth", "greedy" */
} cak_plan_info;
cak_plan_info cak_program_info(const cak_program *p);
char *cak_program_text(cak_arena *a, const cak_program *p); /* table: step, value, node, bytes, offset, life */
extern const char cak_program_legend[];                     /* what such texts mean, in lines that begin with '#' */
/* Operations that a run executes, as the nodes count them, with so many ordinary and special samples in the batch. A program that is not
** sliced does not tell samples apart. */
double cak_program_work(const cak_program *p, int64_t ordinary, int64_t special);
/* What planning for so many threads would give. */
cak_plan_info cak_program_info_on(const cak_program *p, int threads);

/* `slab` of at least info.slab + info.scratch bytes, 64-byte aligned; NULL: own one. Programs that run one after the other share a slab. */
cak_exec *cak_exec_open(cak_arena *a, const cak_program *p, void *slab);
void cak_exec_close(cak_exec *e);
/* Bind inputs and parameters by name before the first run; the pointer must stay valid. False when the graph has no such value. */
bool cak_exec_bind(cak_exec *e, const char *name, const real *data);

/* An input with a row per sample whose rows are read when they are needed, so that the batch never lies in memory as a whole: a slice
** reads each of its rows once. Where the graph wants all rows at a time, the exec has memory for them. Several threads read at a time. */
typedef struct cak_row_reader {
    /* False: the row cannot be read; the run ends. */
    bool (*read)(void *ctx, int64_t sample, real *row);
    /* True: the row equals that of the input whose reader has the same function and the ctx `other`; false: it may. NULL: not known. */
    bool (*same)(const void *ctx, const void *other, int64_t sample);
    void *ctx;
} cak_row_reader;
/* Like cak_exec_bind(); the last of the two counts. */
bool cak_exec_bind_rows(cak_exec *e, const char *name, const cak_row_reader *reader);

/* False: a row could not be read, and there are no results. */
bool cak_exec_run(cak_exec *e, const cak_clock *clock);
const real *cak_exec_data(const cak_exec *e, cak_ref out);

/* After a run whose outputs hold NaN or Inf: run again, checking after each kernel. Returns the first value that is not finite
** (CAK_NONE: none) and, through `index` and `bad`, where and what. */
cak_ref cak_exec_find_nonfinite(cak_exec *e, const cak_clock *clock, int64_t *index, double *bad);

#endif
