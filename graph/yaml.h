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
    bool quoted;      /* SCALAR: written in quotes, as a block or over several lines: never a number, bool or null */
    const char *key;  /* as child of a MAP: the key and its place */
    cak_pos key_pos;
    cak_yaml *child, *next, *parent; /* first child, next sibling in file order */
    int n;                           /* number of children */
    bool used;                       /* set by readers; unread keys are reported as unknown */
    bool referred;                   /* a ${...} names it */
    const char *origin;              /* NULL: the place says it; else "override 2: hp.lr=1e-3" */
    const char *remark;              /* a related place for messages, e.g. "replaces the value given here"; NULL: none */
    cak_pos remark_pos;
};

#define cak_yaml_each(c, n) for (cak_yaml *c = (n)->child; c; c = c->next)

/* Limits of a file and of a resolved configuration. */
enum {
    CAK_YAML_MAX_BYTES = 1 << 20,
    CAK_YAML_MAX_DEPTH = 32,
    CAK_YAML_MAX_NODES = 10000,
    CAK_YAML_MAX_SCALAR = 64 << 10,
    CAK_YAML_MAX_KEY = 128,
    CAK_YAML_MAX_LIST = 4096
};

/* NULL after recording every error found. `file` is the name shown in messages; text is n bytes. The root may be of any kind. */
cak_yaml *cak_yaml_parse(cak_arena *a, cak_diag *d, const char *file, const char *text, size_t n);
/* A file whose root is a mapping; everything else is an error. */
cak_yaml *cak_yaml_load(cak_arena *a, cak_diag *d, const char *path);

cak_yaml *cak_yaml_get(const cak_yaml *map, const char *key); /* child by key, NULL when absent; does not mark it used */
cak_yaml *cak_yaml_step(const cak_yaml *n, const char *segment, size_t len); /* child by one segment of a dotted path */
cak_yaml *cak_yaml_path(const cak_yaml *root, const char *dotted);           /* "a.b.c"; list items by number: "a.0" */
const char *cak_yaml_name(const cak_yaml *n, char *buf, size_t size);        /* dotted path of a node, for messages */

/* Building trees: attach a node as last child (of a map: set child->key first), detach, copy with all children. */
void cak_yaml_append(cak_yaml *parent, cak_yaml *child);
void cak_yaml_remove(cak_yaml *child);
cak_yaml *cak_yaml_clone(cak_arena *a, const cak_yaml *n);
/* Make n take kind, value, place and children of `from` (a node that nobody else holds); key, parent and siblings stay. */
void cak_yaml_assign(cak_yaml *n, cak_yaml *from);
int cak_yaml_measure(const cak_yaml *n, int *height); /* number of values; height: collections inside each other */
bool cak_yaml_null(const cak_yaml *n);                /* plain `null`, `~` or nothing */
bool cak_yaml_plain(const char *text);                /* could be written without quotes on one line of a block mapping */

/* Write a tree as YAML text (block style, strings quoted where a reader could mistake them), e.g. the resolved configuration. */
char *cak_yaml_print(cak_arena *a, const cak_yaml *root);

#endif
