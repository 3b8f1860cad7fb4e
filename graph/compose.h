/* The steps of cak_config_load: overrides, composition of files, interpolation. Not for nodes. */
#ifndef CAK_COMPOSE_H
#define CAK_COMPOSE_H

#include "graph/yaml.h"

typedef struct cak_override {
    const char *text; /* as given: "hp.lr=1e-3" */
    const struct cak_override_op *op;
    const char *path;
    cak_pos path_pos;
    cak_yaml *value; /* NULL: removal */
    bool selects;    /* chose an option of a `defaults` entry */
    bool bad;        /* could not be read, reported */
} cak_override;

typedef struct cak_composer {
    cak_arena *a;
    cak_diag *d;
    cak_override *override;
    int n_overrides;
    struct cak_composed *file; /* every file that took part, in the order of loading */
    int n_files, files_cap;
    const char **group; /* groups of `defaults` entries, for suggestions */
    int n_groups, groups_cap;
    const cak_yaml **named; /* entries that name a file by its path: no group, nothing to select */
    int n_named, named_cap;
} cak_composer;

typedef struct cak_composed {
    const char *path, *real;
    cak_yaml *tree; /* NULL: in error, reported */
} cak_composed;

/* Both record the error of every override that is wrong and go on with the others. */
void cak_override_read(cak_composer *c, const char *const *texts, int n);
void cak_override_apply(cak_composer *c, cak_yaml *root);
/* The override that selects an option of a group, or NULL; the last one wins. */
const cak_override *cak_override_option(cak_composer *c, const char *group);

/* The file with everything that its `defaults` name; NULL after recording all errors. */
cak_yaml *cak_compose(cak_composer *c, const char *path);
/* Deep merge of a mapping into another one; src is copied. */
void cak_compose_merge(cak_arena *a, cak_yaml *dst, const cak_yaml *src, const char *remark);

/* Replace every ${...} in the tree. The place of a reference that fails is silent from then on. */
void cak_interpolate(cak_arena *a, cak_diag *d, cak_yaml *root);

/* The existing path that was probably meant by a path that does not exist, or NULL. */
const char *cak_path_suggest(cak_arena *a, const cak_yaml *root, const char *path, const char *const *more, int n_more);
/* Record E1004 when a tree that grew exceeds what a file may hold. */
bool cak_check_size(cak_diag *d, const cak_yaml *root, cak_pos at);

#endif
