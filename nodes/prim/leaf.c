/* Leaves of a graph: constants, inputs fed before each execution, parameters. */
#include "graph/attr_types.h"
#include "graph/ops.h"

/* ---- const ---- */
static bool const_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    (void)g, (void)s;
    *y = CAK_SCALAR;
    return true;
}

static void const_run(const cak_work *w) { w->y.data[0] = (real) * (const double *)w->attr; }

static void const_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin) { (void)g, (void)s, (void)gy, (void)gin; }

static const cak_port value_out[] = { { "y", "the value", false }, { 0 } };
static const cak_attr const_attrs[] = {
    { .name = "value", .doc = "the number", .kind = CAK_NUM, .offset = 0, .required = true },
    { .kind = CAK_END },
};
CAK_NODE(const) = {
    .name = "const",
    .doc = "a constant scalar",
    .formula = "y = value",
    .out = value_out,
    .attr = const_attrs,
    .attr_size = sizeof(double),
    .shape = const_shape,
    .run = const_run,
    .diff = CAK_DIFF_RULE,
    .grad = const_grad,
};

/* ---- input and param: memory that the executor binds by name ---- */
static bool leaf_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    (void)g;
    *y = ((const cak_leaf_attr *)s->attr)->shape;
    return true;
}

static cak_rows leaf_rows(const cak_site *s, const cak_rows *in)
{
    (void)in;
    return ((const cak_leaf_attr *)s->attr)->per_sample ? CAK_ROWS_SAMPLE : CAK_ROWS_SHARED;
}

static const cak_attr leaf_attrs[] = {
    { .name = "name", .doc = "name it is bound by", .kind = CAK_TEXT, .offset = offsetof(cak_leaf_attr, name), .required = true },
    { .name = "shape", .doc = "its shape", .kind = CAK_SHAPE_OF, .offset = offsetof(cak_leaf_attr, shape) },
    { .name = "per_sample", .doc = "axis 0 counts samples", .kind = CAK_BOOL, .offset = offsetof(cak_leaf_attr, per_sample) },
    { .kind = CAK_END },
};
/* The engine treats both alike; only the values of parameters are changed by training. */
#define LEAF(id, text)                                   \
    CAK_NODE(id) = { .name = #id,                        \
                     .doc = text,                        \
                     .out = value_out,                   \
                     .attr = leaf_attrs,                 \
                     .attr_size = sizeof(cak_leaf_attr), \
                     .shape = leaf_shape,                \
                     .rows = leaf_rows,                  \
                     .diff = CAK_DIFF_RULE,              \
                     .grad = const_grad }
LEAF(input, "a value from outside (batches, schedules); made by the engine");
LEAF(param, "a trainable tensor; made by the nodes that own it");
