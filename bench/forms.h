/* The forms of a convolution that are compared: one row says how to compute each of the three operations. */
#ifndef BENCH_FORMS_H
#define BENCH_FORMS_H

#include "bench/bench.h"
#include "nodes/kernels/wino.h"

typedef enum bench_op { BENCH_FORWARD, BENCH_DX, BENCH_DW, BENCH_OPS } bench_op;

typedef struct bench_problem { /* x [batch,c,height,width], w [o,c,kernel,kernel], y [batch,o,h,w], padding 1 */
    int64_t batch, c, height, width, o, h, w, kernel, stride;
} bench_problem;

typedef struct bench_operand {
    int64_t dim[4];
    real *plain, *data; /* data: in the layout of the form */
    bool blocked;
} bench_operand;

typedef struct bench_conv bench_conv;
struct bench_conv {
    bench_problem p;
    bench_op op;
    bench_operand x, w, y, result;
    real *out, *aux; /* aux: transformed filters */
    size_t aux_bytes, scratch_bytes;
    void *scratch;
    void (*run)(bench_conv *s);
};

typedef struct bench_form {
    const char *name;
    bool blocked_x, blocked_y;
    bool (*fits)(const bench_problem *p);
    size_t (*scratch[BENCH_OPS])(const bench_problem *p);
    void (*run[BENCH_OPS])(bench_conv *s);
    size_t (*aux)(const bench_problem *p);
    double (*executed)(const bench_problem *p); /* NULL: as many operations as the direct form */
} bench_form;

extern const bench_form bench_forms[];
extern const int bench_n_forms;

#endif
