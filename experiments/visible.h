/* Text from files and file names, made safe for a terminal. */
#ifndef EXPERIMENTS_VISIBLE_H
#define EXPERIMENTS_VISIBLE_H

#include <stdint.h>

#include "graph/arena.h"

const char *cak_visible(cak_arena *a, const char *text); /* control characters as \xNN */
int cak_columns(const char *text);                       /* characters of UTF-8 */
int cak_fitting(const char *text, int columns);          /* bytes of the text that `columns` hold; no character is cut in two */

enum { CAK_BYTES_TEXT = 24 };
const char *cak_bytes_text(uint64_t bytes, char buf[CAK_BYTES_TEXT]); /* "512 B", "1.3 MiB" */
const char *cak_age_text(int64_t seconds, char buf[CAK_BYTES_TEXT]);  /* "42 s", "5 min", "3 h", "12 d" */

#endif
