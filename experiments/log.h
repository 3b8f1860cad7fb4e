/* log.txt of a run: one line per message with its UTC time, as it also appears on stderr without progress bars. */
#ifndef EXPERIMENTS_LOG_H
#define EXPERIMENTS_LOG_H

#include "graph/diag.h"

typedef struct cak_logger cak_logger; /* cak_log is the builder call of the logarithm */

cak_logger *cak_log_open(cak_diag *d, const char *dir); /* appends; NULL on error */
void cak_log_close(cak_logger *log);
/* "2026-11-24T01:19:41Z message"; control characters are shown as \xNN. A log that cannot be written never stops a run. */
void cak_log_print(cak_logger *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
