/* synth: every kind makes what its name says, again and again. */
#include <math.h>
#include <string.h>

#include "tests/support/sound_test.h"

extern const cak_node cak_node_synth;
static const cak_node *const node = &cak_node_synth;
enum { N = 8000 };

/* The clips of a source one after the other. */
static real *render(cak_arena *a, const char *yaml, cak_source_info *info)
{
    cak_diag *d = cak_diag_open();
    void *src = node->stage->open_source(a, d, stage_attr(a, d, node, yaml), CAK_NOWHERE, NULL, info);
    real *x = cak_arena_alloc(a, (size_t)(info->n * info->length) * sizeof *x), piece[1000];
    for (int i = 0; i < info->n; i++) {
        real *clip = x + i * info->length;
        ck_assert(node->stage->read_clip(src, d, i, clip));
        for (int64_t at = 0, n; (n = node->stage->read_whole(src, d, i, at, 1000, piece)) > 0 || at < info->length; at += n) {
            ck_assert(n == 1000 || at + n == info->length);
            ck_assert(!memcmp(piece, clip + at, (size_t)n * sizeof *piece));
        }
    }
    node->stage->close_source(src);
    cak_diag_close(d);
    return x;
}

static double peak(const real *x)
{
    double top = 0;
    for (int i = 0; i < N; i++) top = fmax(top, fabs((double)x[i]));
    return top;
}

static double lag_one(const real *x) /* correlation of neighbours */
{
    double xx = 0, xy = 0;
    for (int i = 1; i < N; i++) xx += (double)(x[i] * x[i]), xy += (double)(x[i] * x[i - 1]);
    return xy / xx;
}

static int nonzero(const real *x)
{
    int n = 0;
    for (int i = 0; i < N; i++) n += x[i] != 0;
    return n;
}

START_TEST(kinds)
{
    cak_arena *a = cak_arena_open("test");
    cak_source_info info;
    const real *x = render(a, "{count: 10, seconds: 1, rate: 8000, seed: 3, level: 0.5}", &info);
    static const char *const names[] = {
        "00000-sine", "00001-chirp", "00002-noise", "00003-pulses", "00004-mixture", "00005-sine"
    };
    ck_assert_int_eq(info.n, 10);
    ck_assert_int_eq(info.length, N);
    ck_assert(info.rate == 8000);
    for (int i = 0; i < 6; i++) ck_assert_str_eq(info.clip[i].name, names[i]);
    for (int i = 0; i < 10; i++) ck_assert(peak(x + i * N) > 0.1 && peak(x + i * N) < 0.75);
    /* a sine obeys x[i+1] + x[i-1] = 2 cos(w) x[i] with w below an eighth of the rate */
    double c = (double)(x[101] + x[99]) / (2 * (double)x[100]);
    ck_assert(c < 1 && c > cos(2 * M_PI / 8));
    for (int i = 1; i < N - 1; i++) ck_assert(fabs((double)(x[i + 1] + x[i - 1]) - 2 * c * (double)x[i]) < 1e-5);
    ck_assert(lag_one(x + N) > 0.5);            /* chirp: slow */
    ck_assert(fabs(lag_one(x + 2 * N)) < 0.06); /* noise: white */
    ck_assert(nonzero(x + 3 * N) >= 2 && nonzero(x + 3 * N) <= 21);
    ck_assert(memcmp(x, x + 5 * N, N * sizeof *x)); /* the next sine has another pitch */
    cak_arena_close(a);
}
END_TEST

START_TEST(seeds)
{
    cak_arena *a = cak_arena_open("test");
    cak_source_info one, same, other, noise;
    const real *x = render(a, "{count: 5, seconds: 1, rate: 8000, seed: 1}", &one);
    const real *y = render(a, "{count: 5, seconds: 1, rate: 8000, seed: 1}", &same);
    const real *z = render(a, "{count: 5, seconds: 1, rate: 8000, seed: 2}", &other);
    ck_assert(!memcmp(x, y, 5 * N * sizeof *x));
    ck_assert_str_eq(one.digest, same.digest);
    ck_assert_str_ne(one.digest, other.digest);
    for (int i = 0; i < 5; i++) ck_assert(memcmp(x + i * N, z + i * N, N * sizeof *x));
    const real *n = render(a, "{count: 2, seconds: 1, rate: 8000, kind: noise}", &noise);
    ck_assert(fabs(lag_one(n)) < 0.06 && fabs(lag_one(n + N)) < 0.06);
    ck_assert_str_ne(one.digest, noise.digest);
    cak_arena_close(a);
}
END_TEST

SUITE(synth, kinds, seeds)
