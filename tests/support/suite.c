/* Runs the tests of one program; temporary directories. */
#include "tests/support/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ftw.h>

static char dirs[64][256];
static int n_dirs;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_dirs(void)
{
    for (int i = 0; i < n_dirs; i++) nftw(dirs[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *temp_dir(void)
{
    if (n_dirs == 64) abort();
    char *dir = dirs[n_dirs];
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dirs[0], "%s/cak-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(dir)) abort();
    if (!n_dirs++) atexit(remove_dirs);
    return dir;
}

const char *source_path(const char *relative)
{
    static char buf[4][1024];
    static int k;
    char *p = buf[k++ % 4];
    snprintf(p, sizeof buf[0], "%s/%s", CAK_SOURCE_DIR, relative);
    return p;
}

double rel_error(double got, double want)
{
    if (!isfinite(got) || !isfinite(want)) return got == want ? 0 : INFINITY;
    return want == 0 ? fabs(got) : fabs(got - want) / fabs(want);
}

int suite_main(const char *name, const TTest *const *tests, int n, int argc, char **argv)
{
    Suite *s = suite_create(name);
    int found = 0;
    for (int i = 0; i < n; i++) {
        if (argc > 1 && strcmp(tests[i]->name, argv[1])) continue;
        TCase *c = tcase_create(tests[i]->name);
        tcase_set_timeout(c, 0);
        tcase_add_test(c, tests[i]);
        suite_add_tcase(s, c);
        found++;
    }
    if (!found) {
        fprintf(stderr, "no test called '%s'\n", argc > 1 ? argv[1] : "");
        return 2;
    }
    SRunner *r = srunner_create(s);
    srunner_set_fork_status(r, CK_NOFORK);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
