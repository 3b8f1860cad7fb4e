/* Other programs: what they write, how they end, and that nobody waits for them too long. */
#include <signal.h>
#include <string.h>

#include "experiments/process.h"
#include "experiments/progress.h"
#include "tests/support/suite.h"

static cak_process shell(cak_arena *a, const char *text, double timeout)
{
    const char *const words[] = { "sh", "-c", text, NULL };
    return cak_process_run(a, words, timeout);
}

START_TEST(test_ends)
{
    static const struct {
        const char *text;
        int code;
        const char *out, *says;
    } rows[] = {
        { "echo yes; echo 'first\n\nsecond' >&2", 0, "yes\n", "first; second" },
        { "exit 3", 3, "", "" },
        { "echo no; kill -KILL $$", -1, "no\n", "killed by signal 9" },
        { "cat; echo end", 0, "end\n", "" },                            /* its input is empty */
        { "kill -PIPE $$", -1, "", "killed by signal 13" },             /* what we ignore, it does not */
        { "exec >&- 2>&-; sleep 0.05; exit 4", 4, "", "" },             /* it is waited for after its outputs are closed */
        { "printf '%s' '100%d'; echo '%s%n' >&2", 0, "100%d", "%s%n" }, /* text, no format */
    };
    cak_arena *a = cak_arena_open("test");
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cak_process p = shell(a, rows[i].text, 30);
        ck_assert_msg(p.code == rows[i].code, "%s: code %d", rows[i].text, p.code);
        ck_assert_str_eq(p.out, rows[i].out);
        ck_assert_str_eq(p.says, rows[i].says);
    }
    cak_arena_close(a);
}
END_TEST

START_TEST(test_absent)
{
    cak_arena *a = cak_arena_open("test");
    const char *const words[] = { "cak-no-such-program", NULL };
    cak_process p = cak_process_run(a, words, 30);
    ck_assert_int_eq(p.code, CAK_PROCESS_ABSENT);
    ck_assert_str_eq(p.out, "");
    ck_assert(strstr(p.says, "not there"));
    cak_arena_close(a);
}
END_TEST

START_TEST(test_too_slow)
{
    cak_arena *a = cak_arena_open("test");
    double began = cak_seconds();
    cak_process p = shell(a, "echo begun; exec sleep 60", 0.3);
    ck_assert_int_eq(p.code, -1);
    ck_assert_str_eq(p.out, "begun\n");
    ck_assert_str_eq(p.says, "no answer within 0.3 s");
    ck_assert(cak_seconds() - began < 30);
    cak_arena_close(a);
}
END_TEST

START_TEST(test_long_outputs)
{
    cak_arena *a = cak_arena_open("test");
    cak_process p = shell(a, "head -c 3000000 /dev/zero | tr '\\0' e >&2; head -c 3000000 /dev/zero | tr '\\0' o", 60);
    ck_assert_int_eq(p.code, 0);
    size_t out = strlen(p.out), err = strlen(p.says);
    ck_assert(out >= 1 << 20 && out < 2 << 20 && strspn(p.out, "o") == out);
    ck_assert(err >= 1 << 20 && err < 2 << 20 && strspn(p.says, "e") == err);
    cak_arena_close(a);
}
END_TEST

SUITE(process, test_ends, test_absent, test_too_slow, test_long_outputs)
