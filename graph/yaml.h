/* YAML text -> a tree whose every node knows its place. Event API of libyaml; typing is left to the reader of the tree.
**
** Refused with place and reason: anchors, aliases, tags, merge keys, a second document, duplicate keys, keys that are not plain
** scalars, control characters; files over 1 MiB, nesting over 32, more than 10,000 nodes, scalars over 64 KiB. */
#ifndef CAK_YAML_H
#define CAK_YAML_H

#include "graph/arena.h"
#include "graph/diag.h"

typedef enum cak_yaml_kind { CAK_YAML_SCALAR, CAK_YAML_MAP, CAK_YAML_LIST } cak_yaml_kind;

typedef struct cak_yaml cak_yaml;
struct cak_yaml {
    cak_yaml_kind kind;
    cak_pos pos;      /* of the value (of the first character of the scalar, or of the collection) */
    const char *text; /* SCALAR: its value, NUL-terminated UTF-8 */
    bool quoted;      /* SCALAR: written in quotes (never a number, bool or null) */
    const char *key;  /* as child of a MAP: the key and its place */
    cak_pos key_pos;
    cak_yaml *child, *next, *parent; /* first child, next sibling in file order */
    int n;                           /* number of children */
    bool used;                       /* set by readers; unread keys are reported as unknown */
    const char *origin;              /* NULL: the place says it; else "override 2: hp.lr=1e-3", "default" */
};

/* NULL after recording every syntax error found. `file` is the name shown in messages; text is n bytes. */
cak_yaml *cak_yaml_parse(cak_arena *a, cak_diag *d, const char *file, const char *text, size_t n);
cak_yaml *cak_yaml_load(cak_arena *a, cak_diag *d, const char *path);

cak_yaml *cak_yaml_get(const cak_yaml *map, const char *key);         /* child by key, NULL when absent; does not mark it used */
cak_yaml *cak_yaml_path(const cak_yaml *root, const char *dotted);    /* "a.b.c"; list items by number: "a.0" */
const char *cak_yaml_name(const cak_yaml *n, char *buf, size_t size); /* dotted path of a node, for messages */

/* Write a tree as YAML text (block style, strings quoted where a reader could mistake them), e.g. the resolved configuration. */
char *cak_yaml_print(cak_arena *a, const cak_yaml *root);

#endif
