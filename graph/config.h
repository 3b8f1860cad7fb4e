/* From files and overrides to ONE resolved tree, and typed reading of that tree by tables.
**
** Composition (Hydra's words):  defaults: [ - model: cak   (file <dir>/model/cak.yaml)   - other   (file <dir>/other.yaml)   - _self_ ]
** Entries are merged in order: mappings merge deeply, everything else is replaced; _self_ marks where the file itself goes and must be
** written. Overrides "a.b=c" come last; the key must exist, "+a.b=c" adds one, "~a.b" removes one, "model=film" selects another option
** of a `defaults` entry. The value of an override is YAML flow text: numbers, [lists], {maps}. ${a.b} is replaced by the value found there after merging. */
#ifndef CAK_CONFIG_H
#define CAK_CONFIG_H

#include "graph/node.h"
#include "graph/yaml.h"

typedef struct cak_config {
    cak_yaml *root; /* resolved: no `defaults`, no ${...} */
    cak_arena *arena;
    cak_diag *diag;
    const char *path;         /* the file asked for */
    const char *const *files; /* every file that took part */
    int n_files;
} cak_config;

/* The tree whenever one can be composed: after errors of overrides and references too, so that later stages show theirs in the same run.
** Callers look at cak_diag_errors() before they act on it. NULL when there is no tree; all errors are recorded. */
cak_config *cak_config_load(cak_diag *d, const char *path, const char *const *overrides, int n);
void cak_config_close(cak_config *c);

/* ---- typed reading; each returns false after recording the error, true with the default when the key is absent ---- */

/* Read the keys of `map` into a struct by its attribute table (see cak_attr). Marks keys as used. MODULE and VALUE rows are passed to
** `resolve` (NULL: they are errors) when the key is there; absent, they stay NULL / CAK_NONE. Infinite numbers are allowed where min or max
** is infinite. `key: null` means "absent" for texts without default and for optional rows. A NULL map is an empty one. `what` names the map in messages ("stft", "optimizer adam"). */
typedef bool cak_resolve(void *ctx, const cak_attr *row, const cak_yaml *value, void *field);
bool cak_config_read(cak_arena *a, cak_diag *d, cak_yaml *map, const cak_attr *rows, void *out, const char *what,
                     cak_resolve *resolve, void *ctx);
/* Fill a struct with the defaults of its table (no YAML involved). */
void cak_attr_defaults(cak_arena *a, const cak_attr *rows, void *out);

/* Scalars by schema type, not by spelling: 1e-4 is a number where a number is wanted; `no` is a string where a string is wanted. */
bool cak_config_num(cak_diag *d, const cak_yaml *n, double *out);
bool cak_config_int(cak_diag *d, const cak_yaml *n, int64_t *out);
bool cak_config_bool(cak_diag *d, const cak_yaml *n, bool *out);

/* After an error about the value of n: a note with the related place ("overrides the value given here"), where there is one. */
void cak_config_remark(cak_diag *d, const cak_yaml *n);

/* Every key of `map` that nobody read is an unknown key: E1203 with the nearest of `known` (ends with NULL). Keys "x-..." are free. */
bool cak_config_unused(cak_diag *d, const cak_yaml *map, const char *what, const char *const *known);

/* Names of runs, nodes, modules, metrics: [A-Za-z0-9_][A-Za-z0-9._-]{0,63}; dots only where `dots`. */
bool cak_config_name(cak_diag *d, const char *name, cak_pos at, const char *what, bool dots);

/* Resolved text (cak_yaml_print), and the XXH3-128 digest of what it computes as 32 hex digits: of the text without `log`. */
const char *cak_config_text(cak_config *c);
void cak_config_digest(cak_config *c, char hex[33]);

#endif
