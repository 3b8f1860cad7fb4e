/* Running another program to its end, and reading what it writes. */
#ifndef CAK_PROCESS_H
#define CAK_PROCESS_H

#include "graph/arena.h"

enum { CAK_PROCESS_ABSENT = 127 }; /* exit code of a program that is not there, as in shells */

typedef struct cak_process {
    int code;               /* exit code; -1: it was killed, or did not end in time */
    const char *out, *says; /* stdout; stderr on one line, or why the code is -1 */
} cak_process;

/* argv[0] is looked up in PATH, argv ends with NULL. What takes longer than `timeout` seconds is killed. */
cak_process cak_process_run(cak_arena *a, const char *const *argv, double timeout);

#endif
