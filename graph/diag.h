/* Diagnostics: collect errors and warnings with their place in a file, print them the way compilers do.
**
**   configs/a.yaml:14:7: error: unknown key 'typ' in graph.fake; did you mean 'type'? [E1203]
**      14 |   typ: mul
**         |   ^~~
*/
#ifndef CAK_DIAG_H
#define CAK_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A place in a text file. line and col count from 1 (col in characters); line 0 means "no place". `file` outlives the diag. */
typedef struct cak_pos {
    const char *file;
    int32_t line, col, len; /* len: characters to underline; 0 or 1 gives a bare caret */
} cak_pos;
#define CAK_NOWHERE ((cak_pos){ 0 })

/* Exit codes, the program's stable interface. */
enum {
    CAK_EXIT_OK = 0,
    CAK_EXIT_USAGE = 2,
    CAK_EXIT_CONFIG = 3,
    CAK_EXIT_DATA = 4,
    CAK_EXIT_DIVERGED = 5,
    CAK_EXIT_IO = 6,
    CAK_EXIT_MEMORY = 7,
    CAK_EXIT_BUSY = 8,
    CAK_EXIT_CHECKPOINT = 9,
    CAK_EXIT_SWEEP = 10,
    CAK_EXIT_BUG = 70,
    CAK_EXIT_STOPPED = 75,
    CAK_EXIT_FORCED = 130
};

/* Error codes: CAK_E1203 ... One row per code in errors.def gives the exit code and the meaning. */
typedef enum cak_code {
#define ERR(id, exit_code, meaning) CAK_##id,
#include "graph/errors.def"
#undef ERR
    CAK_CODE_COUNT
} cak_code;

typedef struct cak_diag cak_diag;

cak_diag *cak_diag_open(void);
void cak_diag_close(cak_diag *d);

/* Record an error / a warning; safe from several threads. cak_error always returns false, so `return cak_error(...)` reads well.
** What was recorded already with the same words at the same place is not recorded again. */
bool cak_error(cak_diag *d, cak_code code, cak_pos at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void cak_warn(cak_diag *d, cak_pos at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Attach a remark ("first defined here") to the error or warning recorded last. */
void cak_note(cak_diag *d, cak_pos at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Consequences of what was reported already are not worth a line: from now on, no error at this place is recorded ... */
void cak_diag_silence(cak_diag *d, cak_pos at);
bool cak_diag_silent(cak_diag *d, cak_pos at);
/* ... no error of this code is, until it is switched on again. Notes to such errors vanish with them. */
void cak_diag_mute(cak_diag *d, cak_code code, bool mute);

/* Remember the text of a file so that its lines can be shown; the text is copied. */
void cak_diag_source(cak_diag *d, const char *file, const char *text);

int cak_diag_errors(const cak_diag *d);                 /* number of errors so far */
int cak_diag_exit(const cak_diag *d);                   /* exit code of the first error; 0 when there is none */
cak_code cak_diag_code(const cak_diag *d, int i);       /* code of error i (tests) */
const char *cak_diag_message(const cak_diag *d, int i); /* message of error i without place (tests) */
cak_pos cak_diag_pos(const cak_diag *d, int i);
void cak_diag_print(const cak_diag *d, FILE *f); /* everything, in the order recorded; control bytes shown as \xNN */
void cak_diag_clear(cak_diag *d);

const char *cak_code_name(cak_code code); /* "E1203" */
const char *cak_code_meaning(cak_code code);
int cak_code_exit(cak_code code);

/* The candidate nearest to `word` (Damerau-Levenshtein distance <= max(1, len/3)), or NULL. */
const char *cak_suggest(const char *word, const char *const *candidates, int n);

/* A broken promise of our own: prints expression and place, exits 70. Active in every build. */
#define CAK_CHECK(cond) ((cond) ? (void)0 : cak_bug(#cond, __FILE__, __LINE__))
_Noreturn void cak_bug(const char *expr, const char *file, int line);

#endif
