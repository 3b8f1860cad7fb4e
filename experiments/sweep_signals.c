/* Signals through a pipe. */
#include "experiments/sweep_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const int caught[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
enum { CAUGHT = sizeof caught / sizeof *caught };

static struct sigaction before[CAUGHT];
static int ends[2] = { -1, -1 }; /* of the pipe: reading, writing */

static void on_signal(int sig)
{
    int error = errno;
    unsigned char byte = (unsigned char)sig;
    ssize_t n = write(ends[1], &byte, 1); /* a full pipe has more than enough to read */
    (void)n;
    errno = error;
}

bool cak_signals_open(cak_diag *d)
{
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return cak_error(d, CAK_E4003, CAK_NOWHERE, "cannot make a pipe: %s", strerror(errno));
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    for (int i = 0; i < CAUGHT; i++) {
        sigaction(caught[i], NULL, &before[i]);
        bool nohup = caught[i] == SIGHUP && before[i].sa_handler == SIG_IGN;
        if (!nohup) sigaction(caught[i], &action, NULL);
    }
    return true;
}

void cak_signals_close(void)
{
    for (int i = 0; i < CAUGHT; i++) sigaction(caught[i], &before[i], NULL);
    close(ends[0]);
    close(ends[1]);
}

void cak_signals_wait(cak_signals *s, int milliseconds)
{
    struct pollfd p = { .fd = ends[0], .events = POLLIN };
    unsigned char got[64];
    ssize_t n;
    poll(&p, 1, milliseconds);
    while ((n = read(ends[0], got, sizeof got)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            s->stops += got[i] != SIGCHLD;
            s->interrupts += got[i] == SIGINT;
        }
}
