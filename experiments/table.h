/* One table, written in four ways: aligned text for readers, CSV, Markdown, JSON.
**
** A cell has a text (rounded, "0.13 ± 0.01") and, behind it, numbers in full precision: text and Markdown show the former, CSV and JSON the
** latter. A cell of several numbers becomes columns KEY.PART in CSV and an object in JSON. */
#ifndef EXPERIMENTS_TABLE_H
#define EXPERIMENTS_TABLE_H

#include <stdbool.h>

#include "graph/arena.h"

typedef struct cak_table_column {
    const char *key;         /* in CSV and JSON; unique */
    const char *head;        /* what readers see; NULL: the key */
    const char *const *part; /* names of the numbers of a cell, ends with NULL; NULL: a cell is one text or number */
    bool right;              /* aligned to the right */
    bool leads;              /* names the row: repeated where a wide table goes on below; such columns come first */
    bool joined;             /* with the column before it: a wide table is not broken between them */
    bool data;               /* for programs only: not in text and Markdown */
} cak_table_column;

typedef struct cak_table cak_table;

cak_table *cak_table_make(cak_arena *a, const cak_table_column *column, int n); /* columns are copied */
void cak_table_row(cak_table *t);                                               /* begin a row; its cells are empty */
/* Fill a cell of the last row. Text is copied; NaN means "no value". */
void cak_table_text(cak_table *t, int column, const char *text);
void cak_table_number(cak_table *t, int column, double value, const char *shown); /* shown NULL: four digits */
void cak_table_parts(cak_table *t, int column, const double *value, const char *shown);

int cak_table_rows(const cak_table *t);
int cak_table_columns(const cak_table *t);

const char *cak_table_aligned(cak_arena *a, const cak_table *t, int width); /* width 0: no limit */
const char *cak_table_csv(cak_arena *a, const cak_table *t); /* RFC 4180 quoting; lines end with \n, as in metrics.csv */
const char *cak_table_markdown(cak_arena *a, const cak_table *t);
struct json_t;
struct json_t *cak_table_json(const cak_table *t); /* a list of objects; what has no value is null, infinity "+inf" */

/* A number as JSON: null for NaN, "+inf" and "-inf" for what JSON has no number for. */
struct json_t *cak_number_json(double v);

#endif
