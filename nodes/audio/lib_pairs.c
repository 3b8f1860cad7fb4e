/* The released scheme of pairs (TextureDataset) and its variants. */
#include "nodes/audio/lib_pairs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/number.h"
#include "graph/rng.h"
#include "nodes/audio/lib_mt19937.h"

struct cak_pairs {
    cak_pairing p;
    double *control; /* [n] by clip */
    int *order;      /* [n] clips by rising control */
    int *partner;    /* [n/2] scratch of one epoch */
    int *moved;      /* [transformation items]: whose control an item takes, NULL: its own */
    double *own;     /* [items] scratch: the controls of the transformation items before that */
};

/* Python's round(x, digits): printed exactly, to the nearest, ties to even. */
static double round_decimal(double x, int64_t digits)
{
    char text[64];
    double y = x;
    snprintf(text, sizeof text, "%.*f", (int)digits, x);
    return cak_number_real(text, &y) == CAK_NUMBER_OK || y == 0 ? y : x;
}

static void draw_controls(cak_pairs *q)
{
    cak_mt19937 mt;
    cak_mt_seed(&mt, (uint64_t)q->p.seed);
    for (int i = 0; i < q->p.n; i++) {
        double c = q->p.hi;
        if (q->p.dist == CAK_CONTROL_UNIFORM) c = cak_mt_uniform(&mt, q->p.lo, q->p.hi);
        if (q->p.dist == CAK_CONTROL_FEATURE) c = q->p.lo + (q->p.hi - q->p.lo) * q->p.feature[i];
        q->control[i] = round_decimal(c, q->p.round);
    }
}

static int by_control(const void *x, const void *y, void *control)
{
    int i = *(const int *)x, k = *(const int *)y;
    double a = ((const double *)control)[i], b = ((const double *)control)[k];
    return a < b ? -1 : a > b ? 1 : (i > k) - (i < k); /* equal ones keep their order */
}

int64_t cak_pairs_items(const cak_pairs *q) { return 2 * (int64_t)q->p.n; }
const double *cak_pairs_controls(const cak_pairs *q) { return q->control; }

/* Identity items among the first i; spread evenly, the first item is one. The released half makes the even items identities. */
static int64_t identities_before(const cak_pairs *q, int64_t i)
{
    int64_t all = cak_pairs_items(q), identities = llround(q->p.identity_fraction * (double)all);
    return (i * identities + all - 1) / all;
}

cak_pairs *cak_pairs_open(cak_arena *a, const cak_pairing *p)
{
    cak_pairs *q = cak_arena_alloc(a, sizeof *q);
    size_t n = (size_t)p->n;
    *q = (cak_pairs){ .p = *p, .control = cak_arena_alloc(a, n * sizeof *q->control) };
    q->order = cak_arena_alloc(a, n * sizeof *q->order);
    q->partner = cak_arena_alloc(a, n * sizeof *q->partner);
    q->own = cak_arena_alloc(a, 2 * n * sizeof *q->own);
    draw_controls(q);
    for (int i = 0; i < p->n; i++) q->order[i] = i;
    qsort_r(q->order, n, sizeof *q->order, by_control, q->control);
    if (p->shuffled_controls) {
        int64_t items = cak_pairs_items(q), transformations = items - identities_before(q, items);
        q->moved = cak_arena_alloc(a, ((size_t)transformations + 1) * sizeof *q->moved);
        cak_rng_permutation(p->run_seed, cak_rng_stream("control"), 0, (int)transformations, q->moved);
    }
    return q;
}

/* The pair of transformation item t, which is item i of the epoch. The released code numbers pairs by i, so with an even number of pairs
** only the odd ones occur. */
static cak_item transformation(const cak_pairs *q, int64_t i, int64_t t)
{
    int half = q->p.n / 2, k = (int)((q->p.fix_parity ? t : i) % half);
    int low = q->order[k], high = q->order[half + q->partner[k]];
    return (cak_item){ low, high, q->control[high] - q->control[low] };
}

static void shuffle_controls(cak_pairs *q, cak_item *item)
{
    int64_t items = cak_pairs_items(q), n = 0;
    for (int64_t i = 0; i < items; i++)
        if (item[i].input != item[i].target) q->own[n++] = item[i].control;
    n = 0;
    for (int64_t i = 0; i < items; i++)
        if (item[i].input != item[i].target) item[i].control = q->own[q->moved[n++]];
}

void cak_pairs_epoch(cak_pairs *q, uint64_t epoch, cak_item *out)
{
    int64_t items = cak_pairs_items(q);
    int half = q->p.n / 2;
    for (int k = 0; k < half; k++) q->partner[k] = k;
    if (q->p.repair_every_epoch) cak_rng_permutation(q->p.run_seed, cak_rng_stream("pairs"), epoch, half, q->partner);
    for (int64_t i = 0; i < items; i++) {
        int64_t before = identities_before(q, i);
        int clip = (int)(before % q->p.n);
        if (identities_before(q, i + 1) > before) out[i] = (cak_item){ clip, clip, 0 };
        else out[i] = transformation(q, i, i - before);
    }
    if (q->moved) shuffle_controls(q, out);
}

static int by_clips(const void *x, const void *y)
{
    const cak_item *a = x, *b = y;
    return a->input != b->input ? (a->input > b->input) - (a->input < b->input)
                                : (a->target > b->target) - (a->target < b->target);
}

/* Keeps the transformation items of epoch 0, sorted, and returns their number. */
static int64_t take_transformations(cak_pairs *q, cak_item *item)
{
    int64_t n = 0;
    cak_pairs_epoch(q, 0, item);
    for (int64_t i = 0; i < cak_pairs_items(q); i++)
        if (item[i].input != item[i].target) item[n++] = item[i];
    if (n) qsort(item, (size_t)n, sizeof *item, by_clips);
    return n;
}

cak_pair_summary cak_pairs_summary(cak_arena *a, cak_pairs *q)
{
    cak_item *item = cak_arena_alloc(a, (size_t)cak_pairs_items(q) * sizeof *item);
    bool *used = cak_arena_alloc(a, (size_t)q->p.n);
    int64_t n = take_transformations(q, item);
    cak_pair_summary s = { .identity = cak_pairs_items(q) - n, .transformation = n, .unused = q->p.n };
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++) {
        double c = item[i].control;
        s.distinct += !i || by_clips(&item[i - 1], &item[i]) != 0;
        s.unused -= !used[item[i].input];
        used[item[i].input] = true;
        s.unused -= !used[item[i].target];
        used[item[i].target] = true;
        s.min = !i || c < s.min ? c : s.min;
        s.max = !i || c > s.max ? c : s.max;
        sum += c;
    }
    s.mean = n ? sum / (double)n : 0;
    for (int64_t i = 0; i < n; i++) square += (item[i].control - s.mean) * (item[i].control - s.mean);
    s.sd = n ? sqrt(square / (double)n) : 0;
    return s;
}
