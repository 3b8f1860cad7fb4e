/* A test program is one suite:  SUITE(name, test_a, test_b)  after START_TEST(test_a) { ... } END_TEST.
** Tests run without fork (OpenMP does not survive one); set CK_RUN_CASE... or pass a test's name as argument to run one alone. */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>

/* Check notes in a file every assertion that holds, to know the last one before a crash of a process of its own. There is none here, and
** many assertions hold. */
#define _mark_point(file, line) ((void)0)

/* Random tests try fewer cases where sanitizers slow each of them down. */
#ifdef __SANITIZE_ADDRESS__
enum { FEWER = 4 };
#else
enum { FEWER = 1 };
#endif

int suite_main(const char *name, const TTest *const *tests, int n, int argc, char **argv);

#define SUITE(name, ...)                                                                  \
    int main(int argc, char **argv)                                                       \
    {                                                                                     \
        const TTest *const tests[] = { __VA_ARGS__ };                                     \
        return suite_main(#name, tests, (int)(sizeof tests / sizeof *tests), argc, argv); \
    }

/* Relative error with a floor of 1 in the denominator's place only when `want` is 0. */
double rel_error(double got, double want);
#define ck_close(got, want, tol)                                                                                           \
    ck_assert_msg(rel_error((got), (want)) <= (tol), #got " = %.17g, expected %.17g (relative error %.2e)", (double)(got), \
                  (double)(want), rel_error((got), (want)))

/* A new empty directory below the build directory's temporary folder; removed with its contents at the end of the program. */
const char *temp_dir(void);
/* Path of a file of the repository. The text is static and good until the next call but three. */
const char *source_path(const char *relative);

#endif
