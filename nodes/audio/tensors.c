/* tensors: batches from the tensors of one safetensors file. */
#include <inttypes.h>
#include <string.h>

#include "graph/safetensors.h"
#include "graph/stage.h"
#include "nodes/audio/lib_files.h"
#include "nodes/audio/lib_loader.h"

enum { PORTS = 4 };
static const char *const names[PORTS] = { "input", "target", "control", "alpha" };

typedef struct tensors_attr {
    const char *path, *tensor[PORTS];
    int64_t batch;
    bool shuffle, drop_last;
} tensors_attr;

typedef struct loader {
    cak_order order;
    int64_t batch, *at; /* by sample of the batch that is open: index of the item */
    int n;
    real *data[PORTS];   /* all items */
    int64_t size[PORTS]; /* elements of an item */
} loader;

/* The tensor of a port: the one the attribute names, which must exist, or the one with the port's name. */
static bool find(cak_diag *d, cak_pos at, const cak_tensors *t, const char *port, const char *wanted, const cak_tensor **out)
{
    *out = cak_tensors_find(t, wanted ? wanted : port);
    if (!*out && wanted) return cak_error(d, CAK_E2005, at, "%s holds no tensor '%s'", t->path, wanted);
    if (*out && (*out)->shape.rank < 1)
        return cak_error(d, CAK_E2005, at, "tensor '%s' of %s is a scalar; its first axis must count the items", (*out)->name,
                         t->path);
    return true;
}

static bool add_port(cak_arena *a, cak_diag *d, cak_pos at, loader *l, const char *port, const cak_tensor *t,
                     cak_loader_info *info)
{
    int64_t items = t->shape.dim[0];
    cak_shape shape = { .rank = t->shape.rank - 1 };
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = t->shape.dim[i + 1];
    if (cak_shape_size(&t->shape) < 1) return cak_error(d, CAK_E2005, at, "tensor '%s' has an axis of extent 0", t->name);
    l->size[l->n] = cak_shape_size(&shape);
    l->data[l->n] = cak_arena_alloc(a, (size_t)cak_shape_size(&t->shape) * sizeof(real) + 1);
    if (!cak_tensor_read(d, t, l->data[l->n])) return false;
    info->port[l->n++] = (cak_batch_port){ port, shape };
    info->items = items;
    return true;
}

/* What is wrong with the file is an error of the data, at the place that names it. */
static cak_tensors *load(cak_arena *a, cak_diag *d, cak_pos at, const char *path)
{
    cak_diag *own = cak_diag_open();
    cak_tensors *t = cak_tensors_load(a, own, path);
    if (!t) cak_error(d, CAK_E2005, at, "%s", cak_diag_message(own, 0));
    cak_diag_close(own);
    return t;
}

static void *open_loader(cak_arena *a, cak_diag *d, const void *attr, cak_pos at, const char *base_dir, uint64_t seed,
                         const cak_prepared *in, cak_loader_info *info)
{
    const tensors_attr *p = attr;
    if (in) return cak_error(d, CAK_E3004, at, "tensors reads a file and takes no input"), NULL;
    cak_tensors *t = load(a, d, at, cak_path_join(a, base_dir, p->path));
    if (!t) return NULL;
    loader *l = cak_arena_alloc(a, sizeof *l);
    l->batch = p->batch;
    l->at = cak_arena_alloc(a, (size_t)p->batch * sizeof *l->at);
    *info = (cak_loader_info){ .batch = p->batch, .drop_last = p->drop_last, .shuffle = p->shuffle };
    for (int i = 0; i < PORTS; i++) {
        const cak_tensor *tensor;
        if (!find(d, at, t, names[i], p->tensor[i], &tensor)) return NULL;
        if (!tensor) continue;
        if (l->n && tensor->shape.dim[0] != info->items)
            return cak_error(d, CAK_E2005, at, "tensor '%s' of %s has %" PRId64 " items, '%s' has %" PRId64, tensor->name,
                             t->path, tensor->shape.dim[0], info->port[0].name, info->items),
                   NULL;
        if (!add_port(a, d, at, l, names[i], tensor, info)) return NULL;
    }
    info->n_ports = l->n;
    if (!l->n || info->items < 1)
        return cak_error(d, CAK_E2005, at, "%s holds no items: neither input, target, control nor alpha", t->path), NULL;
    l->order = cak_order_open(a, info->items, seed, p->shuffle);
    return l;
}

static void open_batch(void *ld, int64_t epoch, int64_t first)
{
    loader *l = ld;
    for (int64_t b = 0; b < l->batch && first + b < l->order.n; b++) l->at[b] = cak_order_at(&l->order, epoch, first + b);
}

static bool read_row(void *ld, cak_diag *d, int port, int64_t sample, real *out)
{
    (void)d;
    const loader *l = ld;
    memcpy(out, l->data[port] + l->at[sample] * l->size[port], (size_t)l->size[port] * sizeof *out);
    return true;
}

static uint64_t row_id(const void *ld, int64_t sample) { return (uint64_t)((const loader *)ld)->at[sample]; }

static void close_loader(void *ld) { (void)ld; }

#define ROW(field, k, ...)                                                              \
    {                                                                                   \
        .name = #field, .kind = k, .offset = offsetof(tensors_attr, field), __VA_ARGS__ \
    }
#define PORT(i, label)                                                                     \
    {                                                                                      \
        .name = label, .kind = CAK_TEXT, .offset = offsetof(tensors_attr, tensor[i]),      \
        .doc = "tensor for batch." label "; absent: the one of that name, if there is one" \
    }
static const cak_attr attrs[] = {
    ROW(path, CAK_TEXT, .required = true, .doc = "safetensors file; relative to the configuration"),
    ROW(batch, CAK_INT, .def = 16, .min = 1, .max = 65536, .doc = "samples of a batch"),
    ROW(shuffle, CAK_BOOL, .def = 1, .doc = "a new order of the items in every epoch"),
    ROW(drop_last, CAK_BOOL, .doc = "leave out the last batch of an epoch when it is not full"),
    PORT(0, "input"),
    PORT(1, "target"),
    PORT(2, "control"),
    PORT(3, "alpha"),
    { .kind = CAK_END },
};
static const cak_port ports_in[] = { { 0 } };
static const cak_port ports_out[] = { { "input", "tensor [B,...]", true },
                                      { "target", "tensor [B,...]", true },
                                      { "control", "tensor [B,...]", true },
                                      { "alpha", "tensor [B,...]: factors of the gradient penalty", true },
                                      { 0 } };
static const cak_stage_ops ops = {
    .open_loader = open_loader, .open_batch = open_batch, .read_row = read_row, .row_id = row_id, .close_loader = close_loader
};
CAK_NODE(tensors) = {
    .name = "tensors",
    .doc = "batches from a safetensors file; axis 0 of every tensor counts the items",
    .formula = "batch.<port>[b] = tensor[order[first + b]]",
    .in = ports_in,
    .out = ports_out,
    .attr = attrs,
    .attr_size = sizeof(tensors_attr),
    .stage = &ops,
};
