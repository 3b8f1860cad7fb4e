/* YAML text -> tree, from the events of libyaml. Refuses what configurations do not use, and goes on to find all such places. */
#include "graph/yaml.h"

#include <string.h>
#include <yaml.h>

#include "graph/io.h"
#include "graph/utf8.h"
#include "graph/yaml_parse.h"

typedef struct reader {
    cak_arena *a;
    cak_diag *d;
    const char *file, *text;
    size_t size;
    yaml_parser_t parser;
    cak_yaml *open[CAK_YAML_MAX_DEPTH]; /* collections around the next event */
    cak_yaml *last[CAK_YAML_MAX_DEPTH]; /* their last children */
    int depth, nodes;
    cak_yaml *root;
    const char *key; /* a key whose value comes next, or NULL */
    cak_pos key_pos;
    bool skip_value; /* the key was refused: its value is read over */
    bool stop;       /* a limit is exceeded: read no further */
} reader;

static cak_pos place(const reader *r, yaml_mark_t from, yaml_mark_t to)
{
    int32_t len = from.line == to.line && to.column > from.column ? (int32_t)(to.column - from.column) : 1;
    return (cak_pos){ r->file, (int32_t)from.line + 1, (int32_t)from.column + 1, len };
}

static cak_pos place_of(const reader *r, const yaml_event_t *e) { return place(r, e->start_mark, e->end_mark); }

static cak_pos place_of_byte(const char *file, const char *text, size_t offset)
{
    cak_pos at = { file, 1, 1, 1 };
    for (size_t i = 0; i < offset;) {
        uint32_t cp;
        int bytes = cak_utf8_next(text + i, offset - i, &cp);
        bool line_end = text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n');
        at.line += line_end;
        at.col = line_end ? 1 : at.col + 1;
        i += bytes ? (size_t)bytes : 1;
    }
    return at;
}

/* ---- errors of syntax ---- */

static const struct {
    const char *problem, *fix;
} fixes[] = {
    { "found character that cannot start any token",
      "; indent with spaces, not tabs, and quote text that starts with '@', '`' or '%'" },
    { "mapping values are not allowed in this context", "; quote text that contains ': ', or check the indentation" },
    { "did not find expected key", "; check the indentation, or quote the text" },
    { "could not find expected ':'", "; a key is followed by ': '" },
    { "did not find expected ',' or ']'", "; close the list with ']', and quote text that holds any of ,[]{}" },
    { "did not find expected ',' or '}'", "; close the mapping with '}', and quote text that holds any of ,[]{}" },
    { "found unexpected end of stream", "; a quote is not closed" },
};

/* A place that libyaml reports; one at the end of the text is moved back to the last thing written. */
static cak_pos place_of_problem(const reader *r, yaml_mark_t mark)
{
    cak_pos at = place(r, mark, mark), end = place_of_byte(r->file, r->text, r->size);
    if (at.line < end.line || (at.line == end.line && at.col < end.col)) return at;
    size_t n = r->size;
    while (n && strchr(" \t\r\n", r->text[n - 1])) n--;
    return place_of_byte(r->file, r->text, n);
}

static void syntax_error(reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) cak_out_of_memory(0, "libyaml");
    const char *problem = p->problem ? p->problem : "malformed text", *fix = "";
    for (size_t i = 0; i < sizeof fixes / sizeof *fixes; i++)
        if (!strcmp(problem, fixes[i].problem)) fix = fixes[i].fix;
    cak_error(r->d, CAK_E1002, place_of_problem(r, p->problem_mark), "%s%s", problem, fix);
    if (p->context) cak_note(r->d, place_of_problem(r, p->context_mark), "%s", p->context);
}

/* ---- events ---- */

static bool next_event(reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e)) return true;
    syntax_error(r);
    r->stop = true;
    return false;
}

/* Read over the rest of a node whose first event was `first`; iterative, so that depth costs nothing. */
static void skip_node(reader *r, yaml_event_type_t first)
{
    int depth = first == YAML_MAPPING_START_EVENT || first == YAML_SEQUENCE_START_EVENT;
    while (depth > 0) {
        yaml_event_t e;
        if (!next_event(r, &e)) return;
        depth += e.type == YAML_MAPPING_START_EVENT || e.type == YAML_SEQUENCE_START_EVENT;
        depth -= e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT;
        yaml_event_delete(&e);
    }
}

static bool limit_error(reader *r, cak_pos at, const char *what)
{
    r->stop = true;
    return cak_error(r->d, CAK_E1004, at, "%s", what);
}

static void refuse_decorations(reader *r, const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT) anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    if (e->type == YAML_MAPPING_START_EVENT) anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    cak_pos at = place(r, e->start_mark, e->start_mark);
    if (anchor)
        cak_error(r->d, CAK_E1003, at, "anchors and aliases are not supported: '&%s'; write ${path.to.key} instead", anchor);
    if (!tag) return;
    static const char core[] = "tag:yaml.org,2002:"; /* what libyaml makes of "!!" */
    bool short_form = !strncmp((const char *)tag, core, sizeof core - 1);
    cak_error(r->d, CAK_E1003, at, "tags are not supported: '%s%s'; the type follows from the key", short_form ? "!!" : "",
              (const char *)tag + (short_form ? sizeof core - 1 : 0));
}

/* Scalars decode escapes, so their characters are checked again. */
static bool check_scalar(reader *r, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    if (n > CAK_YAML_MAX_SCALAR) return cak_error(r->d, CAK_E1004, place_of(r, e), "a text is longer than 64 KiB");
    size_t bad = cak_utf8_check(text, n);
    if (bad == n) return true;
    return cak_error(r->d, CAK_E1001, place_of(r, e), "an escape stands for a control character (byte 0x%02x)",
                     (unsigned char)text[bad]);
}

static void attach(reader *r, cak_yaml *n)
{
    cak_yaml *parent = r->depth ? r->open[r->depth - 1] : NULL;
    if (!parent) {
        r->root = n;
        return;
    }
    if (parent->kind == CAK_YAML_MAP) n->key = r->key, n->key_pos = r->key_pos;
    r->key = NULL;
    cak_yaml **last = &r->last[r->depth - 1];
    *(*last ? &(*last)->next : &parent->child) = n;
    *last = n;
    n->parent = parent;
    parent->n++;
    if (parent->kind == CAK_YAML_LIST && parent->n == CAK_YAML_MAX_LIST + 1)
        limit_error(r, n->pos, "a list has more than 4096 items");
}

static cak_yaml *new_node(reader *r, const yaml_event_t *e, cak_yaml_kind kind)
{
    if (++r->nodes > CAK_YAML_MAX_NODES) limit_error(r, place_of(r, e), "more than 10000 values");
    cak_yaml *n = cak_arena_alloc(r->a, sizeof *n);
    n->kind = kind;
    n->pos = kind == CAK_YAML_SCALAR ? place_of(r, e) : place(r, e->start_mark, e->start_mark);
    return n;
}

static void read_scalar(reader *r, const yaml_event_t *e)
{
    cak_yaml *n = new_node(r, e, CAK_YAML_SCALAR);
    n->text = check_scalar(r, e) ? cak_arena_text(r->a, (const char *)e->data.scalar.value) : "";
    n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || !cak_yaml_plain(n->text);
    attach(r, n);
}

static void read_collection(reader *r, const yaml_event_t *e, cak_yaml_kind kind)
{
    cak_yaml *n = new_node(r, e, kind);
    if (r->depth == CAK_YAML_MAX_DEPTH) {
        limit_error(r, n->pos, "nesting deeper than 32");
        return;
    }
    attach(r, n);
    r->open[r->depth] = n;
    r->last[r->depth++] = NULL;
}

/* Refuse the key, and let its value be read over. */
static void bad_key(reader *r) { r->skip_value = true; }

static void read_key(reader *r, const yaml_event_t *e)
{
    const char *key = (const char *)e->data.scalar.value;
    cak_pos at = place_of(r, e);
    bool ok = true;
    if (e->type != YAML_SCALAR_EVENT) {
        ok = cak_error(r->d, CAK_E1003, at, "a key is a single word, not a list, a mapping or an alias");
        skip_node(r, e->type);
    } else if (!check_scalar(r, e)) {
        ok = false;
    } else if (strlen(key) > CAK_YAML_MAX_KEY) {
        ok = cak_error(r->d, CAK_E1004, at, "a key is longer than 128 bytes");
    } else if (!key[0]) {
        ok = cak_error(r->d, CAK_E1003, at, "a key is empty");
    } else if (!strcmp(key, "<<")) {
        ok = cak_error(r->d, CAK_E1003, at, "merge keys ('<<') are not supported; compose files with 'defaults:'");
    } else {
        cak_yaml *first = cak_yaml_get(r->open[r->depth - 1], key);
        if (first) {
            ok = cak_error(r->d, CAK_E1005, at, "duplicate key '%s'", key);
            cak_note(r->d, first->key_pos, "first defined here");
        }
    }
    if (!ok) {
        bad_key(r);
        return;
    }
    r->key = cak_arena_text(r->a, key);
    r->key_pos = at;
}

static void read_document(reader *r, const yaml_event_t *e)
{
    if (r->root) {
        cak_error(r->d, CAK_E1003, place_of(r, e), "a second document in the file; one file is one configuration");
        r->stop = true;
    }
    if (e->data.document_start.version_directive ||
        e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
        cak_error(r->d, CAK_E1003, place(r, e->start_mark, e->start_mark), "directives (%%YAML, %%TAG) are not supported");
}

static void read_event(reader *r, const yaml_event_t *e)
{
    bool node = e->type == YAML_SCALAR_EVENT || e->type == YAML_ALIAS_EVENT || e->type == YAML_SEQUENCE_START_EVENT ||
                e->type == YAML_MAPPING_START_EVENT;
    bool in_map = r->depth && r->open[r->depth - 1]->kind == CAK_YAML_MAP;
    if (node) refuse_decorations(r, e);
    if (node && r->skip_value) {
        r->skip_value = false;
        skip_node(r, e->type);
    } else if (node && in_map && !r->key) {
        read_key(r, e);
    } else if (e->type == YAML_ALIAS_EVENT) {
        const char *name = (const char *)e->data.alias.anchor;
        cak_error(r->d, CAK_E1003, place_of(r, e), "anchors and aliases are not supported: '*%s'; write ${path.to.key} instead",
                  name);
        r->key = NULL;
    } else if (e->type == YAML_SCALAR_EVENT) {
        read_scalar(r, e);
    } else if (node) {
        read_collection(r, e, e->type == YAML_MAPPING_START_EVENT ? CAK_YAML_MAP : CAK_YAML_LIST);
    } else if (e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT) {
        r->depth--;
    } else if (e->type == YAML_DOCUMENT_START_EVENT) {
        read_document(r, e);
    }
}

static void read_events(reader *r)
{
    if (!yaml_parser_initialize(&r->parser)) cak_out_of_memory(0, "libyaml");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text, r->size);
    for (bool end = false; !end && !r->stop;) {
        yaml_event_t e;
        if (!next_event(r, &e)) break;
        end = e.type == YAML_STREAM_END_EVENT;
        read_event(r, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&r->parser);
}

/* ---- whole texts ---- */

static bool check_text(cak_diag *d, const char *file, const char *text, size_t n)
{
    size_t bad = cak_utf8_check(text, n);
    if (bad == n) return true;
    uint32_t cp;
    unsigned char byte = (unsigned char)text[bad];
    cak_pos at = place_of_byte(file, text, bad);
    if (n >= 2 && bad == 0 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2)))
        return cak_error(d, CAK_E1001, at, "the file is UTF-16; save it as UTF-8");
    if (!cak_utf8_next(text + bad, n - bad, &cp))
        return cak_error(d, CAK_E1001, at, "byte 0x%02x is not UTF-8; save the file as UTF-8", byte);
    return cak_error(d, CAK_E1001, at, "the character U+%04X is not allowed in a configuration", (unsigned)cp);
}

cak_yaml *cak_yaml_parse_shown(cak_arena *a, cak_diag *d, const char *file, const char *text, size_t n, const char *shown)
{
    if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) text += 3, shown += 3, n -= 3; /* byte order mark */
    if (n > CAK_YAML_MAX_BYTES) return cak_error(d, CAK_E1004, (cak_pos){ .file = file }, "the file is larger than 1 MiB"), NULL;
    cak_diag_source(d, file, shown);
    if (!check_text(d, file, text, n)) return NULL;
    int before = cak_diag_errors(d);
    reader r = { .a = a, .d = d, .file = cak_arena_text(a, file), .text = text, .size = n };
    read_events(&r);
    if (cak_diag_errors(d) > before) return NULL;
    if (r.root && !(cak_yaml_null(r.root) && !r.root->text[0])) return r.root;
    return cak_error(d, CAK_E1001, (cak_pos){ .file = file }, "empty configuration"), NULL;
}

cak_yaml *cak_yaml_parse(cak_arena *a, cak_diag *d, const char *file, const char *text, size_t n)
{
    char *copy = cak_arena_alloc(a, n + 1);
    memcpy(copy, text, n);
    return cak_yaml_parse_shown(a, d, file, copy, n, copy);
}

cak_yaml *cak_yaml_load(cak_arena *a, cak_diag *d, const char *path)
{
    size_t n;
    const char *text = cak_io_read_all(a, d, CAK_E1001, path, CAK_YAML_MAX_BYTES, &n);
    cak_yaml *root = text ? cak_yaml_parse_shown(a, d, path, text, n, text) : NULL;
    if (!root || root->kind == CAK_YAML_MAP) return root;
    return cak_error(d, CAK_E1001, root->pos, "a configuration is a mapping (`key: value` lines), not a %s",
                     root->kind == CAK_YAML_LIST ? "list" : "single value"),
           NULL;
}
