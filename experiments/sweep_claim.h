/* Claims: the kernel lock that whoever runs a point holds, launcher and child together. */
#ifndef CAK_SWEEP_CLAIM_H
#define CAK_SWEEP_CLAIM_H

#include "experiments/sweep_dir.h"

enum { CAK_CLAIM_NONE = -1 };

bool cak_claim_held(const cak_sweep_dir *s, int point);
/* *claim is CAK_CLAIM_NONE when somebody else holds the point; false after an error. cak_io_close() lets go of this copy: the claim ends with
** the last one. */
bool cak_claim_take(cak_diag *d, const cak_sweep_dir *s, int point, int *claim);
/* Can there be claims at all? Asked once: a directory that cannot be written is one error, not one for each point. */
bool cak_claim_allowed(cak_diag *d, const cak_sweep_dir *s);

#endif
