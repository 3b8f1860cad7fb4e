/* Checkpoints: the whole state of a training run in ckpt/step-<10 digits>.safetensors, written atomically and verified when read.
**
** The training loop describes its state once, by pointers; saving reads through them, loading writes through them. Equal states give
** equal files: nothing of clock, process or host is stored. */
#ifndef EXPERIMENTS_CHECKPOINT_H
#define EXPERIMENTS_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/arena.h"
#include "graph/diag.h"
#include "graph/real.h"
#include "graph/safetensors.h"
#include "graph/shape.h"

typedef struct cak_ckpt_array {
    const char *name; /* "param/generator.scale", "opt/critic/v/conv1.weight": [A-Za-z0-9_.\-/]{1,256} */
    cak_shape shape;
    real *data;
} cak_ckpt_array;
typedef struct cak_ckpt_counter {
    const char *name;
    uint64_t *value;
} cak_ckpt_counter;
typedef struct cak_ckpt_number {
    const char *name;
    double *value; /* kept exactly, non-finite values too */
} cak_ckpt_number;

typedef struct cak_ckpt_state {
    const cak_ckpt_array *array;
    const cak_ckpt_counter *counter;
    const cak_ckpt_number *number;
    const cak_pair
        *identity; /* digests of config, graph, data ...: a checkpoint whose values differ is not of this run (E4006) */
    int n_arrays, n_counters, n_numbers, n_identity;
} cak_ckpt_state;

#define CAK_CKPT_NONE UINT64_MAX

/* <dir>/ckpt/step-<step>.safetensors. Refuses non-finite arrays with E4008: a run can always go on from its checkpoints. */
bool cak_ckpt_save(cak_diag *d, const char *dir, uint64_t step, const cak_ckpt_state *s);
/* The same to any path and whatever the values (a snapshot of a diverged state). */
bool cak_ckpt_write(cak_diag *d, const char *path, const cak_ckpt_state *s);
uint64_t cak_ckpt_size(const cak_ckpt_state *s); /* bytes of a checkpoint to within 5 %; for cak_io_need_space */

/* Load one file. Nothing of the state is touched unless everything fits: the exact sets of names, shapes, identity, finite values. */
bool cak_ckpt_load(cak_diag *d, const char *path, const cak_ckpt_state *s);
/* Load the newest checkpoint of a run that is intact; every damaged one on the way is a warning with file and reason. *step is
** CAK_CKPT_NONE when the run has no checkpoint yet (true). E4005 when there are some and none is intact; E4006 when it does not fit. */
bool cak_ckpt_resume(cak_diag *d, const char *dir, const cak_ckpt_state *s, uint64_t *step);

/* Delete old checkpoints: the newest `keep` (>= 1) intact ones stay, and `best` (CAK_CKPT_NONE: no such). Other files are not touched. */
bool cak_ckpt_prune(cak_diag *d, const char *dir, int keep, uint64_t best);
/* Steps of the checkpoints present, ascending; *n of them. */
const uint64_t *cak_ckpt_steps(cak_arena *a, cak_diag *d, const char *dir, int *n);
const char *cak_ckpt_path(cak_arena *a, const char *dir, uint64_t step);
bool cak_ckpt_verify(cak_diag *d, const char *path); /* well-formed and checksum right */

#endif
