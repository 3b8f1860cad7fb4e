/* Run directories: creation, states, locks, links, listing. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/run_list.h"
#include "experiments/rundir.h"
#include "experiments/visible.h"
#include "graph/io.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *root;
static char *words[] = { "cak", "train", "a\xff.yaml" };

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    root = temp_dir();
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static cak_run_spec spec(void)
{
    return (cak_run_spec){ .root = root,
                           .name = "cak-paper",
                           .seed = 7,
                           .config_digest = "3f9a1c00112233445566778899aabbcc",
                           .argc = 3,
                           .argv = words,
                           .threads = 2 };
}

static cak_run *created(void)
{
    cak_run_spec s = spec();
    cak_run *run = cak_run_create(d, &s);
    ck_assert_msg(run != NULL, "%s", run ? "" : cak_diag_message(d, 0));
    return run;
}

static void expect(cak_code code, const char *part)
{
    ck_assert_int_ge(cak_diag_errors(d), 1);
    ck_assert_str_eq(cak_code_name(cak_diag_code(d, 0)), cak_code_name(code));
    ck_assert_msg(strstr(cak_diag_message(d, 0), part) != NULL, "'%s' lacks '%s'", cak_diag_message(d, 0), part);
    cak_diag_clear(d);
}

static const char *in(const char *dir, const char *name) { return cak_arena_print(a, "%s/%s", dir, name); }

static void write_text(const char *path, const char *text)
{
    cak_io_part part = { text, strlen(text) };
    ck_assert(cak_io_replace(d, path, &part, 1));
}

static json_t *run_json(const char *dir)
{
    json_t *json = json_load_file(in(dir, "run.json"), 0, NULL);
    ck_assert_ptr_nonnull(json);
    return json;
}

static const char *text_at(json_t *json, const char *path)
{
    char key[64];
    while (json && *path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        json = json_object_get(json, key);
        path += n + (path[n] == '.');
    }
    return json_string_value(json);
}

START_TEST(a_new_run)
{
    begin();
    cak_run *run = created();
    const char *base = in(root, "cak-paper/");
    ck_assert_int_eq(strncmp(run->dir, base, strlen(base)), 0);
    unsigned day, second;
    char rest[32];
    ck_assert_int_eq(sscanf(run->id, "%8u-%6u-%31s", &day, &second, rest), 3);
    ck_assert_str_eq(rest, "s7-3f9a1c");
    ck_assert_uint_gt(day, 20200000);

    json_t *json = run_json(run->dir);
    ck_assert_str_eq(text_at(json, "state"), "created");
    ck_assert_str_eq(text_at(json, "id"), run->id);
    ck_assert_str_eq(text_at(json, "name"), "cak-paper");
    ck_assert_str_eq(text_at(json, "program.version"), CAK_VERSION);
    ck_assert_ptr_nonnull(text_at(json, "program.libs.fftw"));
    ck_assert_ptr_nonnull(text_at(json, "host.cpu"));
    ck_assert_ptr_nonnull(text_at(json, "cwd"));
    ck_assert_int_eq(strlen(text_at(json, "time.created")), 20);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "argv"), 1)), "train");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "argv"), 2)), "(not UTF-8)");
    ck_assert_int_eq(json_integer_value(json_object_get(json, "seed")), 7);
    json_decref(json);
    cak_run_close(run);
    end();
}
END_TEST

START_TEST(runs_of_one_second_have_their_own_directories)
{
    begin();
    cak_run *run[5];
    for (int i = 0; i < 5; i++) run[i] = created(); /* at most one change of second in between */
    bool numbered = false;
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) ck_assert_str_ne(run[i]->dir, run[j]->dir);
        numbered = numbered || strcmp(run[i]->id + strlen(run[i]->id) - 2, "-2") == 0;
    }
    ck_assert(numbered);
    for (int i = 0; i < 5; i++) cak_run_close(run[i]);
    end();
}
END_TEST

START_TEST(a_directory_given_by_name)
{
    begin();
    cak_run_spec s = spec();
    s.dir = in(root, "new/place/");
    cak_run *run = cak_run_create(d, &s);
    ck_assert_ptr_nonnull(run);
    ck_assert_str_eq(run->dir, in(root, "new/place"));
    cak_run_close(run);
    ck_assert_ptr_null(cak_run_create(d, &s));
    expect(CAK_E5001, "not empty");

    s.dir = in(root, "empty");
    ck_assert_int_eq(mkdir(s.dir, 0700), 0);
    run = cak_run_create(d, &s);
    ck_assert_ptr_nonnull(run);
    cak_run_close(run);

    ck_assert_int_eq(mkdir(in(root, "target"), 0700), 0);
    ck_assert_int_eq(symlink("target", in(root, "link")), 0);
    s.dir = in(root, "link/");
    ck_assert_ptr_null(cak_run_create(d, &s));
    expect(CAK_E4001, "symbolic link");
    ck_assert(!cak_io_exists(in(root, "target/run.json")));

    write_text(in(root, "file"), "");
    s.dir = in(root, "file");
    ck_assert_ptr_null(cak_run_create(d, &s));
    expect(CAK_E4002, "Not a directory");
    s.dir = in(root, "file/x");
    ck_assert_ptr_null(cak_run_create(d, &s));
    expect(CAK_E4001, "Not a directory");
    end();
}
END_TEST

START_TEST(names_are_no_paths)
{
    begin();
    static const char *const names[] = { "../x", "a/b", "-rf", ".", "..", "", "a\x1b[2J", "a\nb" };
    cak_run_spec s = spec();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        s.name = names[i];
        ck_assert_ptr_null(cak_run_create(d, &s));
        expect(CAK_E1205, "");
    }
    int n;
    ck_assert_ptr_nonnull(cak_io_list(a, d, root, &n));
    ck_assert_int_eq(n, 0);
    s.name = "x";
    s.root = in(root, "no-dir\n");
    write_text(s.root, "");
    ck_assert_ptr_null(cak_run_create(d, &s));
    expect(CAK_E4001, "Not a directory");
    end();
}
END_TEST

START_TEST(states)
{
    begin();
    cak_run *run = created();
    ck_assert(cak_run_start(d, run));
    cak_run_put_text(run, "data_hash", "8812ab");
    cak_run_put_int(run, "data_files", 200);
    const cak_run_diverged where = { .step = 812,
                                     .epoch = 32,
                                     .phase = "critic",
                                     .term = "gp",
                                     .value = (double)INFINITY,
                                     .node = "gp.norm",
                                     .origin = "a.yaml:12" };
    ck_assert(cak_run_finish(d, run, &(cak_run_end){ CAK_RUN_DIVERGED, CAK_EXIT_DIVERGED, &where }));
    const char *dir = cak_arena_text(a, run->dir);
    cak_run_close(run);

    json_t *json = run_json(dir);
    ck_assert_str_eq(text_at(json, "state"), "diverged");
    ck_assert_str_eq(text_at(json, "data_hash"), "8812ab");
    ck_assert_str_eq(text_at(json, "diverged.value"), "+inf");
    ck_assert_str_eq(text_at(json, "diverged.term"), "gp");
    ck_assert_str_eq(text_at(json, "diverged.origin"), "a.yaml:12");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "diverged"), "step")), 812);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "exit_code")), 5);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "data_files")), 200);
    json_t *history = json_object_get(json, "history");
    ck_assert_int_eq(json_array_size(history), 3);
    ck_assert_str_eq(json_string_value(json_array_get(json_array_get(history, 2), 0)), "diverged");
    ck_assert_int_eq(strlen(text_at(json, "time.ended")), 20);
    ck_assert(json_is_real(json_object_get(json_object_get(json, "time"), "wall_s")));
    json_decref(json);

    run = cak_run_open(d, dir);
    ck_assert_int_eq(run->state, CAK_RUN_DIVERGED);
    ck_assert_str_eq(cak_run_text(run, "data_hash"), "8812ab");
    ck_assert_ptr_null(cak_run_text(run, "absent"));
    ck_assert(cak_run_start(d, run)); /* the traces of the former end are gone */
    json = run_json(dir);
    ck_assert_ptr_null(json_object_get(json, "diverged"));
    ck_assert_ptr_null(json_object_get(json, "exit_code"));
    ck_assert_ptr_null(text_at(json, "time.ended"));
    json_decref(json);
    ck_assert(cak_run_finish(d, run, &(cak_run_end){ .state = CAK_RUN_FINISHED }));
    cak_run_close(run);
    end();
}
END_TEST

START_TEST(a_run_has_one_owner)
{
    begin();
    cak_run *run = created();
    ck_assert_ptr_null(cak_run_open(d, run->dir));
    expect(CAK_E4004, cak_arena_print(a, "process %d", getpid()));
    ck_assert(cak_run_start(d, run));
    cak_run_info *info = cak_run_describe(a, d, run->dir);
    ck_assert_int_eq(info->state, CAK_RUN_RUNNING);
    ck_assert_int_eq(info->holder, getpid());
    const char *dir = cak_arena_text(a, run->dir);
    cak_run_close(run); /* as if killed: says running, nobody holds it */
    info = cak_run_describe(a, d, dir);
    ck_assert_int_eq(info->state, CAK_RUN_CRASHED);
    ck_assert_int_eq(info->holder, 0);
    ck_assert_str_eq(cak_run_state_name(info->state), "crashed");
    run = cak_run_open(d, dir);
    ck_assert_int_eq(run->state, CAK_RUN_RUNNING);
    ck_assert(cak_run_start(d, run));
    cak_run_close(run);
    end();
}
END_TEST

START_TEST(opening_removes_temporaries_and_refuses_links)
{
    begin();
    cak_run *run = created();
    const char *dir = cak_arena_text(a, run->dir);
    cak_run_close(run);
    ck_assert(cak_io_mkdirs(d, in(dir, "ckpt")));
    write_text(in(dir, ".tmp-run.json-1-0"), "half");
    write_text(in(dir, "ckpt/.tmp-step-1-0"), "half");
    run = cak_run_open(d, dir);
    ck_assert_ptr_nonnull(run);
    ck_assert(!cak_io_exists(in(dir, ".tmp-run.json-1-0")) && !cak_io_exists(in(dir, "ckpt/.tmp-step-1-0")));
    cak_run_close(run);

    write_text(in(root, "bashrc"), "precious");
    ck_assert_int_eq(symlink(in(root, "bashrc"), in(dir, "ckpt/metrics.jsonl")), 0);
    ck_assert_ptr_null(cak_run_open(d, dir));
    expect(CAK_E4001, "symbolic link");
    ck_assert_str_eq(cak_io_read_all(a, d, CAK_E4002, in(root, "bashrc"), 0, NULL), "precious");

    ck_assert_int_eq(symlink(dir, in(root, "link")), 0);
    ck_assert_ptr_null(cak_run_open(d, in(root, "link/")));
    expect(CAK_E4001, "symbolic link");
    end();
}
END_TEST

START_TEST(what_is_no_run)
{
    begin();
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "run.json: " },
        { "{\"schema\": 1", "run.json: " },
        { "[1]", "schema" },
        { "{\"schema\": 2}", "schema" },
        { "{\"schema\": 1, \"schema\": 1}", "duplicate" },
        { "{\"schema\": 1, \"id\": \"x\", \"name\": \"x\", \"time\": {}, \"history\": []}", "missing or wrong" },
        { "{\"schema\": 1, \"id\": \"x\", \"name\": \"x\", \"time\": {}, \"history\": [], \"state\": \"crashed\"}",
          "missing or wrong" },
        { "{\"schema\": 1, \"id\": \"x\", \"name\": \"x\", \"time\": {}, \"history\": 3, \"state\": \"running\"}",
          "missing or wrong" },
        { "{\"schema\": 1, \"id\": 7, \"name\": \"x\", \"time\": {}, \"history\": [], \"state\": \"running\"}",
          "missing or wrong" },
    };
    ck_assert_ptr_null(cak_run_open(d, root));
    expect(CAK_E4011, "no run.json");
    ck_assert(!cak_io_exists(in(root, "run.lock"))); /* nothing is made in a foreign directory */
    ck_assert_ptr_null(cak_run_describe(a, d, in(root, "absent")));
    expect(CAK_E4011, "no run.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(in(root, "run.json"), cases[i].text);
        ck_assert_ptr_null(cak_run_open(d, root));
        expect(CAK_E4002, cases[i].part);
    }
    end();
}
END_TEST

START_TEST(writes_files_of_the_run)
{
    begin();
    cak_run *run = created();
    ck_assert(cak_run_write(d, run, "config.yaml", "a: 1\n") && cak_run_write(d, run, "config.src/model/cak.yaml", "b: 2\n"));
    ck_assert_str_eq(cak_io_read_all(a, d, CAK_E4002, cak_run_path(run, "config.src/model/cak.yaml"), 0, NULL), "b: 2\n");
    static const char *const outside[] = { "../x", "a/../../x", "/tmp/x", "", "..", "a/.." };
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        ck_assert(!cak_run_write(d, run, outside[i], ""));
        expect(CAK_E4001, "not below the run directory");
    }
    ck_assert(cak_run_write(d, run, "..name", ""));
    ck_assert_int_eq(symlink(root, in(run->dir, "figures")), 0);
    ck_assert(!cak_run_write(d, run, "figures/x.svg", ""));
    expect(CAK_E4001, "symbolic link");
    cak_run_close(run);
    end();
}
END_TEST

START_TEST(finds_and_describes_runs)
{
    begin();
    cak_run_spec s = spec();
    static const char *const names[] = { "b", "a", "a.point" };
    for (int i = 0; i < 3; i++) {
        s.dir = cak_arena_print(a, "%s/%s/1", root, names[i]);
        cak_run *run = cak_run_create(d, &s);
        if (i == 1)
            ck_assert(cak_run_write(
                d, run, "metrics.jsonl",
                "{\"t\":\"step\",\"step\":50,\"epoch\":2}\n{\"t\":\"epoch\",\"epoch\":2,\"step\":50,\"g_loss\":null}\n"));
        cak_run_close(run);
    }
    ck_assert_int_eq(symlink(in(root, "a"), in(root, "z")), 0);
    int n;
    const char *const *dir = cak_run_find(a, d, root, &n);
    ck_assert_int_eq(n, 3);
    ck_assert_str_eq(dir[0], in(root, "a/1"));
    ck_assert_str_eq(dir[2], in(root, "b/1"));
    cak_run_info *info = cak_run_describe(a, d, dir[0]);
    ck_assert(info->epochs == 3 && info->steps == 51 && info->last->n_rows == 1 && info->seed == 7);
    ck_assert_int_gt(info->created, 1600000000);
    info = cak_run_describe(a, d, dir[2]);
    ck_assert(info->epochs == 0 && info->steps == 0);
    const cak_run_file *file = cak_run_files(a, d, dir[0], &n);
    ck_assert_int_eq(n, 3);
    ck_assert_str_eq(file[0].name, "metrics.jsonl");
    ck_assert_str_eq(file[2].name, "run.lock");
    info = cak_run_describe(a, d, dir[0]);
    ck_assert_uint_eq(info->size, file[0].size + file[1].size + file[2].size);
    end();
}
END_TEST

START_TEST(describes_what_comparisons_need)
{
    begin();
    cak_run_spec s = spec();
    s.parent = "lr/0123456789abcdef";
    s.dir = in(root, "r");
    cak_run *run = cak_run_create(d, &s);
    cak_run_info *info = cak_run_describe(a, d, s.dir);
    ck_assert(info->exit_code == -1 && info->diverged_step == -1 && info->n_overrides == 0);
    ck_assert(!info->streams.batches && info->streams.n_init == 0);
    ck_assert_str_eq(info->parent, s.parent);
    ck_assert(cak_run_write(d, run, "overrides.txt", "hp.lr=1e-4\nseed=3\n"));
    json_object_set_new(run->doc, "streams",
                        json_pack("{s:s, s:{s:s, s:i, s:s}}", "batches", "b", "init", "z.w", "1", "odd", 1, "a.w", "2"));
    ck_assert(cak_run_start(d, run));
    cak_run_end ended = { CAK_RUN_DIVERGED, CAK_EXIT_DIVERGED, &(cak_run_diverged){ .step = 0, .value = (double)NAN } };
    ck_assert(cak_run_finish(d, run, &ended));
    cak_run_close(run);
    info = cak_run_describe(a, d, s.dir);
    ck_assert(info->exit_code == CAK_EXIT_DIVERGED && info->diverged_step == 0 && info->steps == 0);
    ck_assert_int_eq(info->n_overrides, 2);
    ck_assert_str_eq(info->overrides[0], "hp.lr=1e-4");
    ck_assert_str_eq(info->overrides[1], "seed=3");
    ck_assert_str_eq(info->streams.batches, "b");
    ck_assert_int_eq(info->streams.n_init, 2);
    ck_assert_str_eq(info->streams.init[0].key, "a.w");
    ck_assert_str_eq(info->streams.init[1].value, "1");
    ck_assert_int_eq(unlink(in(root, "r/overrides.txt")), 0);
    ck_assert_int_eq(mkdir(in(root, "r/overrides.txt"), 0700), 0);
    ck_assert_ptr_null(cak_run_describe(a, d, s.dir));
    expect(CAK_E4002, "overrides.txt");
    end();
}
END_TEST

START_TEST(text_for_people)
{
    begin();
    char buf[CAK_BYTES_TEXT];
    ck_assert_str_eq(cak_visible(a, "a\x1b[2J\n\x7f\xc3\xa9"), "a\\x1b[2J\\x0a\\x7f\xc3\xa9");
    ck_assert_str_eq(cak_bytes_text(0, buf), "0 B");
    ck_assert_str_eq(cak_bytes_text(1023, buf), "1023 B");
    ck_assert_str_eq(cak_bytes_text(1536, buf), "1.5 KiB");
    ck_assert_str_eq(cak_bytes_text(20 << 20, buf), "20 MiB");
    ck_assert_str_eq(cak_age_text(59, buf), "59 s");
    ck_assert_str_eq(cak_age_text(5400, buf), "1.5 h");
    ck_assert_str_eq(cak_age_text(-3, buf), "0 s");
    end();
}
END_TEST

SUITE(rundir, a_new_run, runs_of_one_second_have_their_own_directories, a_directory_given_by_name, names_are_no_paths, states,
      a_run_has_one_owner, opening_removes_temporaries_and_refuses_links, what_is_no_run, writes_files_of_the_run,
      finds_and_describes_runs, describes_what_comparisons_need, text_for_people)
