/* Signals of a launcher as events: handlers write to a pipe, the loop reads it. Whichever thread a signal meets, none is lost. */
#ifndef CAK_SWEEP_SIGNALS_H
#define CAK_SWEEP_SIGNALS_H

#include <stdbool.h>

#include "graph/diag.h"

typedef struct cak_signals {
    int stops;      /* SIGINT, SIGTERM, SIGHUP, SIGUSR1 so far */
    int interrupts; /* SIGINT so far */
} cak_signals;

bool cak_signals_open(cak_diag *d);                      /* E4003 when there are no descriptors left */
void cak_signals_close(void);                            /* the handlers that were there before come back */
void cak_signals_wait(cak_signals *s, int milliseconds); /* until a signal, the end of a child or the time; adds to *s */

#endif
