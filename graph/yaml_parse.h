/* Parsing of a text that messages show in another form: the value of an override within the whole override. Not for nodes. */
#ifndef CAK_YAML_PARSE_H
#define CAK_YAML_PARSE_H

#include "graph/yaml.h"

/* Like cak_yaml_parse; `shown` is the source text for messages, with the same columns. Both end with NUL. */
cak_yaml *cak_yaml_parse_shown(cak_arena *a, cak_diag *d, const char *file, const char *text, size_t n, const char *shown);

#endif
