/* YAML trees: looking up, building, writing as text. */
#include "graph/yaml.h"

#include <stdlib.h>
#include <string.h>

#include "graph/text.h"

cak_yaml *cak_yaml_get(const cak_yaml *map, const char *key)
{
    if (!map || map->kind != CAK_YAML_MAP) return NULL;
    cak_yaml_each (c, map)
        if (!strcmp(c->key, key)) return c;
    return NULL;
}

cak_yaml *cak_yaml_step(const cak_yaml *n, const char *name, size_t len)
{
    bool list = n->kind == CAK_YAML_LIST;
    if (list && (!len || len > 5 || strspn(name, "0123456789") < len)) return NULL;
    long index = list ? strtol(name, NULL, 10) : -1;
    cak_yaml_each (c, n) {
        if (list && index-- == 0) return c;
        if (!list && strlen(c->key) == len && !memcmp(c->key, name, len)) return c;
    }
    return NULL;
}

cak_yaml *cak_yaml_path(const cak_yaml *root, const char *dotted)
{
    const cak_yaml *n = root;
    while (n) {
        size_t len = strcspn(dotted, ".");
        cak_yaml *c = cak_yaml_step(n, dotted, len);
        if (!dotted[len]) return c;
        dotted += len + 1;
        n = c;
    }
    return NULL;
}

static int index_of(const cak_yaml *n)
{
    int i = 0;
    for (const cak_yaml *c = n->parent->child; c != n; c = c->next) i++;
    return i;
}

const char *cak_yaml_name(const cak_yaml *n, char *buf, size_t size)
{
    const cak_yaml *chain[CAK_YAML_MAX_DEPTH + 1];
    int depth = 0;
    for (; n->parent && depth <= CAK_YAML_MAX_DEPTH; n = n->parent) chain[depth++] = n;
    size_t used = 0;
    buf[0] = 0;
    while (depth-- > 0 && used < size) {
        const char *dot = used ? "." : "";
        int wrote = chain[depth]->parent->kind == CAK_YAML_LIST
                        ? snprintf(buf + used, size - used, "%s%d", dot, index_of(chain[depth]))
                        : snprintf(buf + used, size - used, "%s%s", dot, chain[depth]->key);
        CAK_CHECK(wrote >= 0);
        used += (size_t)wrote;
    }
    return buf;
}

bool cak_yaml_null(const cak_yaml *n)
{
    return n->kind == CAK_YAML_SCALAR && !n->quoted && (!n->text[0] || !strcmp(n->text, "~") || !strcmp(n->text, "null"));
}

int cak_yaml_measure(const cak_yaml *n, int *height)
{
    int count = 1, tallest = 0;
    cak_yaml_each (c, n) {
        int h;
        count += cak_yaml_measure(c, &h);
        if (h > tallest) tallest = h;
    }
    *height = tallest + (n->kind != CAK_YAML_SCALAR);
    return count;
}

/* ---- building ---- */

void cak_yaml_append(cak_yaml *parent, cak_yaml *child)
{
    cak_yaml **end = &parent->child;
    while (*end) end = &(*end)->next;
    *end = child;
    child->next = NULL;
    child->parent = parent;
    parent->n++;
}

void cak_yaml_remove(cak_yaml *child)
{
    cak_yaml **at = &child->parent->child;
    while (*at != child) at = &(*at)->next;
    *at = child->next;
    child->parent->n--;
    child->parent = child->next = NULL;
}

cak_yaml *cak_yaml_clone(cak_arena *a, const cak_yaml *n)
{
    cak_yaml *copy = cak_arena_alloc(a, sizeof *copy);
    *copy = *n;
    copy->parent = copy->next = copy->child = NULL;
    cak_yaml **end = &copy->child;
    cak_yaml_each (c, n) {
        *end = cak_yaml_clone(a, c);
        (*end)->parent = copy;
        end = &(*end)->next;
    }
    return copy;
}

void cak_yaml_assign(cak_yaml *n, cak_yaml *from)
{
    cak_yaml old = *n;
    *n = *from;
    n->key = old.key, n->key_pos = old.key_pos, n->parent = old.parent, n->next = old.next;
    cak_yaml_each (c, n) c->parent = n;
}

/* ---- writing ---- */

/* YAML's rule for a plain scalar in a block mapping, on one line. */
bool cak_yaml_plain(const char *text)
{
    size_t n = strlen(text);
    if (!n) return true;
    if (strchr(",[]{}#&*!|>'\"%@`", text[0])) return false;
    if (strchr("-?:", text[0]) && (!text[1] || text[1] == ' ')) return false;
    if (text[0] == ' ' || text[n - 1] == ' ' || text[n - 1] == ':') return false;
    return !strpbrk(text, "\t\r\n") && !strstr(text, ": ") && !strstr(text, " #");
}

static void put_quoted(cak_text_builder *b, const char *text)
{
    static const char special[] = "\"\\\n\r\t", letter[] = "\"\\nrt";
    cak_text_add(b, "\"");
    while (*text) {
        size_t n = strcspn(text, special);
        cak_text_add(b, "%.*s", (int)n, text);
        text += n;
        if (*text) cak_text_add(b, "\\%c", letter[strchr(special, *text++) - special]);
    }
    cak_text_add(b, "\"");
}

static void put_scalar(cak_text_builder *b, const cak_yaml *n)
{
    if (n->quoted || !cak_yaml_plain(n->text)) put_quoted(b, n->text);
    else cak_text_add(b, "%s", n->text);
}

static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

static void put_key(cak_text_builder *b, const char *key)
{
    bool plain = strspn(key, word) == strlen(key) && key[0] && !strchr(".-", key[0]);
    if (plain) cak_text_add(b, "%s", key);
    else put_quoted(b, key);
}

/* Short lists of simple scalars are written on one line: [0.0, 0.9]. */
static bool one_line(const cak_yaml *list)
{
    size_t columns = 0;
    cak_yaml_each (c, list) {
        if (c->kind != CAK_YAML_SCALAR) return false;
        bool simple = c->text[0] && strspn(c->text, word) == strlen(c->text) && cak_yaml_plain(c->text);
        if (!c->quoted && !simple) return false;
        columns += strlen(c->text) + 2;
    }
    return columns <= 100;
}

static void put_children(cak_text_builder *b, const cak_yaml *n, int indent, bool first_indented);

/* A value after "key:" or "-". The first child of a collection in a list stands on the line of the dash. */
static void put_value(cak_text_builder *b, const cak_yaml *n, int indent, bool after_dash)
{
    if (n->kind == CAK_YAML_SCALAR) {
        if (n->text[0] || n->quoted) cak_text_add(b, " ");
        put_scalar(b, n);
        cak_text_add(b, "\n");
    } else if (!n->child) {
        cak_text_add(b, n->kind == CAK_YAML_MAP ? " {}\n" : " []\n");
    } else if (n->kind == CAK_YAML_LIST && one_line(n)) {
        cak_text_add(b, " [");
        cak_yaml_each (c, n) {
            put_scalar(b, c);
            cak_text_add(b, c->next ? ", " : "]\n");
        }
    } else {
        cak_text_add(b, after_dash ? " " : "\n");
        put_children(b, n, indent + 2, after_dash);
    }
}

static void put_children(cak_text_builder *b, const cak_yaml *n, int indent, bool first_indented)
{
    cak_yaml_each (c, n) {
        if (c != n->child || !first_indented) cak_text_add(b, "%*s", indent, "");
        if (n->kind == CAK_YAML_MAP) {
            put_key(b, c->key);
            cak_text_add(b, ":");
        } else {
            cak_text_add(b, "-");
        }
        put_value(b, c, indent, n->kind == CAK_YAML_LIST);
    }
}

char *cak_yaml_print(cak_arena *a, const cak_yaml *root)
{
    cak_text_builder b = { .a = a };
    if (root->child) put_children(&b, root, 0, false);
    else put_value(&b, root, 0, false);
    return cak_text_done(&b);
}
