/* The contract between a node and the engine: everything that a node author needs to know is in this file and in ops.h.
**
** A *primitive* has shape + run + a gradient (diff, grad). run() computes numbers and cannot build nodes; grad() builds nodes and
** cannot compute numbers. A *composite* has expand() alone: it is written in calls of ops.h and has no derivative code.
** A *stage* reads data from outside (sound files, tensors); it is not differentiable. See stage.h. */
#ifndef CAK_NODE_H
#define CAK_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/real.h"
#include "graph/shape.h"

enum { CAK_MAX_IN = 8, CAK_MAX_OUT = 8, CAK_MAX_INTS = 16 };

typedef struct cak_graph cak_graph;   /* a graph being built; remembers its first error (sticky) */
typedef struct cak_module cak_module; /* a named set of parameters with the node or sub-graph that uses them */
typedef struct cak_ref {
    int32_t id;
} cak_ref; /* one value in a graph; ids are in topological order */
#define CAK_NONE ((cak_ref){ -1 })
static inline bool cak_is_none(cak_ref r) { return r.id < 0; }

typedef struct cak_port { /* a row per input or output; a list ends with a row without name */
    const char *name, *doc;
    bool optional;
} cak_port;

/* ---- attributes: one row per YAML key gives parsing, range check, default, help text and dump ---- */
typedef enum cak_kind {
    CAK_END = 0,
    CAK_INT,     /* int64_t */
    CAK_NUM,     /* double */
    CAK_BOOL,    /* bool */
    CAK_ENUM,    /* int32_t, index into choices */
    CAK_TEXT,    /* const char *, interned for the life of the graph; NULL when absent */
    CAK_INTS,    /* cak_ints */
    CAK_NUMS,    /* cak_nums */
    CAK_MODULE,  /* const cak_module *; in YAML the module's name */
    CAK_VALUE,   /* cak_ref; in YAML an expression: a name, a number, mean(x) ... */
    CAK_SHAPE_OF /* cak_shape; set by C callers only (adjoint operators remember the shape they restore) */
} cak_kind;

typedef struct cak_ints {
    int32_t n;
    int64_t v[CAK_MAX_INTS];
} cak_ints;
typedef struct cak_nums {
    int32_t n;
    double v[CAK_MAX_INTS];
} cak_nums;

typedef struct cak_attr {
    const char *name, *doc;
    cak_kind kind;
    size_t offset;              /* into the node's own attribute struct */
    double def, min, max;       /* INT, NUM, BOOL, ENUM, VALUE (a constant); min == max == 0: no limit */
    const char *def_text;       /* TEXT, MODULE; INTS and NUMS as "[32, 64]" */
    const char *const *choices; /* ENUM: names, ends with NULL */
    const char *unit;           /* shown in help: "s", "Hz", "samples" */
    bool required;
    bool optional; /* MODULE and VALUE: may be absent (NULL / CAK_NONE) */
} cak_attr;

/* ---- what a node's functions receive ---- */
typedef struct cak_site {   /* one use of a node in a graph */
    const void *attr;       /* the struct filled from the cak_attr rows */
    cak_ref in[CAK_MAX_IN]; /* CAK_NONE where an optional input is not connected */
    cak_shape in_shape[CAK_MAX_IN];
    int n_in;
    cak_ref y; /* the node's own value (grad only) */
    cak_shape y_shape;
} cak_site;

typedef struct cak_clock { /* position of a run; random nodes draw from (seed, stream, step, index) */
    uint64_t seed, step;
} cak_clock;

typedef struct cak_view {
    cak_shape shape;
    real *data;
} cak_view; /* contiguous, row-major, 64-byte aligned where the rows of axis 0 have a multiple of 64 bytes */

typedef struct cak_work { /* one execution of a primitive */
    cak_view in[CAK_MAX_IN], y;
    int n_in;
    const void *attr;
    void *scratch; /* .scratch(site) bytes, 64-byte aligned, contents undefined */
    const cak_clock *clock;
    const int64_t
        *sample; /* number of the sample in each row of values that have samples, where a run holds only some of a batch;
                              NULL: all, in order */
} cak_work;

typedef enum cak_diff {
    CAK_DIFF_MISSING = 0, /* asking for this gradient is a build error (E3301), never a zero */
    CAK_DIFF_RULE,        /* .grad below */
    CAK_DIFF_ZERO,        /* piecewise constant: masks, sign, comparisons */
    CAK_DIFF_STOP         /* detach: the author asked for no gradient */
} cak_diff;

/* What a node is to a linear combination of its inputs; passes move constant factors and sums through linear nodes. */
typedef enum cak_linear {
    CAK_LINEAR_NOT = 0,
    CAK_LINEAR_EACH, /* in each input while the others are held: products, convolutions */
    CAK_LINEAR_JOINT /* in all inputs together: sums, differences, layout */
} cak_linear;

/* How the rows of axis 0 depend on the samples of a batch; the engine derives it for every value. */
typedef enum cak_rows {
    CAK_ROWS_SHARED = 0, /* no sample axis: parameters, constants, results of folds */
    CAK_ROWS_SAMPLE,     /* axis 0 counts samples and row b depends on sample b alone */
    CAK_ROWS_MIXED       /* samples meet in another way than a sum over axis 0 */
} cak_rows;

typedef struct cak_node {
    const char *name, *doc; /* `type:` in YAML; one line for `cak nodes` */
    const char *formula;    /* shown by `cak nodes NAME`; source: paper equation or torch name */
    const cak_port *in, *out;
    const cak_attr *attr; /* NULL: none */
    size_t attr_size;

    /* A composite has expand and nothing else below. out[] starts as CAK_NONE. */
    void (*expand)(cak_graph *g, const cak_site *s, cak_ref *out);

    /* A primitive has shape + run + diff. */
    bool (*shape)(cak_graph *g, const cak_site *s, cak_shape *y); /* false after cak_fail() */
    void (*run)(const cak_work *w);                               /* no allocation, no failure, same bits for any thread count */
    size_t (*scratch)(
        const cak_site *s); /* bytes, for cak_threads() threads at planning time (which may shrink later, not grow); NULL: none */
    cak_diff diff;
    void (*grad)(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin); /* gin[] starts as CAK_NONE */
    cak_rows (*rows)(const cak_site *s, const cak_rows *in); /* NULL: row b of y reads row b of the inputs (element-wise rule) */
    cak_linear linear;
    double (*flops)(const cak_site *s); /* floating-point operations; NULL: one for each element */
    /* Element-wise nodes: n elements, y[i] from in[k][i * step[k]] with steps 0 or 1; y may be one of the inputs. */
    void (*map)(const void *attr, const real *const *in, const int *step, real *y, int64_t n);
    bool alias;    /* y is in[0] with another shape or name: no run, no memory */
    bool in_place; /* y[i] depends on in[k][i] alone, so y may take the place of an input */
    bool cheap;    /* element-wise, and an element costs less than reading it from memory: it may be computed more than once */
    double (*fold)(const void *attr, const double *in); /* value for scalar constant inputs; NULL: not folded */

    /* A stage reads data from outside; see stage.h. */
    const struct cak_stage_ops *stage;
} cak_node;

#define CAK_NODE(id) const cak_node cak_node_##id /* nodes/nodes.def has the matching line */

/* Record an error at the place of the node being built; returns false. */
bool cak_fail(cak_graph *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
