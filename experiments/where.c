/* Filter expressions: reading, checking, applying. */
#include "experiments/where.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "graph/number.h"

enum { MAX_DEPTH = 64 };

/* ---- values ---- */

cak_setting cak_setting_of(const char *text)
{
    cak_setting v = { text, (double)NAN };
    double number;
    if (text && cak_number_real(*text == '+' ? text + 1 : text, &number) == CAK_NUMBER_OK) v.number = number;
    return v;
}

bool cak_setting_same(cak_setting x, cak_setting y)
{
    if (!x.text || !y.text) return x.text == y.text;
    return strcmp(x.text, y.text) == 0 || x.number == y.number;
}

/* ---- the expression as a tree ---- */

static bool equal(cak_setting x, cak_setting y) { return x.text && cak_setting_same(x, y); }
static bool differs(cak_setting x, cak_setting y) { return !equal(x, y); }
static bool less(cak_setting x, cak_setting y) { return x.number < y.number; }
static bool at_most(cak_setting x, cak_setting y) { return x.number <= y.number; }
static bool more(cak_setting x, cak_setting y) { return x.number > y.number; }
static bool at_least(cak_setting x, cak_setting y) { return x.number >= y.number; }
static bool holds_part(cak_setting x, cak_setting y) { return x.text && strstr(x.text, y.text); }

typedef struct comparison {
    const char *text;
    bool (*test)(cak_setting, cak_setting);
    bool ordered; /* needs a number */
} comparison;

static const comparison operators[] = { /* longer ones first */
                                        { "==", equal, false },   { "!=", differs, false },   { "<=", at_most, true },
                                        { ">=", at_least, true }, { "=", equal, false },      { "<", less, true },
                                        { ">", more, true },      { "~", holds_part, false }, { 0 }
};

struct cak_where {
    enum { TEST, NOT, AND, OR } kind;
    const cak_where *left, *right;
    const char *key;
    cak_pos at; /* of the key */
    const comparison *op;
    cak_setting value;
};

/* ---- words ---- */

typedef enum token_kind { END, WORD, TEXT, OPERATOR, OPEN, CLOSE, BAD } token_kind;

typedef struct parser {
    cak_arena *a;
    cak_diag *d;
    const char *option, *text, *next; /* next: what follows the token */
    token_kind kind;
    const char *start; /* of the token */
    const char *word;  /* WORD and TEXT: its text */
    const comparison *op;
    int depth;
} parser;

static cak_pos position(const parser *p)
{
    int col = 1; /* in characters */
    for (const char *c = p->text; c < p->start; c++) col += (*c & 0xc0) != 0x80;
    return (cak_pos){ .file = p->option, .line = 1, .col = col, .len = p->next > p->start ? (int)(p->next - p->start) : 1 };
}

/* What is found instead of something else. */
static const char *found(const parser *p)
{
    if (p->kind == END) return "the end of the expression";
    return cak_arena_print(p->a, "'%.*s'", (int)(p->next - p->start), p->start);
}

static const cak_where *wanted(const parser *p, const char *what)
{
    cak_error(p->d, CAK_E5001, position(p), "%s is expected here, not %s", what, found(p));
    return NULL;
}

static const comparison *operator_at(const char *s)
{
    for (const comparison *o = operators; o->text; o++)
        if (strncmp(s, o->text, strlen(o->text)) == 0) return o;
    return NULL;
}

static token_kind quoted(parser *p)
{
    const char *end = strchr(p->start + 1, *p->start);
    p->next = end ? end + 1 : p->start + strlen(p->start);
    if (!end) return BAD;
    p->word = cak_arena_print(p->a, "%.*s", (int)(end - p->start - 1), p->start + 1);
    return TEXT;
}

static token_kind read_token(parser *p)
{
    p->start = p->next += strspn(p->next, " \t\n");
    p->op = operator_at(p->start);
    if (!*p->start) return END;
    if (strchr("'\"", *p->start)) return quoted(p);
    p->next = p->start + (p->op ? strlen(p->op->text) : 1);
    if (p->op) return OPERATOR;
    if (*p->start == '(') return OPEN;
    if (*p->start == ')') return CLOSE;
    p->next = p->start + strcspn(p->start, " \t\n()=!<>~'\"");
    if (p->next == p->start) return p->next++, BAD; /* a single '!' */
    p->word = cak_arena_print(p->a, "%.*s", (int)(p->next - p->start), p->start);
    return WORD;
}

static void advance(parser *p) { p->kind = read_token(p); }
static bool is_word(const parser *p, const char *word) { return p->kind == WORD && strcasecmp(p->word, word) == 0; }

static bool takes(parser *p, const char *word)
{
    bool is = is_word(p, word);
    if (is) advance(p);
    return is;
}

/* ---- grammar ---- */

static const cak_where *make(parser *p, cak_where w)
{
    cak_where *copy = cak_arena_alloc(p->a, sizeof *copy);
    *copy = w;
    return copy;
}

static const cak_where *test(parser *p)
{
    if (p->kind != WORD || is_word(p, "and") || is_word(p, "or")) return wanted(p, "a key");
    cak_where w = { .kind = TEST, .key = p->word, .at = position(p) };
    advance(p);
    if (p->kind != OPERATOR) return wanted(p, "one of = != < <= > >= ~");
    w.op = p->op;
    advance(p);
    if (p->kind != WORD && p->kind != TEXT) return wanted(p, "a value");
    w.value = cak_setting_of(p->word);
    if (w.op->ordered && isnan(w.value.number)) return wanted(p, "a number");
    advance(p);
    return make(p, w);
}

static const cak_where *either(parser *p);

static const cak_where *inside(parser *p)
{
    advance(p);
    const cak_where *w = either(p);
    if (w && p->kind != CLOSE) return wanted(p, "')'");
    if (w) advance(p);
    return w;
}

static const cak_where *negation(parser *p)
{
    if (p->depth >= MAX_DEPTH) {
        cak_error(p->d, CAK_E5001, position(p), "more than %d expressions inside each other", MAX_DEPTH);
        return NULL;
    }
    p->depth++;
    const cak_where *w;
    if (takes(p, "not")) {
        w = negation(p);
        w = w ? make(p, (cak_where){ .kind = NOT, .left = w }) : NULL;
    } else {
        w = p->kind == OPEN ? inside(p) : test(p);
    }
    p->depth--;
    return w;
}

static const cak_where *both(parser *p)
{
    const cak_where *w = negation(p);
    while (w && takes(p, "and")) {
        const cak_where *right = negation(p);
        w = right ? make(p, (cak_where){ .kind = AND, .left = w, .right = right }) : NULL;
    }
    return w;
}

static const cak_where *either(parser *p)
{
    const cak_where *w = both(p);
    while (w && takes(p, "or")) {
        const cak_where *right = both(p);
        w = right ? make(p, (cak_where){ .kind = OR, .left = w, .right = right }) : NULL;
    }
    return w;
}

const cak_where *cak_where_parse(cak_arena *a, cak_diag *d, const char *option, const char *text)
{
    parser p = { .a = a, .d = d, .option = option, .text = text, .next = text };
    cak_diag_source(d, option, text);
    advance(&p);
    const cak_where *w = either(&p);
    return w && p.kind != END ? wanted(&p, "and, or, or the end") : w;
}

/* ---- use ---- */

static bool is_known(const char *key, const char *const *known, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(known[i], key) == 0) return true;
    return false;
}

static bool ends_with_part(const char *key, const char *word)
{
    const size_t n = strlen(key), m = strlen(word);
    return n > m && key[n - m - 1] == '.' && strcmp(key + n - m, word) == 0 && strncmp(key, "metrics.", 8) != 0;
}

const char *cak_where_suggest(cak_arena *a, const char *word, const char *const *known, int n)
{
    enum { SOME = 3 };
    const char *list = "";
    int found = 0;
    for (int i = 0; i < n && found < SOME; i++)
        if (ends_with_part(known[i], word)) list = cak_arena_print(a, "%s%s'%s'", list, found++ ? " or " : "", known[i]);
    const char *near = found ? NULL : cak_suggest(word, known, n);
    if (near) list = cak_arena_print(a, "'%s'", near);
    return *list ? cak_arena_print(a, "; did you mean %s?", list) : "";
}

static bool check_key(cak_diag *d, const cak_where *w, const char *const *known, int n)
{
    if (is_known(w->key, known, n)) return true;
    cak_arena *a = cak_arena_open("suggestion");
    cak_error(d, CAK_E5001, w->at, "no run has '%s'%s", w->key, cak_where_suggest(a, w->key, known, n));
    cak_arena_close(a);
    return false;
}

bool cak_where_check(cak_diag *d, const cak_where *w, const char *const *known, int n)
{
    if (w->kind == TEST) return check_key(d, w, known, n);
    bool left = cak_where_check(d, w->left, known, n);
    return (!w->right || cak_where_check(d, w->right, known, n)) && left;
}

bool cak_where_matches(const cak_where *w, cak_where_look *look, const void *ctx)
{
    if (w->kind == TEST) return w->op->test(look(ctx, w->key), w->value);
    bool left = cak_where_matches(w->left, look, ctx);
    if (w->kind == NOT) return !left;
    return w->kind == AND ? left && cak_where_matches(w->right, look, ctx) : left || cak_where_matches(w->right, look, ctx);
}
