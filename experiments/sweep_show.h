/* What a launcher tells: lines for what happens and, on a terminal, a block below them that is redrawn in place. On stderr. */
#ifndef CAK_SWEEP_SHOW_H
#define CAK_SWEEP_SHOW_H

#include "experiments/progress.h"
#include "graph/arena.h"

typedef struct cak_show {
    cak_progress_mode mode; /* never CAK_PROGRESS_AUTO */
    int drawn;              /* lines of the block that stand there */
} cak_show;

cak_show cak_show_open(cak_progress_mode mode);
void cak_show_line(cak_show *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));  /* unless there is no progress */
void cak_show_alarm(cak_show *v, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* in any case */
void cak_show_block(cak_show *v, cak_arena *a, const char *const *line, int n);               /* only on a terminal */
void cak_show_clear(cak_show *v);

#endif
