/* Diagnostics: order, places, carets, notes, suggestions, escapes. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/diag.h"
#include "tests/support/suite.h"

static char *printed(const cak_diag *d)
{
    static char buf[1 << 16];
    buf[0] = 0;
    FILE *f = fmemopen(buf, sizeof buf, "w");
    cak_diag_print(d, f);
    fclose(f);
    return buf;
}

static void expect(const cak_diag *d, const char *want) { ck_assert_str_eq(printed(d), want); }

START_TEST(nothing_to_say)
{
    cak_diag *d = cak_diag_open();
    expect(d, "");
    ck_assert_int_eq(cak_diag_exit(d), CAK_EXIT_OK);
    cak_diag_close(d);
    cak_diag_close(NULL);
}
END_TEST

START_TEST(format_is_the_compilers)
{
    cak_diag *d = cak_diag_open();
    cak_diag_source(d, "a.yaml", "one: 1\n  typ: mul\n");
    ck_assert(!cak_error(d, CAK_E1203, (cak_pos){ "a.yaml", 2, 3, 3 }, "unknown key '%s'", "typ"));
    cak_note(d, (cak_pos){ "a.yaml", 1, 1, 0 }, "the mapping starts here");
    cak_note(d, CAK_NOWHERE, "known keys: type");
    cak_warn(d, (cak_pos){ .file = "b.yaml" }, "odd");
    cak_error(d, CAK_E4002, CAK_NOWHERE, "no disk");
    expect(d, "a.yaml:2:3: error: unknown key 'typ' [E1203]\n"
              "    2 |   typ: mul\n"
              "      |   ^~~\n"
              "a.yaml:1:1: note: the mapping starts here\n"
              "    1 | one: 1\n"
              "      | ^\n"
              "      = known keys: type\n"
              "b.yaml: warning: odd\n"
              "cak: error: no disk [E4002]\n"
              "2 errors, 1 warning\n");
    ck_assert_int_eq(cak_diag_errors(d), 2);
    ck_assert_int_eq(cak_diag_exit(d), CAK_EXIT_CONFIG);
    ck_assert_int_eq(cak_diag_code(d, 1), CAK_E4002);
    ck_assert_str_eq(cak_diag_message(d, 0), "unknown key 'typ'");
    ck_assert_int_eq(cak_diag_pos(d, 0).col, 3);
    cak_diag_clear(d);
    expect(d, "");
    cak_warn(d, (cak_pos){ "a.yaml", 1, 6, 1 }, "still shown");
    expect(d, "a.yaml:1:6: warning: still shown\n    1 | one: 1\n      |      ^\n1 warning\n");
    cak_diag_close(d);
}
END_TEST

START_TEST(names_and_texts_are_copied)
{
    cak_diag *d = cak_diag_open();
    char name[] = "x.yaml", text[] = "old: 1\n";
    cak_diag_source(d, name, text);
    cak_error(d, CAK_E1201, (cak_pos){ name, 1, 1, 3 }, "first");
    strcpy(text, "new: 2\n");
    cak_diag_source(d, name, text);
    cak_error(d, CAK_E1201, (cak_pos){ name, 1, 1, 3 }, "second");
    memset(name, 'y', 6), memset(text, 'y', 6);
    expect(d, "x.yaml:1:1: error: first [E1201]\n    1 | old: 1\n      | ^~~\n"
              "x.yaml:1:1: error: second [E1201]\n    1 | new: 2\n      | ^~~\n2 errors\n");
    cak_diag_close(d);
}
END_TEST

START_TEST(unprintable_bytes_are_escaped)
{
    cak_diag *d = cak_diag_open();
    cak_diag_source(d, "a", "\x1b[1m: \xff\t\xe2\x80\xae x");
    cak_error(d, CAK_E1001, (cak_pos){ "a", 1, 10, 1 }, "\x1b]0;title\x07 \xc0\xaf \xc2\x9b caf\xc3\xa9\n");
    expect(d, "a:1:10: error: \\x1b]0;title\\x07 \\xc0\\xaf \\xc2\\x9b caf\xc3\xa9\\x0a [E1001]\n"
              "    1 | \\x1b[1m: \\xff    \\xe2\\x80\\xae x\n"
              "      |                              ^\n1 error\n");
    cak_diag_close(d);
}
END_TEST

START_TEST(caret_counts_characters_and_columns)
{
    cak_diag *d = cak_diag_open();
    cak_diag_source(d, "a", "caf\xc3\xa9: \xe9\x9f\xb3\xe6\xa5\xbd x\r\nsecond\rthird");
    cak_error(d, CAK_E1201, (cak_pos){ "a", 1, 7, 2 }, "wide");
    cak_error(d, CAK_E1201, (cak_pos){ "a", 1, 10, 1 }, "after");
    cak_error(d, CAK_E1201, (cak_pos){ "a", 3, 2, 99 }, "clipped");
    cak_error(d, CAK_E1201, (cak_pos){ "a", 9, 1, 1 }, "no such line");
    expect(d, "a:1:7: error: wide [E1201]\n"
              "    1 | caf\xc3\xa9: \xe9\x9f\xb3\xe6\xa5\xbd x\n"
              "      |       ^~~~\n"
              "a:1:10: error: after [E1201]\n"
              "    1 | caf\xc3\xa9: \xe9\x9f\xb3\xe6\xa5\xbd x\n"
              "      |            ^\n"
              "a:3:2: error: clipped [E1201]\n"
              "    3 | third\n"
              "      |  ^~~~\n"
              "a:9:1: error: no such line [E1201]\n"
              "4 errors\n");
    cak_diag_close(d);
}
END_TEST

START_TEST(long_lines_are_cut_around_the_place)
{
    cak_diag *d = cak_diag_open();
    char line[1001];
    memset(line, '.', 1000);
    line[1000] = 0;
    line[499] = 'X';
    cak_diag_source(d, "a", line);
    cak_error(d, CAK_E1201, (cak_pos){ "a", 1, 500, 1 }, "here");
    char *source = strchr(printed(d), '\n') + 1, *caret = strchr(source, '\n') + 1;
    ck_assert_int_lt(caret - source, 200);
    ck_assert_int_eq(strchr(source, 'X') - source, strchr(caret, '^') - caret);
    ck_assert_msg(strstr(source, "| ...") && strstr(source, "...\n"), "both ends are marked");
    cak_diag_close(d);
}
END_TEST

START_TEST(suggestions)
{
    static const char *const words[] = { "learning_rate", "lr", "n_critic", "type", "Adam" };
    static const struct {
        const char *word, *want;
    } cases[] = { { "lerning_rate", "learning_rate" },
                  { "learning-rate", "learning_rate" },
                  { "rl", "lr" },
                  { "lrr", "lr" },
                  { "n_crtiic", "n_critic" },
                  { "typ", "type" },
                  { "adam", "Adam" },
                  { "epochs", NULL },
                  { "x", NULL },
                  { "", NULL },
                  { "tyyppe", "type" },
                  { "txxpe", NULL } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = cak_suggest(cases[i].word, words, 5);
        ck_assert_msg(got == cases[i].want || (got && cases[i].want && !strcmp(got, cases[i].want)), "%s: got %s", cases[i].word,
                      got ? got : "nothing");
    }
    char huge[300];
    memset(huge, 'a', 299);
    huge[299] = 0;
    ck_assert_ptr_null(cak_suggest(huge, words, 5));
    const char *const long_words[] = { huge };
    ck_assert_ptr_null(cak_suggest("aaaa", long_words, 1));
}
END_TEST

START_TEST(codes)
{
    for (int i = 0; i < CAK_CODE_COUNT; i++) {
        ck_assert_int_eq(strlen(cak_code_name((cak_code)i)), 5);
        ck_assert_int_gt(strlen(cak_code_meaning((cak_code)i)), 0);
        ck_assert_int_gt(cak_code_exit((cak_code)i), 0);
        if (i) ck_assert_int_lt(strcmp(cak_code_name((cak_code)(i - 1)), cak_code_name((cak_code)i)), 0);
    }
    ck_assert_str_eq(cak_code_name(CAK_E1203), "E1203");
}
END_TEST

static void *many(void *d)
{
    for (int i = 0; i < 200; i++) {
        cak_error(d, CAK_E1201, CAK_NOWHERE, "%p", (void *)&d);
        cak_note(d, CAK_NOWHERE, "%p", (void *)&d);
    }
    return NULL;
}

START_TEST(threads_keep_their_notes)
{
    cak_diag *d = cak_diag_open();
    pthread_t t[4];
    for (int i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, many, d), 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    ck_assert_int_eq(cak_diag_errors(d), 800);
    char *at = printed(d);
    for (int i = 0; i < 800; i++) { /* each error is followed by the note of its own thread */
        char error[64], note[64];
        ck_assert_int_eq(sscanf(at, "cak: error: %63s [E1201]\n = %63s", error, note), 2);
        ck_assert_str_eq(error, note);
        at = strchr(strchr(at, '\n') + 1, '\n') + 1;
    }
    cak_diag_close(d);
}
END_TEST

START_TEST(a_bug_exits_70)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        CAK_CHECK(1 + 1 == 2);
        CAK_CHECK(1 + 1 == 3);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), CAK_EXIT_BUG);
}
END_TEST

START_TEST(consequences_are_left_out)
{
    cak_diag *d = cak_diag_open();
    const cak_pos one = { "a.yaml", 1, 1, 1 }, two = { "a.yaml", 2, 1, 1 };
    for (int i = 0; i < 2; i++) {
        cak_error(d, CAK_E1203, one, "the same");
        cak_note(d, two, "note %d", i);
        cak_warn(d, one, "the same");
    }
    ck_assert_int_eq(cak_diag_errors(d), 1);
    expect(d, "a.yaml:1:1: error: the same [E1203]\na.yaml:2:1: note: note 0\na.yaml:1:1: warning: the same\n"
              "1 error, 1 warning\n");
    cak_diag_clear(d);
    cak_diag_silence(d, one);
    cak_diag_mute(d, CAK_E3005, true);
    ck_assert(cak_diag_silent(d, one) && !cak_diag_silent(d, two));
    ck_assert(!cak_error(d, CAK_E1203, one, "silent"));
    ck_assert(!cak_error(d, CAK_E3005, two, "muted"));
    cak_note(d, CAK_NOWHERE, "of the muted one");
    ck_assert_int_eq(cak_diag_exit(d), CAK_EXIT_OK);
    expect(d, "");
    cak_diag_mute(d, CAK_E3005, false);
    cak_error(d, CAK_E3005, two, "muted");
    cak_error(d, CAK_E1203, two, "elsewhere");
    ck_assert_int_eq(cak_diag_errors(d), 2);
    ck_assert_str_eq(cak_diag_message(d, 1), "elsewhere");
    cak_diag_close(d);
}
END_TEST

SUITE(diag, nothing_to_say, format_is_the_compilers, names_and_texts_are_copied, unprintable_bytes_are_escaped,
      caret_counts_characters_and_columns, long_lines_are_cut_around_the_place, suggestions, codes, threads_keep_their_notes,
      consequences_are_left_out, a_bug_exits_70)
