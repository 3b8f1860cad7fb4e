/* pair_loader: batches of pairs of clips with the difference of their controls. */
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "graph/rng.h"
#include "graph/stage.h"
#include "nodes/audio/lib_feature.h"
#include "nodes/audio/lib_loader.h"
#include "nodes/audio/lib_pairs.h"

typedef struct pair_attr {
    int64_t batch, control_seed, control_round, crop_f, crop_t;
    double control_lo, control_hi, identity_fraction;
    bool shuffle, drop_last, fix_parity, shuffled_controls, repair_every_epoch;
    int32_t control_dist, feature, identity;
} pair_attr;

enum { INPUT, TARGET, CONTROL, PORTS };

typedef struct loader {
    const pair_attr *attr;
    cak_prepared in;
    cak_pairs *pairs;
    cak_order order;
    cak_item *item;     /* of `epoch`, before shuffling */
    int64_t epoch;      /* of the batch that is open */
    int64_t *at;        /* by its samples: index of the item */
    int64_t rows, cols; /* of a window */
    uint64_t seed, crop;
} loader;

static bool check(cak_diag *d, cak_pos at, const pair_attr *p, const cak_prepared *in)
{
    int64_t f = in->shape.dim[1], t = in->shape.dim[2];
    if (p->crop_f > f || p->crop_t > t)
        return cak_error(d, CAK_E2004, at,
                         "a window of %" PRId64 " x %" PRId64 " does not fit into clips of %" PRId64 " x %" PRId64, p->crop_f,
                         p->crop_t, f, t);
    if (p->control_lo > p->control_hi) return cak_error(d, CAK_E1202, at, "`control_lo` is larger than `control_hi`");
    if (!in->read) return true; /* only the shape is wanted */
    if (in->n < 2) return cak_error(d, CAK_E2004, at, "pairs need at least 2 clips, there is %d", in->n);
    if (p->control_dist == CAK_CONTROL_FEATURE && !in->feature)
        return cak_error(d, CAK_E1204, at, "`control_dist: feature` needs `feature`");
    return true;
}

static void open_pairs(cak_arena *a, loader *l)
{
    const pair_attr *p = l->attr;
    l->pairs = cak_pairs_open(a, &(cak_pairing){ .n = l->in.n,
                                                 .dist = (cak_control_dist)p->control_dist,
                                                 .lo = p->control_lo,
                                                 .hi = p->control_hi,
                                                 .seed = p->control_seed,
                                                 .round = p->control_round,
                                                 .feature = l->in.feature,
                                                 .identity_fraction = p->identity_fraction,
                                                 .fix_parity = p->fix_parity,
                                                 .shuffled_controls = p->shuffled_controls,
                                                 .repair_every_epoch = p->repair_every_epoch,
                                                 .run_seed = l->seed });
    l->item = cak_arena_alloc(a, (size_t)cak_pairs_items(l->pairs) * sizeof *l->item);
    l->at = cak_arena_alloc(a, (size_t)p->batch * sizeof *l->at);
    l->order = cak_order_open(a, cak_pairs_items(l->pairs), l->seed, p->shuffle);
}

static void *open_loader(cak_arena *a, cak_diag *d, const void *attr, cak_pos at, const char *base_dir, uint64_t seed,
                         const cak_prepared *in, cak_loader_info *info)
{
    (void)base_dir;
    const pair_attr *p = attr;
    if (!in) return cak_error(d, CAK_E1204, at, "pair_loader needs clips as its input"), NULL;
    if (!check(d, at, p, in)) return NULL;
    loader *l = cak_arena_alloc(a, sizeof *l);
    *l = (loader){ .attr = p, .in = *in, .epoch = -1, .seed = seed, .crop = cak_rng_stream("crop") };
    l->rows = p->crop_f ? p->crop_f : in->shape.dim[1];
    l->cols = p->crop_t ? p->crop_t : in->shape.dim[2];
    if (in->read) open_pairs(a, l);
    cak_shape x = CAK_SHAPE(in->shape.dim[0], l->rows, l->cols);
    *info = (cak_loader_info){ .port = { { "input", x }, { "target", x }, { "control", CAK_SHAPE(1) } },
                               .n_ports = PORTS,
                               .items = in->read ? cak_pairs_items(l->pairs) : p->batch,
                               .batch = p->batch,
                               .drop_last = p->drop_last,
                               .shuffle = p->shuffle };
    return l;
}

static void open_batch(void *ld, int64_t epoch, int64_t first)
{
    loader *l = ld;
    if (l->epoch != epoch) cak_pairs_epoch(l->pairs, (uint64_t)epoch, l->item);
    l->epoch = epoch;
    for (int64_t b = 0, n = cak_pairs_items(l->pairs); b < l->attr->batch && first + b < n; b++)
        l->at[b] = cak_order_at(&l->order, epoch, first + b);
}

typedef struct window { /* its first row and column */
    int64_t row, col;
} window;

static window window_of(const loader *l, int64_t item)
{
    const cak_shape *clip = &l->in.shape;
    uint64_t f = (uint64_t)(clip->dim[1] - l->rows), t = (uint64_t)(clip->dim[2] - l->cols), i = (uint64_t)item;
    return (window){ (int64_t)cak_rng_below(l->seed, l->crop, (uint64_t)l->epoch, 2 * i, f + 1),
                     (int64_t)cak_rng_below(l->seed, l->crop, (uint64_t)l->epoch, 2 * i + 1, t + 1) };
}

/* Input and target are the same window of their clips. */
static bool read_row(void *ld, cak_diag *d, int port, int64_t sample, real *out)
{
    const loader *l = ld;
    const cak_prepared *in = &l->in;
    const cak_item *item = &l->item[l->at[sample]];
    if (port == CONTROL) {
        *out = (real)item->control;
        return true;
    }
    window w = window_of(l, l->at[sample]);
    return in->read(in->ctx, d, port == INPUT ? item->input : item->target, w.row, l->rows, w.col, l->cols, out);
}

static bool same_row(const void *ld, int port, int other, int64_t sample)
{
    const loader *l = ld;
    const cak_item *item = &l->item[l->at[sample]];
    return port == other || (port != CONTROL && other != CONTROL && item->input == item->target);
}

static uint64_t row_id(const void *ld, int64_t sample)
{
    const loader *l = ld;
    const cak_item *item = &l->item[l->at[sample]];
    window w = window_of(l, l->at[sample]);
    int64_t id[] = { item->input, item->target, w.row, l->rows, w.col, l->cols, 0 };
    memcpy(&id[6], &item->control, sizeof item->control);
    return XXH3_64bits(id, sizeof id);
}

static void close_loader(void *ld) { (void)ld; }

cak_pairs *cak_pair_loader_pairs(void *ld) { return ((loader *)ld)->pairs; }

#define ROW(field, k, ...)                                                           \
    {                                                                                \
        .name = #field, .kind = k, .offset = offsetof(pair_attr, field), __VA_ARGS__ \
    }
static const char *const dists[] = { "uniform", "feature", "constant", NULL };
static const char *const identities[] = { "even_idx", NULL };
static const cak_attr attrs[] = {
    ROW(batch, CAK_INT, .def = 16, .min = 1, .max = 65536, .doc = "samples of a batch"),
    ROW(shuffle, CAK_BOOL, .def = 1, .doc = "a new order of the items in every epoch"),
    ROW(drop_last, CAK_BOOL, .doc = "leave out the last batch of an epoch when it is not full"),
    ROW(control_dist, CAK_ENUM, .choices = dists,
        .doc = "value of a clip: Python's random.uniform(lo, hi), lo + (hi - lo) feature, or hi"),
    ROW(control_lo, CAK_NUM, .def = 0.1, .min = -1e6, .max = 1e6, .doc = "least value"),
    ROW(control_hi, CAK_NUM, .def = 1, .min = -1e6, .max = 1e6, .doc = "largest value"),
    ROW(control_seed, CAK_INT, .def = 42, .min = 0, .max = 1e15, .doc = "of Python's random.seed"),
    ROW(control_round, CAK_INT, .def = 6, .min = 0, .max = 17, .doc = "decimals kept"),
    ROW(feature, CAK_ENUM, .def = CAK_FEATURES, .choices = cak_feature_choices,
        .doc = "what is measured for `control_dist: feature`"),
    ROW(identity, CAK_ENUM, .choices = identities,
        .doc = "which items are identities (input = target, control 0): the even ones, as released"),
    ROW(identity_fraction, CAK_NUM, .def = 0.5, .min = 0, .max = 1,
        .doc = "share of the identities; 0.5 is the released scheme, other shares are spread evenly over the items"),
    ROW(fix_parity, CAK_BOOL,
        .doc = "false: pairs are numbered by item as in the released code, so with an even number of pairs half of them never "
               "occur; true: numbered by transformation, all occur"),
    ROW(shuffled_controls, CAK_BOOL,
        .doc = "give the controls to other pairs than those they belong to (a test of what is learned)"),
    ROW(repair_every_epoch, CAK_BOOL, .doc = "join the lower and the upper half of the clips anew in every epoch"),
    ROW(crop_f, CAK_INT, .min = 0, .max = 1e6, .doc = "rows of a random window, the same for input and target; 0: all"),
    ROW(crop_t, CAK_INT, .min = 0, .max = 1e6, .doc = "columns of the window; 0: all"),
    { .kind = CAK_END },
};
static const cak_port ports_in[] = { { "x", "prepared clips [B,C,F,T]", false }, { 0 } };
static const cak_port ports_out[] = { { "input", "clip of the lower control [B,C,F,T]", false },
                                      { "target", "clip of the higher control [B,C,F,T]", false },
                                      { "control", "difference of the two [B,1]", false },
                                      { 0 } };
static const cak_stage_ops ops = {
    .open_loader = open_loader,
    .open_batch = open_batch,
    .read_row = read_row,
    .same_row = same_row,
    .row_id = row_id,
    .close_loader = close_loader,
};
CAK_NODE(pair_loader) = {
    .name = "pair_loader",
    .doc = "batches of identity pairs (x, x, 0) and of pairs (low, high, difference of their controls)",
    .formula = "order = clips by control; pair k = (order[k], order[n/2 + k]); TextureDataset of the author's code",
    .in = ports_in,
    .out = ports_out,
    .attr = attrs,
    .attr_size = sizeof(pair_attr),
    .stage = &ops,
};
