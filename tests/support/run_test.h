/* Made-up run directories, commands called with their output caught, diagnostics as text. */
#ifndef TESTS_RUN_TEST_H
#define TESTS_RUN_TEST_H

#include <stdint.h>

#include "graph/arena.h"
#include "graph/diag.h"

typedef struct made_run {
    const char *dir;
    const char *state; /* NULL: finished */
    int64_t seed;
    const char *lr;          /* in config.yaml; NULL: there is none */
    const char *const *over; /* lines of overrides.txt, ends with NULL; NULL: none */
    const char *more;        /* lines of config.yaml */
    const double *loss;      /* by epoch of ten steps; NaN: null */
    int epochs, steps;       /* steps 0: ten an epoch */
    const double *score;     /* a second metric; NULL: none */
    const char *batches;     /* digest; NULL: not recorded */
    const char *init;        /* digest of detector.weight; NULL: not recorded */
    int64_t diverged;        /* step, when the state is diverged */
} made_run;

void make_run(cak_arena *a, cak_diag *d, const made_run *r);
void write_file(cak_arena *a, cak_diag *d, const char *path, const char *text); /* with its folders */

typedef struct called {
    int code;
    const char *out, *err;
} called;
typedef int command(int argc, char **argv);
called call_command(cak_arena *a, cak_diag *d, command *c, const char *const *words); /* which end with NULL */
#define CALL(command, ...) call_command(a, d, command, (const char *const[]){ __VA_ARGS__, NULL })
const char *printed(cak_arena *a, const cak_diag *d); /* what cak_diag_print writes */
void must_have(const char *text, const char *part);
void must_lack(const char *text, const char *part);

#endif
