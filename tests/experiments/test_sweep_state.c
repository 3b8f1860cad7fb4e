/* Points of a sweep: states derived from claims, attempts and run directories; summary.csv; shares of the machine. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/sweep_attempt.h"
#include "experiments/sweep_claim.h"
#include "experiments/sweep_worker.h"
#include "graph/io.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static cak_sweep sweep;
static cak_sweep_dir dir;

enum { POINTS = 3 };
static const char *keys[] = { "hp.lr", "data.clips" };
static const char *values[POINTS][2] = { { "1e-4", "{type: synth, count: 12}" }, { "1e-3", "say \"a\"" }, { "10", "plain" } };
static cak_point point[POINTS] = { { "aaaaaaaaaaaaaaaa", values[0] },
                                   { "bbbbbbbbbbbbbbbb", values[1] },
                                   { "cccccccccccccccc", values[2] } };

static const char *in(const char *name) { return cak_arena_print(a, "%s/%s", dir.dir, name); }

static void begin(void)
{
    static const char *const folders[] = { "claims", "attempts", "logs", "runs" };
    a = cak_arena_open("test");
    d = cak_diag_open();
    sweep = (cak_sweep){ .name = "s", .key = keys, .n_keys = 2, .point = point, .n_points = POINTS };
    dir = (cak_sweep_dir){ .arena = a, .dir = temp_dir(), .sweep = &sweep };
    for (int i = 0; i < 4; i++) ck_assert(cak_io_mkdirs(d, in(folders[i])));
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static void write_text(const char *name, const char *text)
{
    cak_io_part part = { text, strlen(text) };
    const char *path = in(name);
    ck_assert(cak_io_mkdirs(d, cak_arena_print(a, "%.*s", (int)(strrchr(path, '/') - path), path)));
    ck_assert(cak_io_replace(d, path, &part, 1));
}

/* A run directory of point 0 whose run.json went through `changes` states; more: further fields. */
static void write_run(const char *state, int changes, const char *more)
{
    const char *history = "";
    for (int i = 0; i < changes; i++) history = cak_arena_print(a, "%s%s[\"x\",\"2026-11-24T01:15:02Z\"]", history, i ? "," : "");
    write_text("runs/aaaaaaaaaaaaaaaa/run.json",
               cak_arena_print(
                   a, "{\"schema\":1,\"id\":\"i\",\"name\":\"n\",\"state\":\"%s\",\"seed\":7,\"time\":{},\"history\":[%s]%s}",
                   state, history, more));
}

static cak_point_status look(int i)
{
    cak_point_status p;
    ck_assert(cak_point_look(a, d, &dir, i, &p));
    return p;
}

static void is(cak_point_state state, const char *reason, int code)
{
    cak_point_status p = look(0);
    ck_assert_str_eq(cak_point_state_name(p.state), cak_point_state_name(state));
    ck_assert_int_eq(p.exit_code, code);
    if (reason) ck_assert_msg(p.reason && !strcmp(p.reason, reason), "'%s' instead of '%s'", p.reason ? p.reason : "", reason);
    else ck_assert_msg(!p.reason, "'%s'", p.reason ? p.reason : "");
}

static void attempt(int code, int signal, const char *reason, int changes)
{
    cak_attempt t = { .exit_code = code, .signal = signal, .reason = reason, .started = 1, .ended = 2, .changes = changes };
    ck_assert(cak_attempt_add(d, &dir, 0, &t));
}

START_TEST(names_and_places)
{
    begin();
    ck_assert_str_eq(cak_point_path(a, &dir, 1, "runs"), in("runs/bbbbbbbbbbbbbbbb"));
    ck_assert_str_eq(cak_point_path(a, &dir, 1, "logs"), in("logs/bbbbbbbbbbbbbbbb.txt"));
    ck_assert_str_eq(cak_point_path(a, &dir, 1, "claims"), in("claims/bbbbbbbbbbbbbbbb.lock"));
    ck_assert_str_eq(cak_point_path(a, &dir, 1, "attempts"), in("attempts/bbbbbbbbbbbbbbbb.jsonl"));
    ck_assert_str_eq(cak_point_state_name(CAK_POINT_WAITING), "waiting");
    ck_assert_str_eq(cak_point_state_name(CAK_POINT_FAILED), "failed");
    end();
}
END_TEST

START_TEST(by_the_run_directory)
{
    begin();
    is(CAK_POINT_WAITING, NULL, -1);
    write_text("runs/aaaaaaaaaaaaaaaa/run.lock", ""); /* killed before run.json */
    is(CAK_POINT_WAITING, NULL, -1);
    write_run("created", 1, "");
    is(CAK_POINT_WAITING, NULL, -1);
    write_run("running", 2, "");
    is(CAK_POINT_KILLED, "crashed", -1);
    write_run("finished", 3, ",\"exit_code\":0");
    is(CAK_POINT_FINISHED, NULL, 0);
    write_run("interrupted", 3, ",\"exit_code\":75");
    is(CAK_POINT_INTERRUPTED, NULL, 75);
    write_run("failed", 3, ",\"exit_code\":6");
    is(CAK_POINT_FAILED, "exit code 6", 6);
    write_run("failed", 3, ",\"exit_code\":5"); /* its checkpoint met what is not finite */
    is(CAK_POINT_DIVERGED, NULL, 5);
    write_run("diverged", 3, ",\"exit_code\":5,\"diverged\":{\"step\":8}");
    is(CAK_POINT_DIVERGED, "diverged in step 8", 5);
    ck_assert_str_eq(look(0).run->dir, in("runs/aaaaaaaaaaaaaaaa"));
    write_text("runs/aaaaaaaaaaaaaaaa/run.json", "{");
    ck_assert_int_eq(look(0).state, CAK_POINT_FAILED);
    ck_assert_ptr_nonnull(strstr(look(0).reason, "run.json"));
    ck_assert_int_eq(cak_diag_errors(d), 0); /* one damaged point does not hide the others */
    end();
}
END_TEST

START_TEST(by_the_last_attempt)
{
    begin();
    attempt(4, 0, "no usable audio file [E2001]", 0); /* before there was a run directory */
    is(CAK_POINT_FAILED, "exit code 4: no usable audio file [E2001]", 4);
    ck_assert_int_eq(look(0).attempts, 1);
    attempt(-1, 9, NULL, 0);
    is(CAK_POINT_KILLED, "signal 9 (Killed)", -1);
    attempt(127, 0, NULL, 0);
    is(CAK_POINT_FAILED, "exit code 127", 127);
    ck_assert_int_eq(look(0).attempts, 3);

    write_run("running", 2, "");
    is(CAK_POINT_KILLED, "crashed", -1); /* newer than the attempts */
    attempt(-1, 11, NULL, 2);
    is(CAK_POINT_KILLED, "signal 11 (Segmentation fault)", -1);
    write_run("interrupted", 3, ",\"exit_code\":75");
    is(CAK_POINT_INTERRUPTED, NULL, 75);
    attempt(9, 0, "damaged [E4005]", 3); /* a resume that could not begin */
    is(CAK_POINT_FAILED, "exit code 9: damaged [E4005]", 9);
    write_run("interrupted", 5, ",\"exit_code\":75"); /* it was mended, and nobody was left to record the next attempt */
    is(CAK_POINT_INTERRUPTED, NULL, 75);
    write_run("finished", 5, ",\"exit_code\":0");
    attempt(4, 0, NULL, 5); /* a result stays one */
    is(CAK_POINT_FINISHED, NULL, 0);
    end();
}
END_TEST

START_TEST(stopped_early)
{
    begin();
    write_run("interrupted", 3, ",\"exit_code\":75");
    cak_attempt t = { .exit_code = 75, .stopped_early = true, .changes = 3 };
    ck_assert(cak_attempt_add(d, &dir, 0, &t));
    is(CAK_POINT_STOPPED, NULL, 75);
    write_run("interrupted", 5, ",\"exit_code\":75"); /* somebody went on with it by hand */
    is(CAK_POINT_INTERRUPTED, NULL, 75);
    end();
}
END_TEST

START_TEST(attempts_read_back)
{
    begin();
    int n;
    cak_attempt t = { .exit_code = 4, .reason = "a \"b\"\x1b", .started = 1763945742, .ended = 1763945743, .changes = 7 }, got;
    ck_assert(cak_attempt_add(d, &dir, 0, &t));
    ck_assert(cak_attempt_last(a, d, &dir, 0, &n, &got));
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(got.exit_code, 4);
    ck_assert_int_eq(got.signal, 0);
    ck_assert_str_eq(got.reason, t.reason);
    ck_assert_int_eq(got.started, t.started);
    ck_assert_int_eq(got.ended, t.ended);
    ck_assert_int_eq(got.changes, 7);
    ck_assert(!got.stopped_early);
    t.reason = "\xff"; /* JSON is UTF-8 */
    ck_assert(cak_attempt_add(d, &dir, 0, &t) && cak_attempt_last(a, d, &dir, 0, &n, &got));
    ck_assert_ptr_null(got.reason);
    end();
}
END_TEST

START_TEST(torn_and_damaged_attempts)
{
    begin();
    attempt(0, 0, NULL, 3);
    const char *whole = cak_io_read_all(a, d, CAK_E4002, in("attempts/aaaaaaaaaaaaaaaa.jsonl"), 0, NULL);
    write_text("attempts/aaaaaaaaaaaaaaaa.jsonl", cak_arena_print(a, "%s{\"exit\":", whole));
    ck_assert_int_eq(look(0).attempts, 1);
    attempt(6, 0, NULL, 0); /* does not lengthen the torn line */
    ck_assert_int_eq(look(0).attempts, 2);
    is(CAK_POINT_FAILED, "exit code 6", 6);
    write_text("attempts/aaaaaaaaaaaaaaaa.jsonl", "{\"exit\":\n[]\n");
    ck_assert_int_eq(look(0).state, CAK_POINT_FAILED);
    ck_assert_str_eq(look(0).reason,
                     cak_arena_print(a, "%s:1: not the record of an attempt", in("attempts/aaaaaaaaaaaaaaaa.jsonl")));
    cak_attempt got;
    int n;
    ck_assert(!cak_attempt_last(a, d, &dir, 0, &n, &got));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E4002);
    write_text("attempts/aaaaaaaaaaaaaaaa.jsonl", "[]\n");
    ck_assert(!cak_attempt_last(a, d, &dir, 0, &n, &got));
    cak_attempt t = { 0 };
    ck_assert_int_eq(mkdir(in("attempts/bbbbbbbbbbbbbbbb.jsonl"), 0700), 0);
    ck_assert(!cak_attempt_add(d, &dir, 1, &t));
    end();
}
END_TEST

START_TEST(claims)
{
    begin();
    int claim, second;
    write_run("finished", 3, ",\"exit_code\":0");
    ck_assert(!cak_claim_held(&dir, 0));
    ck_assert(cak_claim_take(d, &dir, 0, &claim) && claim >= 0);
    ck_assert(cak_claim_held(&dir, 0));
    is(CAK_POINT_RUNNING, NULL, 0);
    cak_point_status p;
    cak_point_outcome(a, &dir, 0, &p, NULL); /* what the holder sees */
    ck_assert_int_eq(p.state, CAK_POINT_FINISHED);
    ck_assert(cak_claim_take(d, &dir, 0, &second) && second == CAK_CLAIM_NONE);
    int copy = dup(claim); /* as a child has it */
    cak_io_close(claim);
    ck_assert(cak_claim_held(&dir, 0));
    cak_io_close(copy);
    ck_assert(!cak_claim_held(&dir, 0));
    is(CAK_POINT_FINISHED, NULL, 0);
    ck_assert_int_eq(mkdir(in("claims/bbbbbbbbbbbbbbbb.lock"), 0700), 0);
    ck_assert(!cak_claim_take(d, &dir, 1, &claim) && claim == CAK_CLAIM_NONE);
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E4001);
    end();
}
END_TEST

/* The launcher is stopped by a full pipe when it says how point 0 ended: 0 when the attempt is recorded by then, and the claim still held. */
static int watch_the_end(int pipe_end)
{
    char text[512];
    struct stat st = { 0 };
    for (int i = 0; i < 2000 && !st.st_size; i++, usleep(5000)) stat(in("attempts/aaaaaaaaaaaaaaaa.jsonl"), &st);
    bool held = cak_claim_held(&dir, 0);
    while (read(pipe_end, text, sizeof text) > 0) {}
    return !(st.st_size && held);
}

START_TEST(a_claim_outlives_the_record_of_its_attempt)
{
    begin();
    static const char full[4096];
    cak_task task[POINTS] = { 0 };
    cak_running running = { .point = 0, .child = { .log = in("logs/aaaaaaaaaaaaaaaa.txt") } };
    cak_worker w = { .a = a, .d = d, .s = &dir, .task = task, .running = &running, .n_running = 1, .only = -1, .jobs = 1 };
    w.show = cak_show_open(CAK_PROGRESS_PLAIN);
    w.brief = cak_brief_open(a, &sweep);
    int ends[2], status, before = dup(STDERR_FILENO);
    write_run("finished", 3, ",\"exit_code\":0");
    ck_assert(cak_claim_take(d, &dir, 0, &running.claim) && running.claim >= 0);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETPIPE_SZ, sizeof full), sizeof full);
    ck_assert_int_eq(write(ends[1], full, sizeof full), sizeof full);
    pid_t watcher = fork();
    if (watcher == 0) {
        close(ends[1]), close(running.claim);
        _exit(watch_the_end(ends[0]));
    }
    dup2(ends[1], STDERR_FILENO), close(ends[0]), close(ends[1]);
    cak_worker_ended(&w, 0, 0);
    dup2(before, STDERR_FILENO), close(before);
    ck_assert_int_eq(waitpid(watcher, &status, 0), watcher);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(w.n_running, 0);
    is(CAK_POINT_FINISHED, NULL, 0);
    ck_assert(!cak_claim_held(&dir, 0));
    end();
}
END_TEST

START_TEST(a_run_that_goes_on_by_hand_is_running)
{
    begin();
    write_run("interrupted", 3, ",\"exit_code\":75");
    int lock = cak_io_lock(d, in("runs/aaaaaaaaaaaaaaaa/run.lock"));
    ck_assert_int_eq(look(0).state, CAK_POINT_RUNNING);
    cak_io_close(lock);
    is(CAK_POINT_INTERRUPTED, NULL, 75);
    end();
}
END_TEST

static const char *summary(void)
{
    ck_assert_msg(cak_sweep_write_summary(d, &dir), "%s", cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
    return cak_io_read_all(a, d, CAK_E4002, in("summary.csv"), 0, NULL);
}

START_TEST(summary_as_csv)
{
    begin();
    static const char metrics[] =
        "{\"t\":\"step\",\"step\":9,\"epoch\":1}\n"
        "{\"t\":\"epoch\",\"epoch\":0,\"step\":5,\"wall\":3,\"early\":1}\n"
        "{\"t\":\"epoch\",\"epoch\":1,\"step\":10,\"wall\":3.5,\"g_loss\":0.1234567890123,\"odd, name\":null}\n";
    write_run("finished", 3, ",\"exit_code\":0");
    write_text("runs/aaaaaaaaaaaaaaaa/metrics.jsonl", metrics);
    write_text(
        "runs/bbbbbbbbbbbbbbbb/run.json",
        "{\"schema\":1,\"id\":\"i\",\"name\":\"n\",\"state\":\"diverged\",\"seed\":7,\"time\":{},\"history\":[],\"exit_code\":5,"
        "\"diverged\":{\"step\":6}}");
    write_text("runs/bbbbbbbbbbbbbbbb/metrics.jsonl", "{\"t\":\"step\",\"step\":6,\"epoch\":1}\n{\"t\":\"epoch\",\"epoch\":0,"
                                                      "\"step\":5,\"wall\":1,\"c_loss\":-2,\"g_loss\":null,"
                                                      "\"nonfinite\":{\"g_loss\":\"-inf\"}}\n");
    static const char want[] = "id,hp.lr,data.clips,state,exit_code,epochs,steps,diverged_step,g_loss,\"odd, name\",c_loss\n"
                               "aaaaaaaaaaaaaaaa,1e-4,\"{type: synth, count: 12}\",finished,0,2,10,,0.123456789,nan,\n"
                               "bbbbbbbbbbbbbbbb,1e-3,\"say \"\"a\"\"\",diverged,5,1,6,6,-inf,,-2\n"
                               "cccccccccccccccc,10,plain,waiting,,,,,,,\n";
    ck_assert_str_eq(summary(), want);
    attempt(-1, 9, NULL, 2); /* a disturbed sweep that came to the same end */
    attempt(0, 0, NULL, 3);
    ck_assert_str_eq(summary(), want);
    end();
}
END_TEST

START_TEST(summary_has_a_row_of_every_point)
{
    begin();
    static const struct {
        cak_attempt last;
        const char *cells;
    } cases[] = {
        { { .exit_code = 4, .reason = "no usable audio file" }, "failed,4" },
        { { .exit_code = -1, .signal = 9 }, "killed," },
        { { .exit_code = 75 }, "interrupted,75" },
        { { .exit_code = 75, .stopped_early = true }, "stopped,75" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(cak_attempt_add(d, &dir, 0, &cases[i].last));
        const char *want = cak_arena_print(a,
                                           "id,hp.lr,data.clips,state,exit_code,epochs,steps,diverged_step\n"
                                           "aaaaaaaaaaaaaaaa,1e-4,\"{type: synth, count: 12}\",%s,,,\n"
                                           "bbbbbbbbbbbbbbbb,1e-3,\"say \"\"a\"\"\",waiting,,,,\n"
                                           "cccccccccccccccc,10,plain,waiting,,,,\n",
                                           cases[i].cells);
        ck_assert_str_eq(summary(), want);
    }
    end();
}
END_TEST

START_TEST(summary_waits_for_its_lock)
{
    begin();
    int ready[2];
    char byte = 0;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int held = cak_io_lock(d, in("claims/summary.lock"));
        if (held < 0 || write(ready[1], &byte, 1) != 1) _exit(1);
        usleep(300 * 1000);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_ptr_nonnull(summary());
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    close(ready[0]), close(ready[1]);
    ck_assert_int_eq(unlink(in("claims/summary.lock")), 0);
    ck_assert_int_eq(mkdir(in("claims/summary.lock"), 0700), 0);
    ck_assert(!cak_sweep_write_summary(d, &dir));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E4001);
    end();
}
END_TEST

START_TEST(shares_of_the_machine)
{
    static const struct {
        int64_t points, processors, jobs, threads, want_jobs, want_threads;
        bool ok;
    } cases[] = {
        { 100, 8, 0, 0, 8, 1, true },   { 2, 8, 0, 0, 2, 4, true },     { 3, 8, 0, 0, 4, 2, true },
        { 100, 8, 2, 0, 2, 4, true },   { 100, 8, 0, 3, 2, 3, true },   { 100, 8, 4, 4, 2, 4, false },
        { 100, 8, 1, 16, 1, 8, false }, { 100, 8, 16, 0, 8, 1, false }, { 0, 8, 0, 0, 1, 8, true },
        { 100, 1, 0, 0, 1, 1, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t jobs = cases[i].jobs, threads = cases[i].threads;
        ck_assert_int_eq(cak_sweep_share(cases[i].points, cases[i].processors, &jobs, &threads), cases[i].ok);
        ck_assert_int_eq(jobs, cases[i].want_jobs);
        ck_assert_int_eq(threads, cases[i].want_threads);
    }
}
END_TEST

START_TEST(early_termination_is_warned_of)
{
    cak_sweep s = { 0 };
    ck_assert_ptr_null(cak_sweep_censoring(&s));
    s.early.min_iter = 3;
    ck_assert_ptr_nonnull(strstr(cak_sweep_censoring(&s), "censored"));
    ck_assert_ptr_null(strstr(cak_sweep_censoring(&s), "pairs"));
    s.n_pair_by = 1;
    ck_assert_ptr_nonnull(strstr(cak_sweep_censoring(&s), "pairs"));
}
END_TEST

SUITE(sweep_state, names_and_places, by_the_run_directory, by_the_last_attempt, stopped_early, attempts_read_back,
      torn_and_damaged_attempts, claims, a_claim_outlives_the_record_of_its_attempt, a_run_that_goes_on_by_hand_is_running,
      summary_as_csv, summary_has_a_row_of_every_point, summary_waits_for_its_lock, shares_of_the_machine,
      early_termination_is_warned_of)
