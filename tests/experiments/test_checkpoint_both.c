/* Checkpoints: saved and loaded exactly, refused when damaged or foreign, the newest intact one found, old ones pruned. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiments/checkpoint.h"
#include "graph/io.h"
#include "tests/support/run_test.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *dir;

/* A small state that tests change at will. */
static real w[6], v[6];
static uint64_t step, epoch;
static double best;
static cak_ckpt_array array[8];
static cak_ckpt_counter counter[4];
static cak_ckpt_number number[2];
static cak_pair identity[2];
static cak_ckpt_state state;

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    dir = temp_dir();
    for (int i = 0; i < 6; i++) w[i] = (real)1 / (real)(i + 3), v[i] = (real)(-i);
    step = (1ULL << 60) + 1, epoch = 32, best = 1.0 / 3;
    array[0] = (cak_ckpt_array){ "param/w", CAK_SHAPE(2, 3), w };
    array[1] = (cak_ckpt_array){ "opt/c/v/w", CAK_SHAPE(6), v };
    counter[0] = (cak_ckpt_counter){ "step", &step };
    counter[1] = (cak_ckpt_counter){ "epoch", &epoch };
    number[0] = (cak_ckpt_number){ "best", &best };
    identity[0] = (cak_pair){ "config", "3f9a1c" };
    state = (cak_ckpt_state){ array, counter, number, identity, 2, 2, 1, 1 };
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static void expect(cak_code code, const char *part)
{
    ck_assert_msg(cak_diag_errors(d) == 1, "%d errors where one with '%s' was expected", cak_diag_errors(d), part);
    ck_assert_str_eq(cak_code_name(cak_diag_code(d, 0)), cak_code_name(code));
    ck_assert_msg(strstr(cak_diag_message(d, 0), part) != NULL, "'%s' lacks '%s'", cak_diag_message(d, 0), part);
    cak_diag_clear(d);
}

static const char *path_of(uint64_t s) { return cak_ckpt_path(a, dir, s); }
static void save(uint64_t s) { ck_assert_msg(cak_ckpt_save(d, dir, s, &state), "%s", cak_diag_message(d, 0)); }

static void forget(void)
{
    memset(w, 0, sizeof w);
    memset(v, 0, sizeof v);
    step = epoch = 0;
    best = 0;
}

static void damage(uint64_t s) /* one bit of the last byte */
{
    FILE *f = fopen(path_of(s), "r+b");
    ck_assert_ptr_nonnull(f);
    fseek(f, -1, SEEK_END);
    int c = fgetc(f);
    fseek(f, -1, SEEK_END);
    fputc(c ^ 4, f);
    fclose(f);
}

START_TEST(a_state_comes_back_exactly)
{
    begin();
    w[5] = (real)-0.0;
    save(12);
    ck_assert_str_eq(path_of(12), cak_arena_print(a, "%s/ckpt/step-0000000012.safetensors", dir));
    real old_w[6], old_v[6];
    memcpy(old_w, w, sizeof w);
    memcpy(old_v, v, sizeof v);
    forget();
    ck_assert(cak_ckpt_load(d, path_of(12), &state));
    ck_assert(memcmp(w, old_w, sizeof w) == 0 && memcmp(v, old_v, sizeof v) == 0);
    ck_assert(step == (1ULL << 60) + 1 && epoch == 32 && best == 1.0 / 3);
    best = (double)INFINITY;
    save(13);
    best = 0;
    ck_assert(cak_ckpt_load(d, path_of(13), &state) && best == (double)INFINITY);
    end();
}
END_TEST

START_TEST(equal_states_give_equal_files)
{
    begin();
    size_t n, m;
    save(1);
    sleep(1);
    save(2);
    const char *one = cak_io_read_all(a, d, CAK_E4002, path_of(1), 0, &n),
               *two = cak_io_read_all(a, d, CAK_E4002, path_of(2), 0, &m);
    ck_assert(n == m && memcmp(one, two, n) == 0);
    end();
}
END_TEST

START_TEST(the_size_is_known_before)
{
    begin();
    enum { N = 40000 };
    array[0].data = cak_arena_alloc(a, N * sizeof(real));
    array[0].shape = CAK_SHAPE(N);
    save(1);
    size_t n;
    cak_io_read_all(a, d, CAK_E4002, path_of(1), 0, &n);
    ck_close((double)cak_ckpt_size(&state), (double)n, 0.05);
    end();
}
END_TEST

START_TEST(a_diverged_state_is_no_checkpoint)
{
    begin();
    w[3] = (real)NAN;
    ck_assert(!cak_ckpt_save(d, dir, 5, &state));
    expect(CAK_E4008, "param/w is not finite");
    ck_assert(!cak_io_exists(path_of(5)));
    const char *snapshot = cak_arena_print(a, "%s/state.safetensors", dir);
    ck_assert(cak_ckpt_write(d, snapshot, &state));
    forget();
    ck_assert(!cak_ckpt_load(d, snapshot, &state));
    expect(CAK_E4005, "param/w is not finite");
    ck_assert(!cak_ckpt_verify(d, snapshot));
    expect(CAK_E4005, "not finite");
    end();
}
END_TEST

/* Change the state after saving; loading must refuse it, say why, and touch nothing. */
static void misfit(const char *part)
{
    real before[6];
    memcpy(before, w, sizeof w);
    ck_assert(!cak_ckpt_load(d, path_of(1), &state));
    expect(CAK_E4006, part);
    ck_assert(memcmp(before, w, sizeof w) == 0);
}

START_TEST(what_does_not_fit)
{
    begin();
    save(1);
    w[0] = 77;
    array[1].name = "opt/g/v/w";
    misfit("opt/g/v/w is missing; opt/c/v/w is not part of the run");
    array[1].name = "opt/c/v/w";
    array[0].shape = CAK_SHAPE(3, 2);
    misfit("param/w has shape [2,3], the run needs [3,2]");
    array[0].shape = CAK_SHAPE(2, 3);
    state.n_arrays = 1;
    misfit("opt/c/v/w is not part of the run");
    state.n_arrays = 2;
    identity[0].value = "other";
    misfit("config is 3f9a1c, the run has other");
    identity[0].value = "3f9a1c";
    state.n_identity = 2;
    identity[1] = (cak_pair){ "data", "88" };
    misfit("data is missing, the run has 88");
    state.n_identity = 1;
    counter[1].name = "batch";
    misfit("counter batch is missing");
    counter[1].name = "epoch";
    state.n_counters = 1;
    misfit("1 counters or numbers are not part of the run");
    state.n_counters = 2;
    number[0].name = "worst";
    misfit("number worst is missing");
    number[0].name = "best";
    ck_assert(cak_ckpt_load(d, path_of(1), &state) && w[0] != 77);
    end();
}
END_TEST

START_TEST(only_the_first_differences_are_listed)
{
    begin();
    save(1);
    for (int i = 0; i < 8; i++) array[i] = (cak_ckpt_array){ cak_arena_print(a, "other/%d", i), CAK_SHAPE(6), v };
    state.n_arrays = 8;
    ck_assert(!cak_ckpt_load(d, path_of(1), &state));
    ck_assert_ptr_null(strstr(cak_diag_message(d, 0), "other/5"));
    expect(CAK_E4006, "other/4 is missing; and 5 more");
    end();
}
END_TEST

START_TEST(files_with_malformed_scalars_or_of_others)
{
    begin();
    const cak_tensor t[] = { { "param/w", CAK_REAL_DTYPE, CAK_SHAPE(2, 3), w, sizeof w },
                             { "opt/c/v/w", CAK_REAL_DTYPE, CAK_SHAPE(6), v, sizeof v } };
    cak_pair meta[] = {
        { "identity/config", "3f9a1c" }, { "counter/step", "12x" }, { "counter/epoch", "-1" }, { "number/best", "" }
    };
    ck_assert(cak_io_mkdirs(d, cak_arena_print(a, "%s/ckpt", dir)));
    ck_assert(cak_tensors_save(d, path_of(1), t, 2, meta, 4));
    misfit("counter step is malformed; counter epoch is malformed; number best is malformed");
    const cak_tensor odd[] = { { "param/w", "I64", CAK_SHAPE(0), w, 0 }, t[1] };
    array[0].shape = CAK_SHAPE(0);
    ck_assert(cak_tensors_save(d, path_of(1), odd, 2, meta, 4));
    misfit("param/w is I64, this program computes in " CAK_REAL_DTYPE);
    ck_assert(!cak_ckpt_load(d, source_path("tests/golden/golden_tiny.safetensors"), &state));
    expect(CAK_E4006, "not written by this program");
    ck_assert(!cak_ckpt_load(d, path_of(9), &state));
    expect(CAK_E4002, "No such file");
    end();
}
END_TEST

START_TEST(resume_finds_the_newest_intact_one)
{
    begin();
    uint64_t found = 0;
    ck_assert(cak_ckpt_resume(d, dir, &state, &found) && found == CAK_CKPT_NONE);
    for (epoch = 1; epoch <= 4; epoch++) save(9 + epoch * 10000000000 / 4); /* the last have one digit more */
    ck_assert(cak_ckpt_resume(d, dir, &state, &found));
    ck_assert(found == 10000000009 && epoch == 4);
    ck_assert_str_eq(printed(a, d), "");

    damage(10000000009);
    ck_assert_int_eq(truncate(path_of(7500000009), 30), 0);
    ck_assert(cak_ckpt_resume(d, dir, &state, &found));
    ck_assert(found == 5000000009 && epoch == 2 && cak_diag_errors(d) == 0);
    const char *text = printed(a, d);
    ck_assert_ptr_nonnull(strstr(text, "step-10000000009.safetensors: the checksum is"));
    ck_assert_ptr_nonnull(strstr(text, "step-7500000009.safetensors: the header says"));
    ck_assert_ptr_nonnull(strstr(text, "warning"));

    damage(5000000009);
    damage(2500000009);
    ck_assert(!cak_ckpt_resume(d, dir, &state, &found));
    expect(CAK_E4005, "none of 4 checkpoints is intact");
    int n;
    cak_ckpt_steps(a, d, dir, &n);
    ck_assert_int_eq(n, 4); /* nothing is deleted */
    end();
}
END_TEST

START_TEST(resume_does_not_pass_over_a_foreign_one)
{
    begin();
    uint64_t found;
    save(1);
    identity[0].value = "other";
    save(2);
    identity[0].value = "3f9a1c";
    ck_assert(!cak_ckpt_resume(d, dir, &state, &found));
    expect(CAK_E4006, "config is other");
    ck_assert(cak_io_remove(d, path_of(2)));
    ck_assert_int_eq(symlink(path_of(1), path_of(2)), 0);
    ck_assert(!cak_ckpt_resume(d, dir, &state, &found));
    expect(CAK_E4001, "symbolic link");
    end();
}
END_TEST

static void expect_steps(int n, const uint64_t *want)
{
    int found;
    const uint64_t *steps = cak_ckpt_steps(a, d, dir, &found);
    ck_assert_int_eq(found, n);
    for (int i = 0; i < n; i++) ck_assert_uint_eq(steps[i], want[i]);
}

static void write_empty(const char *path)
{
    cak_io_part part = { "", 0 };
    ck_assert(cak_io_replace(d, path, &part, 1));
}

START_TEST(pruning_keeps_the_newest_and_the_best)
{
    begin();
    for (uint64_t s = 9990; s <= 10020; s += 10) save(s);
    save(123);
    static const char *const others[] = { "step-12.safetensors", "step-00000000012.safetensors",
                                          "step-0000000012.safetensors.bak", "step-.safetensors", "best.safetensors" };
    for (size_t i = 0; i < 5; i++) write_empty(cak_arena_print(a, "%s/ckpt/%s", dir, others[i]));
    expect_steps(5, (const uint64_t[]){ 123, 9990, 10000, 10010, 10020 });
    ck_assert(cak_ckpt_prune(d, dir, 3, 123));
    expect_steps(4, (const uint64_t[]){ 123, 10000, 10010, 10020 });
    ck_assert(cak_ckpt_prune(d, dir, 2, CAK_CKPT_NONE));
    expect_steps(2, (const uint64_t[]){ 10010, 10020 });
    for (size_t i = 0; i < 5; i++) ck_assert(cak_io_exists(cak_arena_print(a, "%s/ckpt/%s", dir, others[i])));
    end();
}
END_TEST

START_TEST(pruning_never_takes_the_last_intact_one)
{
    begin();
    for (uint64_t s = 1; s <= 4; s++) save(s);
    damage(3);
    damage(4);
    ck_assert(cak_ckpt_prune(d, dir, 1, CAK_CKPT_NONE));
    expect_steps(3, (const uint64_t[]){ 2, 3, 4 });
    ck_assert(!cak_ckpt_verify(d, path_of(3)));
    expect(CAK_E4009, "damaged");
    ck_assert(cak_ckpt_verify(d, path_of(2)));
    end();
}
END_TEST

SUITE(checkpoint, a_state_comes_back_exactly, equal_states_give_equal_files, the_size_is_known_before,
      a_diverged_state_is_no_checkpoint, what_does_not_fit, only_the_first_differences_are_listed,
      files_with_malformed_scalars_or_of_others, resume_finds_the_newest_intact_one, resume_does_not_pass_over_a_foreign_one,
      pruning_keeps_the_newest_and_the_best, pruning_never_takes_the_last_intact_one)
