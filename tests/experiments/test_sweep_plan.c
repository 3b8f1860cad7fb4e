/* Sweep directories: made, extended, opened; the check of every point. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/sweep_check.h"
#include "experiments/sweep_cost.h"
#include "experiments/sweep_dir.h"
#include "graph/io.h"
#include "graph/text.h"
#include "tests/support/run_test.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *root, *dir;

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    root = temp_dir();
    dir = cak_arena_print(a, "%s/sweeps/x", root);
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static const char *in(const char *folder, const char *name) { return cak_arena_print(a, "%s/%s", folder, name); }

static const char *read_text(const char *path)
{
    const char *text = cak_io_read_all(a, d, CAK_E4002, path, 0, NULL);
    ck_assert_ptr_nonnull(text);
    return text;
}

static cak_sweep *load(const char *text)
{
    const char *path = in(root, "s.yaml");
    write_file(a, d, path, cak_arena_print(a, "name: x\nbase: %s\n%s", source_path("configs/tiny/synth.yaml"), text));
    cak_sweep *s = cak_sweep_load(d, path, 0);
    ck_assert_msg(s != NULL, "%s", s ? "" : cak_diag_message(d, 0));
    return s;
}

static void expect(cak_code code, const char *part)
{
    ck_assert_int_ge(cak_diag_errors(d), 1);
    ck_assert_str_eq(cak_code_name(cak_diag_code(d, 0)), cak_code_name(code));
    ck_assert_msg(strstr(cak_diag_message(d, 0), part) != NULL, "'%s' lacks '%s'", cak_diag_message(d, 0), part);
}

static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

/* Plan the sweep of a file in `dir`; the hash of point i is the i-th letter of `hash`, 32 times. */
static cak_sweep_dir *make(const char *text, const char *hash)
{
    cak_sweep *s = load(text);
    const char **list = cak_arena_alloc(a, (size_t)s->n_points * sizeof *list);
    for (int i = 0; i < s->n_points; i++) {
        char *hex = cak_arena_alloc(a, 33);
        memset(hex, hash[i], 32);
        list[i] = hex;
    }
    cak_sweep_dir *x = cak_sweep_dir_make(d, dir, s, list);
    cak_sweep_close(s);
    return x;
}

static const char two[] = "method: grid\nparameters: {hp.lr: {values: [1e-3, 1e-4]}}\n";
static const char three[] = "method: grid\nparameters: {hp.lr: {values: [1e-2, 1e-3, 1e-4]}}\n";

/* ---- making and opening ---- */

START_TEST(a_new_directory)
{
    begin();
    cak_sweep_dir *x = make(two, "ab");
    ck_assert_msg(x != NULL, "%s", x ? "" : cak_diag_message(d, 0));
    ck_assert_int_eq(x->sweep->n_points, 2);
    ck_assert_str_eq(x->sweep->point[1].value[0], "1e-4");
    ck_assert_str_eq(x->config_hash[1], "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    ck_assert_str_eq(x->sweep->base, source_path("configs/tiny/synth.yaml"));
    const char *plan = read_text(in(dir, "plan.jsonl"));
    ck_assert_str_eq(plan, cak_arena_print(a,
                                           "{\"id\":\"%s\",\"config_hash\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
                                           "\"overrides\":{\"hp.lr\":\"1e-3\"}}\n"
                                           "{\"id\":\"%s\",\"config_hash\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\","
                                           "\"overrides\":{\"hp.lr\":\"1e-4\"}}\n",
                                           x->sweep->point[0].id, x->sweep->point[1].id));
    cak_sweep_dir_close(x);
    x = cak_sweep_dir_open(d, cak_arena_print(a, "%s//", dir));
    ck_assert_str_eq(x->dir, dir);
    ck_assert_int_eq(x->sweep->n_points, 2);
    cak_sweep_dir_close(x);
    end();
}
END_TEST

START_TEST(a_plan_is_extended)
{
    begin();
    cak_sweep_dir_close(make(two, "ab"));
    cak_sweep_dir *x = make(three, "cab");
    ck_assert_int_eq(x->sweep->n_points, 3);
    ck_assert_str_eq(x->sweep->point[0].value[0], "1e-2"); /* the order is that of the file, as if it had been planned at once */
    cak_sweep_dir_close(x);
    ck_assert_int_eq(lines(read_text(in(dir, "plan.jsonl"))), 3);
    end();
}
END_TEST

START_TEST(points_that_the_file_has_no_more)
{
    begin();
    cak_sweep_dir *x = make(three, "cab");
    const char *kept = cak_arena_text(a, x->sweep->point[0].id);
    ck_assert(cak_io_mkdirs(d, cak_arena_print(a, "%s/runs/%s", dir, kept)));
    cak_sweep_dir_close(x);
    x = make("method: grid\nparameters: {hp.lr: {value: 1e-4}}\n", "b"); /* 1e-2 has a run, 1e-3 has nothing */
    ck_assert_int_eq(x->sweep->n_points, 1);
    ck_assert_str_eq(x->sweep->point[0].value[0], "1e-4");
    cak_sweep_dir_close(x);
    const char *plan = read_text(in(dir, "plan.jsonl"));
    ck_assert_int_eq(lines(plan), 2);
    const char *last = strstr(plan, cak_arena_print(a, "\"id\":\"%s\"", kept));
    ck_assert_ptr_nonnull(last);
    ck_assert_ptr_nonnull(strstr(last, "\"dropped\":true}"));
    x = make(three, "cab"); /* and back again */
    ck_assert_int_eq(x->sweep->n_points, 3);
    cak_sweep_dir_close(x);
    ck_assert_ptr_null(strstr(read_text(in(dir, "plan.jsonl")), "dropped"));
    end();
}
END_TEST

START_TEST(a_changed_configuration_changes_nothing)
{
    begin();
    cak_sweep_dir_close(make(two, "ab"));
    const char *plan = read_text(in(dir, "plan.jsonl")), *file = read_text(in(dir, "sweep.yaml"));
    ck_assert_ptr_null(make(three, "cxy"));
    expect(CAK_E5002, "the configuration of point hp.lr=1e-3 is another one than when the plan was made");
    ck_assert_ptr_nonnull(strstr(printed(a, d), "and that of 1 more point"));
    ck_assert_ptr_nonnull(strstr(printed(a, d), "configs/tiny/synth.yaml: note: this file, or one that it names"));
    ck_assert_str_eq(read_text(in(dir, "plan.jsonl")), plan);
    ck_assert_str_eq(read_text(in(dir, "sweep.yaml")), file);
    end();
}
END_TEST

/* Two files with the same name must not undo each other's work. */
START_TEST(another_sweep_of_the_same_name)
{
    begin();
    static const char other[] = "method: grid\nparameters: {seed: {range: [0, 2]}}\n";
    cak_sweep_dir_close(make(two, "ab"));
    cak_sweep_dir *x = make(other, "cd"); /* nothing was run: the plan is replaced */
    ck_assert_int_eq(x->sweep->n_points, 2);
    ck_assert_ptr_nonnull(strstr(printed(a, d), "2 points of the plan: not in the file any more; run, and kept in "));
    ck_assert_ptr_nonnull(strstr(printed(a, d), ": 0\n"));
    ck_assert(cak_io_mkdirs(d, cak_arena_print(a, "%s/attempts", dir)));
    write_file(a, d, cak_arena_print(a, "%s/attempts/%s.jsonl", dir, x->sweep->point[0].id), "{}\n");
    cak_sweep_dir_close(x);
    ck_assert_ptr_null(make(two, "ab"));
    expect(CAK_E5002, "holds 1 point that was run, and none of them is in this file");
    end();
}
END_TEST

START_TEST(somebody_else_plans)
{
    begin();
    cak_sweep_dir_close(make(two, "ab"));
    int lock = cak_io_lock(d, in(dir, "sweep.lock"));
    ck_assert_ptr_null(make(three, "cab"));
    expect(CAK_E4004, "sweep.lock");
    cak_io_close(lock);
    end();
}
END_TEST

START_TEST(nothing_is_left_of_a_failure)
{
    begin();
    write_file(a, d, in(root, "sweeps"), "a file\n");
    ck_assert_ptr_null(make(two, "ab"));
    expect(CAK_E4001, "");
    cak_diag_clear(d);
    ck_assert(cak_io_remove(d, in(root, "sweeps")));
    ck_assert(cak_io_mkdirs(d, dir));
    write_file(a, d, in(dir, "thesis.tex"), "mine\n");
    ck_assert_ptr_null(make(two, "ab"));
    expect(CAK_E5003, "is no sweep directory, and not empty");
    int n;
    cak_io_list(a, d, dir, &n);
    ck_assert_int_eq(n, 1);
    end();
}
END_TEST

START_TEST(damaged_plans)
{
    begin();
    static const struct {
        const char *text, *message;
        int line;
    } table[] = {
        { "", "the plan has no points", 0 },
        { "{\"id\":", "", 1 },
        { "[]\n", "a field of the point is missing or wrong", 1 },
        { "{\"id\":\"00\",\"config_hash\":\"\",\"overrides\":{}}\n", "a field of the point is missing or wrong", 1 },
        { "{\"id\":\"0000000000000000\",\"config_hash\":\"\",\"overrides\":{\"hp.lr\":\"1\"}}\n", "does not fit", 1 },
        { "{\"id\":\"0000000000000000\",\"config_hash\":\"\",\"overrides\":{\"seed\":\"1\"}}\n", "does not fit", 1 },
    };
    cak_sweep_dir_close(make(two, "ab"));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        write_file(a, d, in(dir, "plan.jsonl"), table[i].text);
        ck_assert_ptr_null(cak_sweep_dir_open(d, dir));
        expect(CAK_E4002, table[i].message);
        ck_assert_int_eq(cak_diag_pos(d, 0).line, table[i].line);
        cak_diag_clear(d);
    }
    ck_assert(cak_io_remove(d, in(dir, "plan.jsonl")));
    ck_assert_ptr_null(cak_sweep_dir_open(d, dir));
    expect(CAK_E5003, "it has no plan");
    end();
}
END_TEST

/* Whoever only looks at a directory needs no base. */
START_TEST(the_base_may_be_gone)
{
    begin();
    cak_sweep_dir_close(make(two, "ab"));
    const char *text = read_text(in(dir, "sweep.yaml")), *line = strstr(text, "base: ");
    write_file(a, d, in(dir, "sweep.yaml"),
               cak_arena_print(a, "%.*sbase: /nowhere.yaml%s", (int)(line - text), text, strchr(line, '\n')));
    cak_sweep_dir *x = cak_sweep_dir_open(d, dir);
    ck_assert_ptr_nonnull(x);
    ck_assert_str_eq(x->sweep->base, "/nowhere.yaml");
    cak_sweep_dir_close(x);
    end();
}
END_TEST

/* ---- checking ---- */

START_TEST(every_point_is_checked)
{
    begin();
    cak_sweep *s = load("method: grid\nmetric: {name: violations}\n"
                        "parameters:\n"
                        "  hp.lr: {values: [1e-3, 1e-4]}\n"
                        "  seed: {range: [0, 3]}\n"
                        "  modules.critic.channels: {values: [[4, 8, 8], [4, 8, 4]]}\n"
                        "  data.batch.crop_t: {values: [32, 16]}\n");
    cak_sweep_checked *c = cak_sweep_check(a, d, s);
    ck_assert_msg(c != NULL, "%s", c ? "" : cak_diag_message(d, 0));
    ck_assert_int_eq(c->n_programs, 4); /* rates and seeds do not change the graph */
    ck_assert_int_eq(c->n_data, 2);
    for (int i = 0; i < s->n_points; i++) {
        ck_assert_uint_eq(strlen(c->config_hash[i]), 32);
        ck_assert_int_eq(c->train[i].epochs, 3);
        for (int k = 0; k < i; k++) ck_assert_str_ne(c->config_hash[i], c->config_hash[k]);
    }
    cak_sweep_close(s);
    end();
}
END_TEST

static void check_fails(const char *text, int errors, const char *const *part)
{
    begin();
    cak_sweep *s = load(text);
    ck_assert_ptr_null(cak_sweep_check(a, d, s));
    ck_assert_msg(cak_diag_errors(d) == errors, "%d errors:\n%.3000s", cak_diag_errors(d), printed(a, d));
    for (; *part; part++) ck_assert_msg(strstr(printed(a, d), *part) != NULL, "'%s' missing in\n%.3000s", *part, printed(a, d));
    cak_sweep_close(s);
    end();
}

START_TEST(mistakes_of_points)
{
    check_fails(
        "method: grid\nparameters:\n  hp.lr: {values: [1e-3, abc, -1]}\n  hp.lrr: {values: [1, 2]}\n  seed: {range: [0, 2]}\n", 3,
        (const char *const[]){ "there is no key 'hp.lrr'; did you mean 'hp.lr'?",
                               "s.yaml:6:3: note: in point hp.lr=1e-3 hp.lrr=1", "got 'abc'",
                               "s.yaml:5:3: note: in point hp.lr=abc", "got '-1'", NULL });
    check_fails("method: grid\nparameters: {seed: {range: [0, 5]}}\nmetric: {name: violation}\n", 1,
                (const char *const[]){ "s.yaml:5:16: error: 'violation' is not recorded", "did you mean 'violations'?",
                                       "and 4 more points", NULL });
    check_fails("method: grid\nparameters: {seed: {value: 1}}\nmetric: {name: x-y-z}\n", 1,
                (const char *const[]){ "; recorded are c_loss, ", ", violations, ", NULL });
    check_fails("method: grid\nparameters: {data.batch.crop_f: {values: [32, 512]}, seed: {range: [0, 3]}}\n", 1,
                (const char *const[]){ "[E2004]", "in point data.batch.crop_f=512 seed=0, and 2 more points", NULL });
    check_fails("method: grid\nparameters: {modules.generator.gate: {values: [true, maybe]}}\n", 1,
                (const char *const[]){ "got 'maybe'", "in point modules.generator.gate=maybe", NULL });
    check_fails("method: grid\nparameters: {hp.lr: {range: [-30, 0]}}\n", 20,
                (const char *const[]){ "got '-11'", "not looked at: 10 more points", NULL });
}
END_TEST

/* ---- the bill ---- */

START_TEST(the_bill)
{
    begin();
    cak_sweep *s = load("method: grid\nkeep: {checkpoints: last}\nlauncher: {jobs: 1, threads_per_job: 1}\n"
                        "parameters: {seed: {range: [0, 4]}, modules.critic.channels: {values: [[4, 8, 8], [4, 8, 4]]}}\n");
    cak_sweep_checked *c = cak_sweep_check(a, d, s);
    const cak_cost_options o = { .cache = in(root, "cache"), .progress = CAK_PROGRESS_NONE };
    cak_sweep_cost *cost = cak_sweep_cost_of(a, d, s, c, NULL, &o);
    ck_assert_int_eq(cost->points, 8);
    ck_assert_int_eq(cost->fresh, 8);
    ck_assert_int_eq(cost->done, 0);
    ck_assert_int_eq(cost->jobs, 1);
    ck_assert_double_gt(cost->seconds, 0);
    ck_assert_double_gt(cost->memory, 10e6);
    ck_assert_double_gt(cost->disk, 8 * 100e3);
    ck_assert_double_lt(cost->disk, 8 * 1e6);
    ck_assert_ptr_nonnull(strstr(cost->summary, "8 points: 8 new, 0 done, 8 to run; different programs: 2, data sections: 1"));
    for (int i = 0; i < 8; i++) ck_assert_ptr_nonnull(strstr(cost->text, s->point[i].id));
    cost->disk = 1e18, cost->memory = 1e18;
    ck_assert(!cak_sweep_cost_fits(d, cost, root));
    expect(CAK_E4007, "the points need about");
    ck_assert_ptr_nonnull(strstr(printed(a, d), "warning: 1 run at a time need about"));
    cak_sweep_close(s);
    end();
}
END_TEST

/* A continuous parameter of the graph makes every point a program: some are planned, a few are timed, the others are like them. */
START_TEST(the_bill_of_many_programs)
{
    begin();
    cak_sweep *s = load("method: random\nrun_cap: 140\nlauncher: {jobs: 2, threads_per_job: 1}\npair_by: [seed]\n"
                        "parameters: {hp.lambda_gp: {min: 1.0, max: 20.0}, seed: {range: [0, 2]}}\n");
    cak_sweep_checked *c = cak_sweep_check(a, d, s);
    ck_assert_int_eq(c->n_programs, 70);
    const cak_cost_options o = { .cache = in(root, "cache"), .progress = CAK_PROGRESS_NONE };
    cak_sweep_cost *cost = cak_sweep_cost_of(a, d, s, c, NULL, &o);
    ck_assert_double_gt(cost->seconds, 0);
    ck_assert_double_gt(cost->disk, 140 * 100e3);
    ck_assert_ptr_nonnull(strstr(cost->summary, "and 50 more programs"));
    cak_sweep_close(s);
    end();
}
END_TEST

SUITE(sweep_plan, a_new_directory, a_plan_is_extended, points_that_the_file_has_no_more, a_changed_configuration_changes_nothing,
      another_sweep_of_the_same_name, somebody_else_plans, nothing_is_left_of_a_failure, damaged_plans, the_base_may_be_gone,
      every_point_is_checked, mistakes_of_points, the_bill, the_bill_of_many_programs)
