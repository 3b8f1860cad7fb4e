/* Filter expressions: what they mean, and what is said about wrong ones. */
#include <math.h>
#include <string.h>

#include "experiments/where.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static const char *const names[] = { "state", "hp.lr", "seed", "name", "violations", "top" };

/* One run: state=diverged hp.lr=1e-3 seed=3 name='a b' violations=nan top=inf; `model` is a key that it lacks. */
static cak_setting look(const void *ctx, const char *key)
{
    static const char *const values[] = { "diverged", "1e-3", "3", "a b", "nan", "inf" };
    (void)ctx;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], key) == 0) return cak_setting_of(values[i]);
    return cak_setting_of(NULL);
}

static bool holds(const char *text)
{
    const cak_where *w = cak_where_parse(a, d, "--where", text);
    ck_assert_msg(w != NULL, "'%s' is refused: %s", text, cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
    return cak_where_matches(w, look, NULL);
}

START_TEST(comparisons)
{
    begin();
    static const char *const yes[] = { "state=diverged", "state == diverged", "state!=finished", "state~verg",
                                       "hp.lr=0.001",    "hp.lr=1e-3",        "hp.lr>1e-4",      "hp.lr>=1e-3",
                                       "hp.lr<=0.001",   "hp.lr<1",           "seed=3",          "seed=3.0",
                                       "seed<10",        "name='a b'",        "name=\"a b\"",    "name~' '",
                                       "seed='3'",       "model!=cak",        "violations=nan",  "violations!=0",
                                       "top>1e300",      "top=inf",           "seed>-1",         "seed>+1" };
    static const char *const no[] = { "state=finished", "state!=diverged", "state~x",  "hp.lr>1e-3",   "hp.lr<0.001",
                                      "seed!=3",        "seed>3",          "seed<3",   "name=a",       "model=cak",
                                      "model~cak",      "model<1",         "model>=0", "violations<1", "violations>0",
                                      "violations>=0",  "state>0",         "top<5" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) ck_assert_msg(holds(yes[i]), "%s does not hold", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) ck_assert_msg(!holds(no[i]), "%s holds", no[i]);
    end();
}
END_TEST

/* Every expression of three tests against a table of truth: and binds tighter than or, not tighter than and. */
START_TEST(connectives)
{
    begin();
    static const struct {
        const char *text;
        unsigned truth; /* bit 4p + 2q + r */
    } row[] = {
        { "%s or %s and %s", 0xf8 },         { "%s and %s or %s", 0xea },       { "(%s or %s) and %s", 0xa8 },
        { "not %s and %s or %s", 0xae },     { "not (%s and %s) or %s", 0xbf }, { "not not %s and not %s and %s", 0x20 },
        { "((%s)) AND %s Or NOT %s", 0xd5 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (unsigned v = 0; v < 8; v++) {
            const char *x = v & 4 ? "seed=3" : "seed=4", *y = v & 2 ? "seed=3" : "seed=4", *z = v & 1 ? "seed=3" : "seed=4";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            const char *text = cak_arena_print(a, row[i].text, x, y, z);
#pragma GCC diagnostic pop
            ck_assert_msg(holds(text) == (row[i].truth >> v & 1), "%s", text);
        }
    end();
}
END_TEST

static void refused(const char *text, int col, const char *message)
{
    cak_diag_clear(d);
    ck_assert_ptr_null(cak_where_parse(a, d, "--where", text));
    ck_assert_int_eq(cak_diag_errors(d), 1);
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E5001);
    ck_assert_str_eq(cak_diag_message(d, 0), message);
    ck_assert_int_eq(cak_diag_pos(d, 0).col, col);
    ck_assert_str_eq(cak_diag_pos(d, 0).file, "--where");
}

START_TEST(wrong_expressions)
{
    begin();
    refused("", 1, "a key is expected here, not the end of the expression");
    refused("=3", 1, "a key is expected here, not '='");
    refused("seed", 5, "one of = != < <= > >= ~ is expected here, not the end of the expression");
    refused("seed 3", 6, "one of = != < <= > >= ~ is expected here, not '3'");
    refused("seed=", 6, "a value is expected here, not the end of the expression");
    refused("seed=(3)", 6, "a value is expected here, not '('");
    refused("seed<big", 6, "a number is expected here, not 'big'");
    refused("(seed=3", 8, "')' is expected here, not the end of the expression");
    refused("seed=3)", 7, "and, or, or the end is expected here, not ')'");
    refused("seed=3 state=x", 8, "and, or, or the end is expected here, not 'state'");
    refused("seed=3 and", 11, "a key is expected here, not the end of the expression");
    refused("seed=3 or and", 11, "a key is expected here, not 'and'");
    refused("not", 4, "a key is expected here, not the end of the expression");
    refused("name='a b", 6, "a value is expected here, not ''a b'");
    refused("seed!3", 5, "one of = != < <= > >= ~ is expected here, not '!'");
    refused("n\xc3\xa9 3", 4, "one of = != < <= > >= ~ is expected here, not '3'"); /* columns count characters */
    char deep[200];
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    refused(deep, 65, "more than 64 expressions inside each other");
    end();
}
END_TEST

START_TEST(unknown_keys)
{
    begin();
    const cak_where *w = cak_where_parse(a, d, "--where", "state=x and (seeed=3 or not quaternion=1)");
    ck_assert(!cak_where_check(d, w, names, (int)(sizeof names / sizeof *names)));
    ck_assert_int_eq(cak_diag_errors(d), 2);
    ck_assert_str_eq(cak_diag_message(d, 0), "no run has 'seeed'; did you mean 'seed'?");
    ck_assert_int_eq(cak_diag_pos(d, 0).col, 14);
    ck_assert_str_eq(cak_diag_message(d, 1), "no run has 'quaternion'");
    ck_assert_int_eq(cak_diag_pos(d, 1).col, 29);
    ck_assert(cak_where_check(d, cak_where_parse(a, d, "--where", "not state=x and seed=1"), names, 3));
    end();
}
END_TEST

START_TEST(values)
{
    begin();
    ck_assert(cak_setting_same(cak_setting_of("1e-4"), cak_setting_of("0.0001")));
    ck_assert(cak_setting_same(cak_setting_of("nan"), cak_setting_of("nan")));
    ck_assert(cak_setting_same(cak_setting_of(NULL), cak_setting_of(NULL)));
    ck_assert(!cak_setting_same(cak_setting_of(NULL), cak_setting_of("0")));
    ck_assert(!cak_setting_same(cak_setting_of("[1, 2]"), cak_setting_of("[1, 3]")));
    ck_assert(isnan(cak_setting_of("1.2.3").number));
    end();
}
END_TEST

SUITE(where, comparisons, connectives, wrong_expressions, unknown_keys, values)
