/* Timetables: an order of steps and the place of every value in a slab. */
#ifndef CAK_TIMETABLE_H
#define CAK_TIMETABLE_H

#include "graph/fuse.h"

typedef struct cak_buffer {
    size_t bytes, offset;
    int first, last; /* lives from step `first` to step `last` */
} cak_buffer;

typedef struct cak_step_io { /* one step: a kernel, a fused unit, or a round over the samples */
    int *read, n_read;       /* values whose memory it reads, each once; those bound from outside are left out */
    int *write, n_write;     /* values whose memory it fills */
    int (*over)[2], n_over;  /* pairs (write, read): the result may take the place of what is read, if nobody reads that later */
    int what;                /* for the owner of the steps */
} cak_step_io;

typedef struct cak_timetable {
    cak_step_io *step; /* in order of execution */
    int n;
    int *of; /* by id: its buffer, -1: none here */
    cak_buffer *buf;
    int n_buf;
    size_t slab, peak; /* bytes; peak: alive at the worst step, a lower bound of the slab */
    const char *order; /* which order was best: "creation", "depth", "greedy" */
} cak_timetable;

/* Order the steps (given in one in which they can run) and place buffers. bytes[id]: size of a value; pinned[id]: lives to the end. */
cak_timetable cak_timetable_of(cak_arena *a, int values, const cak_step_io *step, int n, const size_t *bytes, const bool *pinned);

#endif
