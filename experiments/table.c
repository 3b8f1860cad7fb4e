/* One table, written in four ways: aligned text, CSV, Markdown, JSON. */
#include "experiments/table.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiments/visible.h"
#include "graph/number.h"
#include "graph/text.h"
#include "graph/utf8.h"

typedef struct cell {
    const char *shown;   /* NULL: empty */
    const double *value; /* by part, or one; NULL: the cell is a text */
} cell;

struct cak_table {
    cak_arena *a;
    cak_table_column *column;
    int n_columns;
    cell **row;
    int n_rows, cap;
};

cak_table *cak_table_make(cak_arena *a, const cak_table_column *column, int n)
{
    cak_table *t = cak_arena_alloc(a, sizeof *t);
    *t = (cak_table){ .a = a, .column = cak_arena_alloc(a, (size_t)n * sizeof *column), .n_columns = n };
    memcpy(t->column, column, (size_t)n * sizeof *column);
    for (int c = 0; c < n; c++) t->column[c].key = cak_arena_text(a, column[c].key);
    for (int c = 0; c < n; c++) t->column[c].head = cak_visible(a, column[c].head ? column[c].head : column[c].key);
    return t;
}

int cak_table_rows(const cak_table *t) { return t->n_rows; }
int cak_table_columns(const cak_table *t) { return t->n_columns; }

/* ---- filling ---- */

void cak_table_row(cak_table *t)
{
    t->row = cak_arena_grow(t->a, t->row, &t->cap, t->n_rows + 1, sizeof *t->row);
    t->row[t->n_rows++] = cak_arena_alloc(t->a, (size_t)t->n_columns * sizeof(cell));
}

static void fill(cak_table *t, int column, const char *shown, const double *value, int n)
{
    double *copy = n ? cak_arena_alloc(t->a, (size_t)n * sizeof *copy) : NULL;
    if (n) memcpy(copy, value, (size_t)n * sizeof *copy);
    t->row[t->n_rows - 1][column] = (cell){ shown ? cak_arena_text(t->a, shown) : NULL, copy };
}

void cak_table_text(cak_table *t, int column, const char *text) { fill(t, column, text, NULL, 0); }

void cak_table_number(cak_table *t, int column, double value, const char *shown)
{
    fill(t, column, shown ? shown : isnan(value) ? NULL : cak_arena_print(t->a, "%.4g", value), &value, 1);
}

static int parts(const cak_table_column *c)
{
    int n = 0;
    while (c->part && c->part[n]) n++;
    return n;
}

void cak_table_parts(cak_table *t, int column, const double *value, const char *shown)
{
    fill(t, column, shown, value, parts(&t->column[column]));
}

/* ---- aligned text ---- */

static int width_of(const char *text)
{
    int n = 0, step;
    uint32_t cp;
    for (size_t left = strlen(text); left; left -= (size_t)step, text += step, n++) {
        step = cak_utf8_next(text, left, &cp);
        if (step < 1) step = 1;
    }
    return n;
}

static const char *shown(const cak_table *t, int r, int c)
{
    const char *text = t->row[r][c].shown;
    return text ? cak_visible(t->a, text) : "-";
}

static void pad(cak_text_builder *b, const char *text, int width, bool right, bool last)
{
    int gap = width - width_of(text);
    if (right) cak_text_add(b, "%*s%s", gap, "", text);
    else cak_text_add(b, "%s%*s", text, last ? 0 : gap, "");
    cak_text_add(b, last ? "\n" : "  ");
}

/* One line of the columns in `list`; row -1 is the head. */
static void add_line(cak_text_builder *b, const cak_table *t, int row, const int *list, int n, const int *width)
{
    for (int i = 0; i < n; i++) {
        const char *text = row < 0 ? t->column[list[i]].head : shown(t, row, list[i]);
        pad(b, text, width[list[i]], t->column[list[i]].right, i == n - 1);
    }
}

static int *column_widths(cak_arena *a, const cak_table *t)
{
    int *width = cak_arena_alloc(a, (size_t)t->n_columns * sizeof *width);
    for (int c = 0; c < t->n_columns; c++) {
        width[c] = width_of(t->column[c].head);
        for (int r = 0; r < t->n_rows; r++)
            if (width_of(shown(t, r, c)) > width[c]) width[c] = width_of(shown(t, r, c));
    }
    return width;
}

/* The columns from c that stand together. */
static int group_end(const cak_table *t, int c)
{
    do c++;
    while (c < t->n_columns && t->column[c].joined);
    return c;
}

static int group_width(const cak_table *t, int c, int end, const int *width)
{
    int n = 0;
    for (; c < end; c++) n += t->column[c].data ? 0 : width[c] + 2;
    return n;
}

const char *cak_table_aligned(cak_arena *a, const cak_table *t, int width)
{
    cak_text_builder b = { .a = a };
    const int *column_width = column_widths(a, t);
    int *list = cak_arena_alloc(a, (size_t)t->n_columns * sizeof *list), n_leads = 0, used = 0, c = 0;
    for (; c < t->n_columns && t->column[c].leads; c++)
        if (!t->column[c].data) used += column_width[list[n_leads++] = c] + 2;
    do {
        int n = n_leads, room = width - used;
        for (int next; c < t->n_columns; c = next) {
            next = group_end(t, c);
            int need = group_width(t, c, next, column_width);
            if (width && n > n_leads && need - 2 > room) break;
            room -= need;
            for (int k = c; k < next; k++)
                if (!t->column[k].data) list[n++] = k;
        }
        if (b.n) cak_text_add(&b, "\n");
        for (int r = -1; r < t->n_rows; r++) add_line(&b, t, r, list, n, column_width);
    } while (c < t->n_columns);
    return cak_text_done(&b);
}

/* ---- Markdown ---- */

static void add_markdown(cak_text_builder *b, const char *text)
{
    cak_text_add(b, " ");
    for (const char *p = text; *p; p++) cak_text_add(b, *p == '|' || *p == '\\' ? "\\%c" : "%c", *p);
    cak_text_add(b, " |");
}

const char *cak_table_markdown(cak_arena *a, const cak_table *t)
{
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "|");
    for (int c = 0; c < t->n_columns; c++)
        if (!t->column[c].data) add_markdown(&b, t->column[c].head);
    cak_text_add(&b, "\n|");
    for (int c = 0; c < t->n_columns; c++)
        if (!t->column[c].data) cak_text_add(&b, t->column[c].right ? "---:|" : "---|");
    for (int r = 0; r < t->n_rows; r++) {
        cak_text_add(&b, "\n|");
        for (int c = 0; c < t->n_columns; c++)
            if (!t->column[c].data) add_markdown(&b, shown(t, r, c));
    }
    cak_text_add(&b, "\n");
    return cak_text_done(&b);
}

/* ---- CSV ---- */

static void add_csv(cak_text_builder *b, const char *text, bool first)
{
    if (!first) cak_text_add(b, ",");
    cak_text_add_csv(b, text);
}

static const char *number_text(double v, char buf[CAK_NUMBER_TEXT])
{
    if (isnan(v)) return "";
    return isinf(v) ? v > 0 ? "inf" : "-inf" : cak_number_text(v, buf);
}

static void add_csv_head(cak_text_builder *b, const cak_table *t)
{
    for (int c = 0; c < t->n_columns; c++) {
        const cak_table_column *col = &t->column[c];
        if (!col->part) add_csv(b, col->key, c == 0);
        for (int i = 0; i < parts(col); i++) add_csv(b, cak_arena_print(b->a, "%s.%s", col->key, col->part[i]), c + i == 0);
    }
    cak_text_add(b, "\n");
}

static void add_csv_cell(cak_text_builder *b, const cak_table_column *col, const cell *x, bool first)
{
    char buf[CAK_NUMBER_TEXT];
    if (!col->part) add_csv(b, x->value ? number_text(*x->value, buf) : x->shown ? x->shown : "", first);
    for (int i = 0; i < parts(col); i++) add_csv(b, x->value ? number_text(x->value[i], buf) : "", first && i == 0);
}

const char *cak_table_csv(cak_arena *a, const cak_table *t)
{
    cak_text_builder b = { .a = a };
    add_csv_head(&b, t);
    for (int r = 0; r < t->n_rows; r++) {
        for (int c = 0; c < t->n_columns; c++) add_csv_cell(&b, &t->column[c], &t->row[r][c], c == 0);
        cak_text_add(&b, "\n");
    }
    return cak_text_done(&b);
}

/* ---- JSON ---- */

json_t *cak_number_json(double v)
{
    if (isnan(v)) return json_null();
    if (isinf(v)) return json_string(v > 0 ? "+inf" : "-inf");
    return fabs(v) < 1e15 && v == floor(v) ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : json_null();
    return json ? json : json_string("(not UTF-8)");
}

static json_t *cell_json(const cak_table_column *col, const cell *x)
{
    if (!col->part) return x->value ? cak_number_json(*x->value) : text_json(x->shown);
    json_t *all = json_object();
    for (int i = 0; i < parts(col); i++)
        json_object_set_new(all, col->part[i], cak_number_json(x->value ? x->value[i] : (double)NAN));
    return all;
}

json_t *cak_table_json(const cak_table *t)
{
    json_t *list = json_array();
    for (int r = 0; r < t->n_rows; r++) {
        json_t *row = json_object();
        for (int c = 0; c < t->n_columns; c++)
            json_object_set_new(row, t->column[c].key, cell_json(&t->column[c], &t->row[r][c]));
        json_array_append_new(list, row);
    }
    return list;
}
