/* metrics.jsonl, metrics.csv, log.txt: what is written, cut back on resume, and read. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/log.h"
#include "experiments/metrics.h"
#include "graph/io.h"
#include "graph/text.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *dir;
static const cak_field step_field[] = { { "c_loss", false }, { "critic.grad_norm", true } };
static const cak_field epoch_field[] = { { "g_loss", false }, { "violations", true } };
static const cak_fields steps = { step_field, 2 }, epochs = { epoch_field, 2 };

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    dir = temp_dir();
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static void expect(cak_code code, const char *part)
{
    ck_assert_int_ge(cak_diag_errors(d), 1);
    ck_assert_str_eq(cak_code_name(cak_diag_code(d, 0)), cak_code_name(code));
    ck_assert_msg(strstr(cak_diag_message(d, 0), part) != NULL, "'%s' lacks '%s'", cak_diag_message(d, 0), part);
    cak_diag_clear(d);
}

static const char *in(const char *name) { return cak_arena_print(a, "%s/%s", dir, name); }

static const char *text_of(const char *name)
{
    const char *text = cak_io_read_all(a, d, CAK_E4002, in(name), 0, NULL);
    ck_assert_ptr_nonnull(text);
    return text;
}

static void write_text(const char *name, const char *text)
{
    cak_io_part part = { text, strlen(text) };
    ck_assert(cak_io_replace(d, in(name), &part, 1));
}

static cak_metrics *opened(const cak_metrics_count *keep)
{
    cak_metrics *m = cak_metrics_open(d, dir, steps, epochs, keep);
    ck_assert_msg(m != NULL, "%s", m ? "" : cak_diag_message(d, 0));
    return m;
}

/* Steps first..last, an epoch of 3 steps. */
static void run(cak_metrics *m, uint64_t first, uint64_t last)
{
    for (uint64_t s = first; s <= last; s++) {
        const double v[] = { 1.0 / (double)s, (double)s }, e[] = { -0.5 * (double)s, 1.0 / 3 };
        ck_assert(cak_metrics_step(d, m, s, (s - 1) / 3, (s - 1) % 3, 0.25 * (double)s, v));
        if (s % 3 == 0) ck_assert(cak_metrics_epoch(d, m, s / 3, s, 0.25 * (double)s, e));
    }
}

START_TEST(records)
{
    begin();
    cak_metrics *m = opened(NULL);
    const double v[] = { 0.1f, 0.1 }, bad[] = { (double)INFINITY, (double)NAN }, e[] = { -(double)INFINITY, 2 };
    ck_assert(cak_metrics_step(d, m, 1, 0, 0, 0.5, v) && cak_metrics_step(d, m, 2, 0, 1, 1, bad));
    ck_assert(cak_metrics_epoch(d, m, 1, 2, 1.25, e));
    ck_assert(cak_metrics_event(d, m, "resume", 2, 1.5, NULL) && cak_metrics_event(d, m, "note", 2, 1.5, "a \"b\"\n") &&
              cak_metrics_event(d, m, "note", 2, 1.5, "\xff") && cak_metrics_sync(d, m));
    cak_metrics_close(m);
    ck_assert_str_eq(
        text_of("metrics.jsonl"),
        "{\"t\":\"step\",\"step\":1,\"epoch\":0,\"batch\":0,\"wall\":0.500,\"c_loss\":0.100000001,"
        "\"critic.grad_norm\":0.10000000000000001}\n"
        "{\"t\":\"step\",\"step\":2,\"epoch\":0,\"batch\":1,\"wall\":1.000,\"c_loss\":null,\"critic.grad_norm\":null,"
        "\"nonfinite\":{\"c_loss\":\"+inf\",\"critic.grad_norm\":\"nan\"}}\n"
        "{\"t\":\"epoch\",\"epoch\":1,\"step\":2,\"wall\":1.250,\"g_loss\":null,\"violations\":2,"
        "\"nonfinite\":{\"g_loss\":\"-inf\"}}\n"
        "{\"t\":\"event\",\"event\":\"resume\",\"step\":2,\"wall\":1.5}\n"
        "{\"t\":\"event\",\"event\":\"note\",\"step\":2,\"wall\":1.5,\"note\":\"a \\\"b\\\"\\n\"}\n"
        "{\"t\":\"event\",\"event\":\"note\",\"step\":2,\"wall\":1.5,\"note\":\"(not UTF-8)\"}\n");
    ck_assert_str_eq(text_of("metrics.csv"), "epoch,step,wall,g_loss,violations\n1,2,1.250,-inf,2\n");
    end();
}
END_TEST

START_TEST(numbers_read_back_the_same)
{
    begin();
    cak_metrics *m = opened(NULL);
    enum { N = 500 };
    double v[N][2];
    unsigned seed = 1;
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 2; k++) v[i][k] = ldexp((double)rand_r(&seed) / 3.0 - 3e8, (int)(rand_r(&seed) % 80) - 60);
        v[i][0] = (double)(float)v[i][0];
        ck_assert(cak_metrics_step(d, m, (uint64_t)i, 0, 0, 0, v[i]));
    }
    cak_metrics_close(m);
    cak_metrics_table *t = cak_metrics_read(a, d, dir, "step");
    ck_assert_int_eq(t->n_rows, N);
    int c = cak_metrics_column(t, "c_loss"), g = cak_metrics_column(t, "critic.grad_norm");
    for (int i = 0; i < N; i++) {
        ck_assert((float)t->value[i * t->n_names + c] == (float)v[i][0]);
        ck_assert(t->value[i * t->n_names + g] == v[i][1]);
    }
    end();
}
END_TEST

START_TEST(a_resume_cuts_back_to_the_checkpoint)
{
    begin();
    cak_metrics *m = opened(NULL);
    run(m, 1, 9);
    cak_metrics_close(m);
    const char *want = text_of("metrics.jsonl"), *want_csv = text_of("metrics.csv");

    for (uint64_t at = 0; at <= 9; at++) {
        cak_metrics_count keep = { at, at / 3 };
        m = opened(&keep);
        cak_metrics_count counted = cak_metrics_counted(m);
        ck_assert(counted.steps == keep.steps && counted.epochs == keep.epochs);
        run(m, at + 1, 9);
        counted = cak_metrics_counted(m);
        ck_assert(counted.steps == 9 && counted.epochs == 3);
        cak_metrics_close(m);
        ck_assert_str_eq(text_of("metrics.jsonl"), want);
        ck_assert_str_eq(text_of("metrics.csv"), want_csv);
    }
    end();
}
END_TEST

START_TEST(an_epoch_record_after_the_checkpoint_is_dropped)
{
    begin();
    cak_metrics *m = opened(NULL);
    run(m, 1, 3);
    cak_metrics_close(m);
    cak_metrics_close(opened(&(cak_metrics_count){ 3, 0 })); /* saved between the last step and the end of the epoch */
    ck_assert_ptr_null(strstr(text_of("metrics.jsonl"), "\"t\":\"epoch\""));
    ck_assert_str_eq(text_of("metrics.csv"), "epoch,step,wall,g_loss,violations\n");
    end();
}
END_TEST

START_TEST(a_torn_line_and_events)
{
    begin();
    cak_metrics *m = opened(NULL);
    run(m, 1, 2);
    ck_assert(cak_metrics_event(d, m, "resume", 2, 1, NULL));
    cak_metrics_close(m);
    const char *whole = text_of("metrics.jsonl");
    write_text("metrics.jsonl", cak_arena_print(a, "%s{\"t\":\"step\",\"step\":3,\"ep", whole));
    ck_assert_int_eq(cak_metrics_read(a, d, dir, "step")->n_rows, 2);
    ck_assert(cak_metrics_last(a, d, dir, "step")->value[0] == 2);
    cak_metrics_close(opened(&(cak_metrics_count){ 2, 0 }));
    ck_assert_str_eq(text_of("metrics.jsonl"), whole); /* the event stays, the torn line goes */
    end();
}
END_TEST

START_TEST(what_cannot_be_opened)
{
    begin();
    cak_metrics *m = opened(NULL);
    run(m, 1, 3);
    cak_metrics_close(m);
    ck_assert_ptr_null(cak_metrics_open(d, dir, steps, epochs, NULL));
    expect(CAK_E4001, "exists already");
    ck_assert_ptr_null(cak_metrics_open(d, dir, steps, epochs, &(cak_metrics_count){ 4, 1 }));
    expect(CAK_E4006, "holds 3 step and 1 epoch records, the checkpoint counts 4 and 1");
    ck_assert_ptr_null(cak_metrics_open(d, dir, steps, epochs, &(cak_metrics_count){ 3, 2 }));
    expect(CAK_E4006, "counts 3 and 2");
    ck_assert_ptr_null(cak_metrics_open(d, in("absent"), steps, epochs, NULL));
    expect(CAK_E4001, "No such file");
    ck_assert_ptr_null(cak_log_open(d, in("absent")));
    expect(CAK_E4001, "No such file");
    end();
}
END_TEST

START_TEST(the_csv_is_made_anew)
{
    begin();
    cak_metrics *m = opened(NULL);
    run(m, 1, 6);
    cak_metrics_close(m);
    const char *want = text_of("metrics.csv");
    write_text("metrics.csv", "nonsense");
    cak_metrics_close(opened(&(cak_metrics_count){ 6, 2 }));
    ck_assert_str_eq(text_of("metrics.csv"), want);
    static const cak_field more[] = { { "new", false }, { "g_loss", false } };
    m = cak_metrics_open(d, dir, steps, (cak_fields){ more, 2 }, &(cak_metrics_count){ 6, 2 });
    ck_assert_ptr_nonnull(m);
    cak_metrics_close(m);
    ck_assert_str_eq(text_of("metrics.csv"), "epoch,step,wall,new,g_loss\n1,3,0.750,nan,-1.5\n2,6,1.500,nan,-3\n");
    end();
}
END_TEST

START_TEST(the_ring_holds_the_last_64_steps)
{
    begin();
    cak_metrics *m = opened(NULL);
    run(m, 1, 3);
    ck_assert(cak_metrics_write_ring(d, m, in("ring.jsonl")));
    const char *text = text_of("ring.jsonl");
    ck_assert_int_eq(strncmp(text, "{\"t\":\"step\",\"step\":1,", 21), 0);
    run(m, 4, 100);
    ck_assert(cak_metrics_write_ring(d, m, in("ring.jsonl")));
    text = text_of("ring.jsonl");
    ck_assert_int_eq(strncmp(text, "{\"t\":\"step\",\"step\":37,", 22), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"step\":100,"));
    int lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++) lines++;
    ck_assert_int_eq(lines, 64);
    ck_assert(!cak_metrics_write_ring(d, m, in("absent/ring")));
    expect(CAK_E4001, "No such file");
    cak_metrics_close(m);
    end();
}
END_TEST

START_TEST(reading)
{
    begin();
    ck_assert_int_eq(cak_metrics_read(a, d, dir, "step")->n_rows, 0);
    ck_assert_int_eq(cak_metrics_last(a, d, dir, "step")->n_rows, 0);
    write_text("metrics.jsonl", "{\"t\":\"epoch\",\"a\":1,\"b\":null,\"nonfinite\":{\"b\":\"-inf\"}}\n"
                                "{\"t\":\"event\",\"event\":\"x\",\"c\":5}\n"
                                "{\"t\":\"epochal\",\"a\":9}\n"
                                "{\"t\":\"epoch\",\"d\":4,\"a\":2,\"b\":null,\"nonfinite\":{\"b\":\"nan\"}}\n");
    cak_metrics_table *t = cak_metrics_read(a, d, dir, "epoch");
    ck_assert(t->n_rows == 2 && t->n_names == 3);
    ck_assert_str_eq(t->name[2], "d");
    ck_assert(t->value[0] == 1 && t->value[1] == -(double)INFINITY && isnan(t->value[2]));
    ck_assert(t->value[3] == 2 && isnan(t->value[4]) && t->value[5] == 4);
    ck_assert_int_eq(cak_metrics_column(t, "c"), -1);
    t = cak_metrics_last(a, d, dir, "epoch");
    ck_assert(t->n_rows == 1 && t->value[cak_metrics_column(t, "a")] == 2);

    static const char *const broken[] = { "\n", "[]\n", "{\"t\":\"epoch\",\"a\":}\n", "{\"t\":\"step\",\"st\n",
                                          "{\"t\":\"epoch\",\"a\":1,\"a\":1}\n" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        write_text("metrics.jsonl", cak_arena_print(a, "{\"t\":\"epoch\",\"a\":1}\n%s", broken[i]));
        ck_assert_ptr_null(cak_metrics_read(a, d, dir, "epoch"));
        ck_assert_int_eq(cak_diag_pos(d, 0).line, 2);
        expect(CAK_E4002, "malformed record");
    }
    write_text("metrics.jsonl", "{\"t\":\"epoch\",\"a\":}\n");
    ck_assert_ptr_null(cak_metrics_last(a, d, dir, "epoch"));
    expect(CAK_E4002, "malformed record");
    end();
}
END_TEST

START_TEST(the_newest_record_of_a_long_log)
{
    begin();
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "{\"t\":\"epoch\",\"epoch\":1}\n");
    for (int i = 0; i < 20000; i++) cak_text_add(&b, "{\"t\":\"step\",\"step\":%d,\"epoch\":0,\"filling\":0.123456789}\n", i);
    write_text("metrics.jsonl", cak_text_done(&b));
    ck_assert(cak_metrics_last(a, d, dir, "epoch")->value[0] == 1); /* beyond the first window */
    ck_assert(cak_metrics_last(a, d, dir, "step")->value[0] == 19999);
    ck_assert_int_eq(cak_metrics_last(a, d, dir, "other")->n_rows, 0);
    end();
}
END_TEST

START_TEST(the_log)
{
    begin();
    cak_logger *log = cak_log_open(d, dir);
    cak_log_print(log, "step %d\x1b[2J\nx", 7);
    cak_log_close(log);
    log = cak_log_open(d, dir);
    cak_log_print(log, "again");
    cak_log_close(log);
    const char *text = text_of("log.txt");
    int year;
    ck_assert_int_eq(sscanf(text, "%4d-", &year), 1);
    ck_assert(text[10] == 'T' && text[19] == 'Z');
    ck_assert_ptr_nonnull(strstr(text, "Z step 7\\x1b[2J\\x0ax\n"));
    ck_assert_ptr_nonnull(strstr(text, "Z again\n"));
    end();
}
END_TEST

SUITE(metrics, records, numbers_read_back_the_same, a_resume_cuts_back_to_the_checkpoint,
      an_epoch_record_after_the_checkpoint_is_dropped, a_torn_line_and_events, what_cannot_be_opened, the_csv_is_made_anew,
      the_ring_holds_the_last_64_steps, reading, the_newest_record_of_a_long_log, the_log)
