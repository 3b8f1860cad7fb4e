/* The inside of a program, shared by planner and executor. */
#ifndef CAK_PLAN_H
#define CAK_PLAN_H

#include "graph/exec.h"

typedef struct cak_buffer {
    size_t bytes, offset;
    int first, last;
} cak_buffer; /* lives from step `first` to step `last` */

struct cak_program {
    const cak_graph *g;
    cak_ref *out;
    int n_out;
    int *order, n; /* ids in order of execution */
    int *root;     /* by id: the value whose buffer it shares */
    int *of;       /* by id of a root: its buffer; -1: bound from outside */
    cak_buffer *buf;
    int n_buf;
    cak_plan_info info;
};

#endif
