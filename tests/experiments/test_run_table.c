/* The table of runs: its columns, and what is left of them on a narrow terminal. */
#include <stdio.h>
#include <string.h>

#include "experiments/run_table.h"
#include "experiments/sweep_dir.h"
#include "experiments/visible.h"
#include "tests/support/run_test.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static cak_run_set *s;
static const char *root;

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    s = cak_run_set_open(a);
    s->plain = true;
    root = temp_dir();
}

static void end(void)
{
    cak_run_set_close(s);
    cak_diag_close(d);
    cak_arena_close(a);
}

static const char *in(const char *name) { return cak_arena_print(a, "%s/%s", root, name); }

static void make_metrics(const char *dir, const char *values)
{
    const made_run r = { .dir = in(dir) };
    make_run(a, d, &r);
    write_file(a, d, cak_arena_print(a, "%s/metrics.jsonl", r.dir),
               cak_arena_print(a, "{\"t\":\"epoch\",\"epoch\":0,\"step\":5,\"wall\":3,%s}\n", values));
}

/* Two points of a sweep that maximises the second metric, and a run of its own. */
static void make_runs(void)
{
    static const char *const hash[] = { "h", "h" };
    write_file(a, d, in("t.yaml"),
               cak_arena_print(a,
                               "base: %s\nmethod: grid\nparameters: {hp.lr: {values: [1, 2]}, hp.gp: {value: 3}}\n"
                               "metric: {name: second, goal: maximize}\n",
                               source_path("configs/tiny/synth.yaml")));
    cak_sweep *sweep = cak_sweep_load(d, in("t.yaml"), 0);
    cak_sweep_dir *dir = sweep ? cak_sweep_dir_make(d, in("s"), sweep, hash) : NULL;
    ck_assert_msg(dir != NULL, "%s", cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
    for (int i = 0; i < 2; i++)
        make_metrics(cak_arena_print(a, "s/runs/%s", sweep->point[i].id),
                     "\"first\":1,\"first.part\":7,\"second\":-0.0,\"third_\\u001b\":3");
    cak_sweep_dir_close(dir);
    cak_sweep_close(sweep);
    make_metrics("z", "\"first\":null,\"nonfinite\":{\"first\":\"nan\"}");
    ck_assert(cak_run_set_add_below(s, d, root));
    ck_assert_int_eq(s->n, 3);
}

static const char *line(const char *text, int n)
{
    for (; n > 0; n--) text = strchr(text, '\n') + 1;
    return cak_arena_print(a, "%.*s", (int)strcspn(text, "\n"), text);
}

START_TEST(columns)
{
    begin();
    make_runs();
    const char *text = cak_run_table(a, s, 0);
    must_have(line(text, 0), "STATE     EPOCH  STEP  ");
    must_have(line(text, 0), " SIZE  OVERRIDES  second  first  third_\\x1b");
    must_have(text, " hp.lr=1         0      1           3\n");
    must_have(text, " hp.lr=2         0      1           3\n");
    must_have(line(text, 3), cak_arena_print(a, "%s  ", in("z")));
    must_have(text, " -               -    nan           -\n");
    must_lack(text, "gp");
    must_lack(text, "part");
    end();
}
END_TEST

START_TEST(without_a_sweep)
{
    begin();
    make_metrics("z", "\"first\":1");
    ck_assert(cak_run_set_add_below(s, d, root));
    must_lack(cak_run_table(a, s, 0), "OVERRIDES");
    must_have(cak_run_table(a, s, 0), " SIZE  first\n");
    end();
}
END_TEST

/* What goes first, what stays. */
START_TEST(narrow_terminals)
{
    begin();
    make_runs();
    const int all = cak_columns(line(cak_run_table(a, s, 0), 0));
    ck_assert_int_eq(cak_columns(line(cak_run_table(a, s, all), 0)), all);
    for (int width = 20; width <= all; width++) {
        const char *text = cak_run_table(a, s, width);
        for (int i = 0; i < 4; i++) {
            ck_assert_int_le(cak_columns(line(text, i)), width);
            ck_assert_int_gt(cak_columns(line(text, i)), 0);
        }
    }
    const char *text = cak_run_table(a, s, all - 1);
    must_lack(text, "third");
    must_have(text, "first");
    text = cak_run_table(a, s, 70);
    must_have(text, "STATE     EPOCH  STEP  OVERRIDES  second\n");
    must_have(text, " hp.lr=2         0\n");
    for (int i = 1; i < 3; i++) ck_assert(strncmp(line(text, i), "…", 3) == 0);
    must_have(line(text, 1), "  finished ");
    must_have(line(text, 3), "/z ");
    text = cak_run_table(a, s, 40);
    must_lack(text, "second");
    must_have(line(text, 0), "RUN ");
    end();
}
END_TEST

SUITE(run_table, columns, without_a_sweep, narrow_terminals)
