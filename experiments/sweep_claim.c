/* Claims on points. */
#include "experiments/sweep_claim.h"

#include "graph/io.h"

bool cak_claim_held(const cak_sweep_dir *s, int point)
{
    int holder;
    cak_arena *a = cak_arena_open("claim");
    bool held = cak_io_locked(cak_point_path(a, s, point, "claims"), &holder);
    cak_arena_close(a);
    return held;
}

/* That somebody else has the lock is no error. */
static bool take(cak_diag *d, const char *path, int *fd)
{
    cak_diag *own = cak_diag_open();
    *fd = cak_io_lock(own, path);
    bool ok = *fd != CAK_CLAIM_NONE || cak_diag_code(own, 0) == CAK_E4004;
    if (!ok) cak_error(d, cak_diag_code(own, 0), CAK_NOWHERE, "%s", cak_diag_message(own, 0));
    cak_diag_close(own);
    return ok;
}

bool cak_claim_take(cak_diag *d, const cak_sweep_dir *s, int point, int *claim)
{
    *claim = CAK_CLAIM_NONE;
    if (cak_claim_held(s, point)) return true; /* taking what is held would wait for a moment */
    cak_arena *a = cak_arena_open("claim");
    bool ok = take(d, cak_point_path(a, s, point, "claims"), claim);
    cak_arena_close(a);
    return ok;
}

bool cak_claim_allowed(cak_diag *d, const cak_sweep_dir *s)
{
    int fd;
    cak_arena *a = cak_arena_open("claim");
    bool ok = take(d, cak_arena_print(a, "%s/claims/summary.lock", s->dir), &fd);
    cak_io_close(fd);
    cak_arena_close(a);
    return ok;
}
