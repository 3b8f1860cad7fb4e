/* Progress on stderr: a bar on a terminal, plain lines elsewhere (at most one per epoch or minute, no carriage returns). */
#ifndef CAK_PROGRESS_H
#define CAK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/diag.h"

typedef enum cak_progress_mode { CAK_PROGRESS_AUTO, CAK_PROGRESS_BAR, CAK_PROGRESS_PLAIN, CAK_PROGRESS_NONE } cak_progress_mode;

bool cak_progress_parse(const char *word, cak_progress_mode *mode); /* "auto", "bar", "plain", "none" */
void cak_progress_start(cak_progress_mode mode, const char *what, int64_t total);
/* `done` of `total`; `text` follows the bar ("G -0.118 C 0.583"). Draws at most ten times a second. */
void cak_progress_show(int64_t done, const char *text);
/* A line of its own (end of an epoch), also above a bar. */
void cak_progress_line(const char *text);
void cak_progress_end(void); /* clears the bar, so that other text starts on a clean line */

double cak_seconds(void);                               /* monotonic clock */
const char *cak_duration(double seconds, char buf[32]); /* "4:05", "1:04:05" */

#endif
