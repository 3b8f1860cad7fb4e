/* pair_loader: the released sampler to the digit, its variants, windows, batches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/audio/lib_feature.h"
#include "nodes/audio/lib_mt19937.h"
#include "nodes/audio/lib_pairs.h"
#include "tests/support/sound_test.h"

extern const cak_node cak_node_pair_loader;
static const cak_node *const node = &cak_node_pair_loader;
enum { F = 5, T = 7 };

/* Clip i has the value 1000 i + 10 row + column. */
static bool fake_read(void *ctx, cak_diag *d, int i, int64_t r0, int64_t rows, int64_t c0, int64_t cols, real *out)
{
    if (ctx && i == *(int *)ctx) return cak_error(d, CAK_E2006, CAK_NOWHERE, "clip %d is gone", i);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) *out++ = (real)(1000 * i + 10 * (r0 + r) + c0 + c);
    return true;
}

typedef struct opened {
    cak_arena *a;
    cak_diag *d;
    cak_loader_info info;
    void *ld;
} opened;

static opened open_with(const cak_prepared *in, const char *yaml, uint64_t seed)
{
    opened o = { .a = cak_arena_open("test"), .d = cak_diag_open() };
    o.ld = node->stage->open_loader(o.a, o.d, stage_attr(o.a, o.d, node, yaml), CAK_NOWHERE, NULL, seed, in, &o.info);
    return o;
}

static opened open_pairs(int n, const char *yaml, uint64_t seed)
{
    cak_prepared in = { .n = n, .shape = CAK_SHAPE(1, F, T), .read = fake_read };
    opened o = open_with(&in, yaml, seed);
    ck_assert_ptr_nonnull(o.ld);
    return o;
}

static void close_all(opened *o)
{
    if (o->ld) node->stage->close_loader(o->ld);
    cak_diag_close(o->d);
    cak_arena_close(o->a);
}

static void expect_error(opened *o, cak_code code, const char *text)
{
    ck_assert_ptr_null(o->ld);
    ck_assert_int_eq(cak_diag_code(o->d, 0), code);
    ck_assert_msg(strstr(cak_diag_message(o->d, 0), text) != NULL, "%s", cak_diag_message(o->d, 0));
    close_all(o);
}

static const cak_item *epoch_items(opened *o, uint64_t epoch)
{
    cak_pairs *q = cak_pair_loader_pairs(o->ld);
    cak_item *item = cak_arena_alloc(o->a, (size_t)cak_pairs_items(q) * sizeof *item);
    cak_pairs_epoch(q, epoch, item);
    return item;
}

/* ---- Python's generator ---- */

START_TEST(mersenne_twister)
{
    cak_mt19937 m;
    cak_mt_seed(&m, 42); /* import random; random.seed(42); random.getrandbits(32); ... */
    ck_assert_uint_eq(cak_mt_next(&m), 2746317213u);
    ck_assert_uint_eq(cak_mt_next(&m), 478163327u);
    cak_mt_seed(&m, 42);
    ck_assert(cak_mt_random(&m) == 0.6394267984578837);
    ck_assert(cak_mt_random(&m) == 0.025010755222666936);
    for (int i = 0; i < 1000; i++) cak_mt_random(&m);
    ck_assert(cak_mt_random(&m) == 0.5444658614821449);
    cak_mt_seed(&m, 0);
    ck_assert(cak_mt_random(&m) == 0.8444218515250481);
    cak_mt_seed(&m, 123456789012345); /* two words */
    ck_assert(cak_mt_random(&m) == 0.6744750084019356);
}
END_TEST

/* ---- the released scheme ---- */

START_TEST(controls_of_200)
{
    opened o = open_pairs(200, "{}", 0);
    const double *c = cak_pairs_controls(cak_pair_loader_pairs(o.ld));
    static const double first[] = { 0.675484, 0.12251, 0.347526, 0.30089, 0.762824 };
    for (int i = 0; i < 5; i++) ck_assert(c[i] == first[i]);
    double min = 2, max = 0, sum = 0;
    for (int i = 0; i < 200; i++) min = fmin(min, c[i]), max = fmax(max, c[i]), sum += c[i];
    ck_assert(min == 0.100515 && max == 0.999354);
    ck_assert(fabs(sum / 200 - 0.535802) < 5e-7);
    close_all(&o);
}
END_TEST

START_TEST(pairs_of_200)
{
    opened o = open_pairs(200, "{}", 0);
    cak_pair_summary s = cak_pairs_summary(o.a, cak_pair_loader_pairs(o.ld));
    ck_assert_int_eq(o.info.items, 400);
    ck_assert(s.identity == 200 && s.transformation == 200 && s.distinct == 50 && s.unused == 100);
    ck_assert(fabs(s.mean - 0.458967) < 5e-7 && fabs(s.sd - 0.029202) < 5e-7);
    ck_assert(fabs(s.min - 0.405942) < 1e-12 && fabs(s.max - 0.512054) < 1e-12);
    const cak_item *item = epoch_items(&o, 0);
    int count[200] = { 0 };
    for (int i = 0; i < 400; i += 2) ck_assert(item[i].input == i / 2 && item[i].target == i / 2 && item[i].control == 0);
    for (int i = 1; i < 400; i += 2) count[item[i].input]++;
    for (int i = 0; i < 200; i++) ck_assert(count[i] == 0 || count[i] == 4);
    close_all(&o);
    o = open_pairs(200, "{fix_parity: true}", 0);
    s = cak_pairs_summary(o.a, cak_pair_loader_pairs(o.ld));
    ck_assert(s.distinct == 100 && s.unused == 0);
    ck_assert(fabs(s.mean - 0.458835) < 5e-7 && fabs(s.sd - 0.029198) < 5e-7);
    ck_assert(fabs(s.min - 0.405942) < 1e-12 && fabs(s.max - 0.513223) < 1e-12);
    close_all(&o);
    o = open_pairs(199, "{}", 0);
    s = cak_pairs_summary(o.a, cak_pair_loader_pairs(o.ld));
    ck_assert(s.distinct == 99 && s.unused == 1);
    close_all(&o);
}
END_TEST

/* Equal controls keep the order of the clips (a stable sort); with two clips there is one pair. */
START_TEST(ties_and_small_sets)
{
    opened o = open_pairs(6, "{control_dist: constant, fix_parity: true}", 0);
    const cak_item *item = epoch_items(&o, 0);
    for (int i = 1; i < 12; i += 2)
        ck_assert(item[i].input == i / 2 % 3 && item[i].target == i / 2 % 3 + 3 && item[i].control == 0);
    close_all(&o);
    o = open_pairs(2, "{}", 0);
    item = epoch_items(&o, 0);
    ck_assert(item[1].input == 1 && item[1].target == 0 && fabs(item[1].control - (0.675484 - 0.12251)) < 1e-12);
    close_all(&o);
    o = open_pairs(3, "{control_round: 1}", 0);
    ck_assert(cak_pairs_controls(cak_pair_loader_pairs(o.ld))[0] == 0.7);
    close_all(&o);
}
END_TEST

/* ---- variants ---- */

START_TEST(identity_fraction)
{
    static const double fractions[] = { 0, 0.25, 0.5, 0.75, 1 };
    for (int k = 0; k < 5; k++) {
        char yaml[64];
        snprintf(yaml, sizeof yaml, "{identity_fraction: %g, fix_parity: true}", fractions[k]);
        opened o = open_pairs(100, yaml, 0);
        cak_pair_summary s = cak_pairs_summary(o.a, cak_pair_loader_pairs(o.ld));
        ck_assert_int_eq(s.identity, lround(200 * fractions[k]));
        ck_assert_int_eq(s.identity + s.transformation, 200);
        ck_assert_int_eq(s.distinct, s.transformation < 50 ? s.transformation : 50);
        close_all(&o);
    }
}
END_TEST

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* The same controls for the same pairs of clips, but at other pairs. */
START_TEST(shuffled_controls)
{
    opened o = open_pairs(200, "{fix_parity: true}", 5), s = open_pairs(200, "{fix_parity: true, shuffled_controls: true}", 5);
    const cak_item *x = epoch_items(&o, 0), *y = epoch_items(&s, 0);
    double cx[400], cy[400];
    int moved = 0;
    for (int i = 0; i < 400; i++) {
        ck_assert(x[i].input == y[i].input && x[i].target == y[i].target);
        if (i % 2 == 0) ck_assert(y[i].control == 0);
        cx[i] = x[i].control, cy[i] = y[i].control;
        moved += cx[i] != cy[i];
    }
    ck_assert_int_gt(moved, 150);
    qsort(cx, 400, sizeof *cx, by_value);
    qsort(cy, 400, sizeof *cy, by_value);
    ck_assert(!memcmp(cx, cy, sizeof cx));
    ck_assert(!memcmp(y, epoch_items(&s, 3), 400 * sizeof *y)); /* for the whole run */
    close_all(&o);
    close_all(&s);
}
END_TEST

START_TEST(repair_every_epoch)
{
    opened o = open_pairs(200, "{fix_parity: true, repair_every_epoch: true}", 5);
    const double *control = cak_pairs_controls(cak_pair_loader_pairs(o.ld));
    const cak_item *x = epoch_items(&o, 0), *y = epoch_items(&o, 1);
    int moved = 0, uses[200] = { 0 };
    for (int i = 1; i < 400; i += 2) {
        ck_assert(x[i].control == control[x[i].target] - control[x[i].input] && x[i].control > 0);
        moved += x[i].target != y[i].target;
        uses[y[i].input]++, uses[y[i].target]++;
    }
    ck_assert_int_gt(moved, 150);
    for (int i = 0; i < 200; i++) ck_assert_int_eq(uses[i], 2);
    ck_assert(!memcmp(x, epoch_items(&o, 0), 400 * sizeof *x));
    close_all(&o);
}
END_TEST

START_TEST(features_as_controls)
{
    static const double measured[] = { 0.9, 0.1, 0.5, 0.3 };
    cak_prepared in = { .n = 4, .shape = CAK_SHAPE(1, F, T), .read = fake_read, .feature = measured };
    opened o = open_with(&in, "{control_dist: feature, feature: rms, control_lo: 0, control_hi: 2, control_round: 3}", 0);
    const double *c = cak_pairs_controls(cak_pair_loader_pairs(o.ld));
    ck_assert(c[0] == 1.8 && c[1] == 0.2 && c[2] == 1 && c[3] == 0.6);
    const cak_item *item = epoch_items(&o, 0);
    ck_assert(item[1].input == 3 && item[1].target == 0); /* lower half {1, 3}, upper {2, 0}; item 1 is pair 1 */
    close_all(&o);
}
END_TEST

START_TEST(measurements)
{
    enum { N = 44100 };
    static real x[N];
    double sine[CAK_FEATURES], noise[CAK_FEATURES], silence[CAK_FEATURES];
    cak_feature_measure(x, N, silence);
    for (int k = 0; k < CAK_FEATURES; k++) ck_assert(silence[k] == 0);
    for (int i = 0; i < N; i++) x[i] = (real)(0.1 * sin(2 * M_PI * 4410 * i / N + 0.5));
    cak_feature_measure(x, N, sine);
    ck_assert(fabs(sine[CAK_FEATURE_RMS] - (20 * log10(0.1 / sqrt(2)) + 60) / 60) < 1e-9);
    ck_assert(fabs(sine[CAK_FEATURE_ZCR] - 0.2) < 1e-3 && fabs(sine[CAK_FEATURE_CENTROID] - 0.2) < 2e-2);
    ck_assert(sine[CAK_FEATURE_FLATNESS] < 1e-3);
    srand(1);
    for (int i = 0; i < N; i++) x[i] = (real)((double)rand() / RAND_MAX - 0.5);
    cak_feature_measure(x, N, noise);
    ck_assert(noise[CAK_FEATURE_FLATNESS] > 0.4 && noise[CAK_FEATURE_FLATNESS] < 0.7); /* exp(-gamma) = 0.56 for white noise */
    ck_assert(fabs(noise[CAK_FEATURE_CENTROID] - 0.5) < 0.02 && fabs(noise[CAK_FEATURE_ZCR] - 0.5) < 0.02);
    cak_feature_measure(x, 1, noise); /* shorter than a frame */
    ck_assert(noise[CAK_FEATURE_ZCR] == 0);
}
END_TEST

/* ---- batches ---- */

typedef struct batch {
    real input[64 * F * T], target[64 * F * T], control[64];
} batch;

static void read(opened *o, batch *b, int64_t epoch, int64_t first, int n)
{
    real *const port[] = { b->input, b->target, b->control };
    ck_assert_int_le(n, (int)o->info.batch);
    node->stage->open_batch(o->ld, epoch, first);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < n; i++)
            ck_assert(node->stage->read_row(o->ld, o->d, k, i, port[k] + i * cak_shape_size(&o->info.port[k].shape)));
}

START_TEST(batches)
{
    static batch b;
    int seen[2][20] = { { 0 } };
    opened o = open_pairs(10, "{batch: 8}", 3);
    ck_assert(o.info.n_ports == 3 && o.info.batch == 8 && o.info.items == 20 && o.info.shuffle && !o.info.drop_last);
    ck_assert_str_eq(o.info.port[2].name, "control");
    ck_assert(o.info.port[0].shape.rank == 3 && o.info.port[0].shape.dim[1] == F && o.info.port[2].shape.rank == 1);
    const cak_item *item = epoch_items(&o, 0);
    int order[2][20];
    for (int64_t epoch = 0; epoch < 2; epoch++)
        for (int first = 0; first < 20; first += 8) {
            int n = first + 8 < 20 ? 8 : 20 - first;
            read(&o, &b, epoch, first, n);
            for (int k = 0; k < n; k++) {
                int in = (int)b.input[k * F * T] / 1000, to = (int)b.target[k * F * T] / 1000, i = 0;
                for (int c = 0; c < F * T; c++) ck_assert(b.target[k * F * T + c] - b.input[k * F * T + c] == 1000 * (to - in));
                while (i < 20 && (seen[epoch][i] || item[i].input != in || item[i].target != to)) i++;
                ck_assert_int_lt(i, 20); /* every item once */
                ck_assert(fabs((double)b.control[k] - item[i].control) < 1e-12);
                seen[epoch][i] = 1;
                order[epoch][first + k] = i;
            }
        }
    ck_assert(memcmp(order[0], order[1], sizeof order[0]));
    close_all(&o);
}
END_TEST

/* The order depends on seed and epoch, not on what was read before; without `shuffle` it is that of the items. */
START_TEST(order)
{
    static batch x, y;
    opened o = open_pairs(10, "{batch: 20, crop_f: 3, crop_t: 4}", 3),
           again = open_pairs(10, "{batch: 20, crop_f: 3, crop_t: 4}", 3);
    opened other = open_pairs(10, "{batch: 20, crop_f: 3, crop_t: 4}", 4),
           plain = open_pairs(10, "{batch: 20, shuffle: false}", 3);
    read(&o, &x, 5, 0, 20);
    read(&again, &y, 2, 4, 8);
    read(&again, &y, 5, 0, 20);
    ck_assert(!memcmp(&x, &y, sizeof x));
    read(&other, &y, 5, 0, 20);
    ck_assert(memcmp(&x, &y, sizeof x));
    read(&plain, &x, 5, 0, 20);
    for (int i = 0; i < 20; i += 2) ck_assert(x.input[i * F * T] == 1000 * (i / 2));
    close_all(&o);
    close_all(&again);
    close_all(&other);
    close_all(&plain);
}
END_TEST

/* Input and target of an identity are the same; the control is never said to be. */
START_TEST(same_rows)
{
    static batch b;
    opened o = open_pairs(10, "{batch: 20}", 3);
    int same = 0;
    read(&o, &b, 1, 0, 20);
    for (int i = 0; i < 20; i++) {
        bool equal = !memcmp(b.input + i * F * T, b.target + i * F * T, F * T * sizeof(real));
        ck_assert_int_eq(node->stage->same_row(o.ld, 0, 1, i), equal);
        ck_assert_int_eq(node->stage->same_row(o.ld, 1, 0, i), equal);
        ck_assert(!node->stage->same_row(o.ld, 0, 2, i) && !node->stage->same_row(o.ld, 2, 1, i));
        same += equal;
    }
    ck_assert_int_eq(same, 10);
    close_all(&o);
}
END_TEST

/* Windows are the same for input and target, lie anywhere in the clip and move from epoch to epoch. */
START_TEST(windows)
{
    enum { CF = 3, CT = 4 };
    static batch b;
    int places[F][T] = { { 0 } };
    opened o = open_pairs(10, "{batch: 20, crop_f: 3, crop_t: 4, shuffle: false}", 3);
    ck_assert(o.info.port[0].shape.dim[1] == CF && o.info.port[1].shape.dim[2] == CT);
    for (int epoch = 0; epoch < 40; epoch++) {
        read(&o, &b, epoch, 0, 20);
        for (int k = 0; k < 20; k++) {
            const real *x = b.input + k * CF * CT, *y = b.target + k * CF * CT;
            int at = (int)x[0] % 1000, r0 = at / 10, c0 = at % 10;
            for (int r = 0; r < CF; r++)
                for (int c = 0; c < CT; c++) {
                    ck_assert((int)x[r * CT + c] % 1000 == 10 * (r0 + r) + c0 + c);
                    ck_assert((int)y[r * CT + c] % 1000 == (int)x[r * CT + c] % 1000);
                }
            places[r0][c0]++;
        }
    }
    for (int r = 0; r <= F - CF; r++)
        for (int c = 0; c <= T - CT; c++) ck_assert_int_gt(places[r][c], 800 / 12 / 2);
    close_all(&o);
}
END_TEST

/* Whatever its place and epoch, a sample has the number of another one exactly when all its rows are the same. */
static void check_numbers(const char *yaml)
{
    enum { EPOCHS = 8, N = 20, ROW = 3 * 4, ALL = EPOCHS * N };
    static batch b;
    static real row[ALL][2 * ROW + 1];
    uint64_t id[ALL];
    opened o = open_pairs(10, yaml, 3);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        read(&o, &b, epoch, 0, N);
        for (int i = 0; i < N; i++) {
            memcpy(row[epoch * N + i], b.input + i * ROW, ROW * sizeof(real));
            memcpy(row[epoch * N + i] + ROW, b.target + i * ROW, ROW * sizeof(real));
            row[epoch * N + i][2 * ROW] = b.control[i];
            id[epoch * N + i] = node->stage->row_id(o.ld, i);
        }
    }
    int equal = 0;
    for (int i = 0; i < ALL; i++)
        for (int k = 0; k < i; k++) {
            bool same = !memcmp(row[i], row[k], sizeof row[i]);
            ck_assert_int_eq(id[i] == id[k], same);
            equal += same;
        }
    ck_assert_int_gt(equal, 10);
    close_all(&o);
}

START_TEST(numbers_of_samples)
{
    check_numbers("{batch: 20, crop_f: 3, crop_t: 4}");
    check_numbers("{batch: 20, crop_f: 3, crop_t: 4, control_dist: constant, repair_every_epoch: true}");
}
END_TEST

/* The same clips with other controls; windows of another size that begin at the same place. */
START_TEST(numbers_see_control_and_size)
{
    static const char *const yaml[] = { "{shuffle: false, batch: 20}", "{shuffle: false, batch: 20, control_hi: 0.9}",
                                        "{shuffle: false, batch: 20, crop_f: 5, crop_t: 6}",
                                        "{shuffle: false, batch: 20, crop_f: 5, crop_t: 5}" };
    opened o[4];
    for (int i = 0; i < 4; i++) {
        o[i] = open_pairs(10, yaml[i], 3);
        node->stage->open_batch(o[i].ld, 0, 0);
    }
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(node->stage->row_id(o[0].ld, i) == node->stage->row_id(o[1].ld, i), i % 2 == 0); /* identities */
        ck_assert(node->stage->row_id(o[2].ld, i) != node->stage->row_id(o[3].ld, i));
    }
    for (int i = 0; i < 4; i++) close_all(&o[i]);
}
END_TEST

START_TEST(errors)
{
    cak_prepared in = { .n = 10, .shape = CAK_SHAPE(1, F, T), .read = fake_read };
    opened o = open_with(NULL, "{}", 0);
    expect_error(&o, CAK_E1204, "needs clips");
    o = open_with(&in, "{crop_f: 6}", 0);
    expect_error(&o, CAK_E2004, "a window of 6 x 0 does not fit into clips of 5 x 7");
    o = open_with(&in, "{crop_t: 8}", 0);
    expect_error(&o, CAK_E2004, "does not fit");
    o = open_with(&in, "{control_lo: 2}", 0);
    expect_error(&o, CAK_E1202, "`control_lo` is larger");
    o = open_with(&in, "{control_dist: feature}", 0);
    expect_error(&o, CAK_E1204, "needs `feature`");
    in.n = 1;
    o = open_with(&in, "{}", 0);
    expect_error(&o, CAK_E2004, "at least 2 clips");
    int gone = 4;
    static real row[F * T];
    in = (cak_prepared){ .n = 10, .shape = CAK_SHAPE(1, F, T), .read = fake_read, .ctx = &gone };
    o = open_with(&in, "{batch: 20, shuffle: false}", 0);
    node->stage->open_batch(o.ld, 0, 0);
    ck_assert(node->stage->read_row(o.ld, o.d, 0, 2 * 3, row) && cak_diag_errors(o.d) == 0);
    ck_assert(!node->stage->read_row(o.ld, o.d, 0, 2 * gone, row)); /* the identity of the clip */
    ck_assert_int_eq(cak_diag_code(o.d, 0), CAK_E2006);
    close_all(&o);
}
END_TEST

/* Without clips the loader still tells the shape of its batches. */
START_TEST(shape_without_clips)
{
    cak_prepared in = { .shape = CAK_SHAPE(1, F, T) };
    opened o = open_with(&in, "{crop_f: 3, batch: 4}", 0);
    ck_assert_ptr_nonnull(o.ld);
    ck_assert(o.info.batch == 4 && o.info.items == 4 && o.info.port[0].shape.dim[1] == 3 && o.info.port[0].shape.dim[2] == T);
    close_all(&o);
}
END_TEST

SUITE(pair_loader, mersenne_twister, controls_of_200, pairs_of_200, ties_and_small_sets, identity_fraction, shuffled_controls,
      repair_every_epoch, features_as_controls, measurements, batches, order, same_rows, windows, numbers_of_samples,
      numbers_see_control_and_size, errors, shape_without_clips)
