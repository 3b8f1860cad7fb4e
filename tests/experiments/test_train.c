/* Training on a batch that is too large for memory: its rows are read in the middle of a step, and may be unreadable there. */
#include <string.h>

#include "experiments/checkpoint.h"
#include "experiments/train.h"
#include "graph/io.h"
#include "tests/support/suite.h"

enum { B = 8, ITEMS = 14, SIDE = 520, IMAGE = SIDE * SIDE, CONTROL = 2, PORTS = 3 };

typedef struct source {               /* a loader: even items are identities */
    int64_t epoch, first, reads, bad; /* bad: this read fails; 0: none does */
} source;

static void open_batch(void *ld, int64_t epoch, int64_t first)
{
    source *s = ld;
    s->epoch = epoch, s->first = first;
}

static bool read_row(void *ld, cak_diag *d, int port, int64_t sample, real *out)
{
    source *s = ld;
    int64_t item = s->first + sample, clip = item % 2 ? 2 * item + port : 2 * item;
    if (__atomic_add_fetch(&s->reads, 1, __ATOMIC_RELAXED) == s->bad)
        return cak_error(d, CAK_E4002, CAK_NOWHERE, "cannot read row %d of clips.bin", (int)sample);
    if (port == CONTROL) *out = (real)(item % 2) / 2;
    uint32_t state = (uint32_t)(clip + 100 * s->epoch + 1) * 2654435761u;
    for (int64_t i = 0; port != CONTROL && i < IMAGE; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = (real)(state >> 8) / (1 << 24);
    }
    return true;
}

static bool same_row(const void *ld, int port, int other, int64_t sample)
{
    const source *s = ld;
    return port < CONTROL && other < CONTROL && (s->first + sample) % 2 == 0;
}

static const cak_stage_ops ops = { .open_batch = open_batch, .read_row = read_row, .same_row = same_row };

/* Train for `steps`, or go on with what there is in the directory. */
static int train(const char *dir, source *s, cak_diag *d, bool resume)
{
    static const char *const overrides[] = { "train.phases.critic.repeat=1", "++train.max_steps=2", "train.epochs=1" };
    cak_shape image = CAK_SHAPE(1, SIDE, SIDE);
    cak_loader_info info = { .n_ports = PORTS,
                             .items = ITEMS,
                             .batch = B,
                             .port = { { "input", image }, { "target", image }, { "control", CAK_SHAPE(1) } } };
    cak_config *c = cak_config_load(d, "configs/tiny/synth.yaml", overrides, 3);
    cak_experiment *x = cak_experiment_open(c);
    real *port[PORTS] = { 0 }; /* nobody needs them */
    ck_assert(cak_experiment_build(x, &info) && cak_experiment_ready(x, port));
    cak_run_spec spec = { .dir = dir, .name = "rows", .config_digest = "0123456789abcdef0123456789abcdef" };
    cak_run *run = resume ? cak_run_open(d, dir) : cak_run_create(d, &spec);
    ck_assert_ptr_nonnull(run);
    cak_batches data = { &ops, s, "digest" };
    int code = cak_train(x, &data, port, run, &(cak_train_options){ .progress = CAK_PROGRESS_NONE, .resume = resume });
    cak_run_close(run);
    cak_experiment_close(x);
    cak_config_close(c);
    return code;
}

static cak_run_state state_of(cak_diag *d, const char *dir)
{
    cak_run *run = cak_run_peek(d, dir);
    ck_assert_ptr_nonnull(run);
    cak_run_state state = run->state;
    cak_run_close(run);
    return state;
}

static char *last_checkpoint(cak_arena *a, cak_diag *d, const char *dir, size_t *size)
{
    char *text = cak_io_read_all(a, d, CAK_E4002, cak_arena_print(a, "%s/ckpt/step-0000000002.safetensors", dir), 0, size);
    ck_assert_ptr_nonnull(text);
    return text;
}

/* The second step breaks off. The run has failed, says why, keeps its checkpoint; resumed, it ends where an undisturbed one does. */
START_TEST(unreadable_row_in_a_step)
{
    cak_arena *a = cak_arena_open("test");
    cak_diag *d = cak_diag_open();
    const char *good = cak_arena_print(a, "%s/good", temp_dir()), *broken = cak_arena_print(a, "%s/broken", temp_dir());
    source s = { 0 };
    size_t size, other;
    ck_assert_int_eq(train(good, &s, d, false), CAK_EXIT_OK);
    s.bad = s.reads - 1;
    s.reads = 0;
    ck_assert_int_eq(train(broken, &s, d, false), 6);
    ck_assert(cak_diag_errors(d) >= 1 && cak_diag_code(d, 0) == CAK_E4002);
    ck_assert_ptr_nonnull(strstr(cak_diag_message(d, 0), "of clips.bin"));
    cak_diag_clear(d);
    ck_assert_int_eq(state_of(d, broken), CAK_RUN_FAILED);
    int n;
    const uint64_t *steps = cak_ckpt_steps(a, d, broken, &n);
    ck_assert(n == 1 && steps[0] == 0);
    s = (source){ 0 };
    ck_assert_int_eq(train(broken, &s, d, true), CAK_EXIT_OK);
    ck_assert_int_eq(state_of(d, broken), CAK_RUN_FINISHED);
    char *x = last_checkpoint(a, d, good, &size), *y = last_checkpoint(a, d, broken, &other);
    ck_assert(size == other && !memcmp(x, y, size));
    cak_diag_close(d);
    cak_arena_close(a);
}
END_TEST

SUITE(train, unreadable_row_in_a_step)
