/* The inside of a program, shared by planner and executor. */
#ifndef CAK_PLAN_H
#define CAK_PLAN_H

#include "graph/exec.h"
#include "graph/timetable.h"
#include "graph/slice.h"

typedef struct cak_job { /* what a step of a timetable does */
    cak_unit unit;
    cak_fused *fused; /* NULL: the kernel of the one value */
    int round;        /* of the main timetable: this round over the samples; -1: the unit */
} cak_job;

typedef struct cak_variant { /* how a round computes its results for samples of one kind */
    cak_timetable slot;      /* memory of a slice */
    cak_job *job;            /* by step.what */
    cak_ref *part;           /* by total: its contribution; CAK_NONE: none */
    cak_ref *row;            /* by stored value: its rows */
} cak_variant;

typedef struct cak_round {
    int *total, n_total;   /* sums over the samples */
    int *stored, n_stored; /* values kept for the whole batch */
    int64_t *sum_at;       /* by total: index of its first sum among those of the round */
    int64_t sums;          /* doubles */
    int *rows, n_rows;     /* values with a row per sample that are read and lie outside of the slot: inputs and stored ones */
    size_t *row_at, rows_bytes; /* where copies of their rows lie when the samples of a slice are not neighbours */
    cak_variant *variant;
    int n_variants;
} cak_round;

struct cak_program {
    const cak_graph *g;
    cak_ref *out;
    int n_out;
    int *root; /* by id: the value whose memory it shows */
    cak_slices slices;
    cak_timetable main;
    cak_job *job;
    cak_round *round;
    const cak_special *special;                                    /* NULL: no samples are special */
    bool plain;                                                    /* made without fusion */
    int slots, threads;                                            /* slices at the same time, threads of each */
    size_t main_scratch, slot_slab, slot_rows, slot_scratch, sums; /* bytes */
    cak_plan_info info;
};

#endif
