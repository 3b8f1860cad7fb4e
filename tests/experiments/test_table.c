/* Tables: the same cells as text, CSV, Markdown and JSON. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiments/table.h"
#include "tests/support/suite.h"

static cak_arena *a;

static void begin(void) { a = cak_arena_open("test"); }
static void end(void) { cak_arena_close(a); }

static cak_table *example(void)
{
    static const char *const parts[] = { "mean", "sd", NULL };
    static const cak_table_column columns[] = {
        { .key = "arm", .leads = true },
        { .key = "hp.lr", .head = "lr", .leads = true, .right = true },
        { .key = "hidden", .data = true },
        { .key = "loss", .part = parts, .right = true },
        { .key = "note" },
    };
    cak_table *t = cak_table_make(a, columns, 5);
    cak_table_row(t);
    cak_table_text(t, 0, "A");
    cak_table_number(t, 1, 1e-4, "1e-4");
    cak_table_number(t, 2, 7, NULL);
    cak_table_parts(t, 3, (const double[]){ 0.125, 0.1 }, "0.12 ± 0.10");
    cak_table_text(t, 4, "x, \"y\"\n|");
    cak_table_row(t);
    cak_table_text(t, 0, "B");
    cak_table_number(t, 1, (double)NAN, NULL);
    cak_table_number(t, 2, (double)INFINITY, NULL);
    cak_table_parts(t, 3, (const double[]){ 12345.6789, (double)NAN }, "12346");
    return t;
}

START_TEST(aligned_text)
{
    begin();
    const cak_table *t = example();
    ck_assert_int_eq(cak_table_rows(t), 2);
    ck_assert_int_eq(cak_table_columns(t), 5);
    ck_assert_str_eq(cak_table_aligned(a, t, 0), "arm    lr         loss  note\n"
                                                 "A    1e-4  0.12 ± 0.10  x, \"y\"\\x0a|\n"
                                                 "B       -        12346  -\n");
    end();
}
END_TEST

/* What does not fit goes on below, with the columns that name the row; one column at least, joined ones together. */
START_TEST(wide_tables)
{
    begin();
    static cak_table_column columns[] = { { .key = "arm", .leads = true },
                                          { .key = "aaaaaa" },
                                          { .key = "bbbbbb", .right = true },
                                          { .key = "cc", .joined = true },
                                          { .key = "dddddddddddddddddddd" } };
    cak_table *t = cak_table_make(a, columns, 5);
    cak_table_row(t);
    for (int c = 0; c < 5; c++) cak_table_number(t, c, c, NULL);
    ck_assert_str_eq(cak_table_aligned(a, t, 21), "arm  aaaaaa\n0    1\n\n"
                                                  "arm  bbbbbb  cc\n0         2  3\n\n"
                                                  "arm  dddddddddddddddddddd\n0    4\n");
    ck_assert_str_eq(cak_table_aligned(a, t, 23), "arm  aaaaaa  bbbbbb  cc\n0    1            2  3\n\n"
                                                  "arm  dddddddddddddddddddd\n0    4\n");
    const char *one = cak_table_aligned(a, t, 45);
    ck_assert_str_eq(one, "arm  aaaaaa  bbbbbb  cc  dddddddddddddddddddd\n0    1            2  3   4\n");
    ck_assert_uint_eq(strcspn(one, "\n"), 45);
    ck_assert_str_eq(cak_table_aligned(a, cak_table_make(a, columns, 1), 10), "arm\n");
    end();
}
END_TEST

START_TEST(csv)
{
    begin();
    ck_assert_str_eq(cak_table_csv(a, example()), "arm,hp.lr,hidden,loss.mean,loss.sd,note\n"
                                                  "A,0.0001,7,0.125,0.1,\"x, \"\"y\"\"\n|\"\n"
                                                  "B,,inf,12345.6789,,\n");
    end();
}
END_TEST

START_TEST(csv_quotes)
{
    begin();
    static const char *const texts[][2] = { { "a b", "a b" },       { "a,b", "\"a,b\"" }, { "a\nb", "\"a\nb\"" },
                                            { "a\rb", "\"a\rb\"" }, { "\"", "\"\"\"\"" }, { "", "" } };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const cak_table_column column = { .key = texts[i][0] };
        cak_table *t = cak_table_make(a, &column, 1);
        cak_table_row(t);
        cak_table_text(t, 0, texts[i][0]);
        ck_assert_str_eq(cak_table_csv(a, t), cak_arena_print(a, "%s\n%s\n", texts[i][1], texts[i][1]));
    }
    end();
}
END_TEST

START_TEST(markdown)
{
    begin();
    ck_assert_str_eq(cak_table_markdown(a, example()), "| arm | lr | loss | note |\n|---|---:|---:|---|\n"
                                                       "| A | 1e-4 | 0.12 ± 0.10 | x, \"y\"\\\\x0a\\| |\n"
                                                       "| B | - | 12346 | - |\n");
    end();
}
END_TEST

START_TEST(json)
{
    begin();
    json_t *got = cak_table_json(example());
    json_t *want =
        json_loads("[{\"arm\": \"A\", \"hp.lr\": 0.0001, \"hidden\": 7, \"loss\": {\"mean\": 0.125, \"sd\": 0.1},"
                   "  \"note\": \"x, \\\"y\\\"\\n|\"},"
                   " {\"arm\": \"B\", \"hp.lr\": null, \"hidden\": \"+inf\", \"loss\": {\"mean\": 12345.6789, \"sd\": null},"
                   "  \"note\": null}]",
                   0, NULL);
    ck_assert_ptr_nonnull(want);
    ck_assert(json_equal(got, want));
    json_decref(got);
    json_decref(want);
    static const cak_table_column column = { .key = "x" };
    cak_table *t = cak_table_make(a, &column, 1);
    cak_table_row(t);
    cak_table_text(t, 0, "\xff");
    cak_table_row(t);
    cak_table_number(t, 0, -(double)INFINITY, NULL);
    got = cak_table_json(t);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(got, 0), "x")), "(not UTF-8)");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(got, 1), "x")), "-inf");
    json_decref(got);
    end();
}
END_TEST

SUITE(table, aligned_text, wide_tables, csv, csv_quotes, markdown, json)
