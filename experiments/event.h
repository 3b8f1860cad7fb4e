/* Records of event files (TFRecord) and the protocol buffers in them, written by hand.
**
** A record is  length (8 bytes)  CRC of the length (4)  message  CRC of the message (4),  all little-endian. The CRC is CRC-32C
** (Castagnoli), masked. A message is a row of fields; begin and end enclose one that contains others. */
#ifndef EXPERIMENTS_EVENT_H
#define EXPERIMENTS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/arena.h"

typedef struct cak_event_bytes {
    cak_arena *a;
    unsigned char *p;
    int n, cap;
} cak_event_bytes; /* start with { .a = arena }; n = 0 begins anew */

uint32_t cak_crc32c_masked(const void *data, size_t size);

int cak_event_begin(cak_event_bytes *b); /* the message follows; returns where the record is */
void cak_event_end(cak_event_bytes *b, int at);

int cak_message_begin(cak_event_bytes *b, int field);
void cak_message_end(cak_event_bytes *b, int at);
void cak_field_int(cak_event_bytes *b, int field, uint64_t v); /* int64, bool, enum */
void cak_field_float(cak_event_bytes *b, int field, float v);
void cak_field_double(cak_event_bytes *b, int field, double v);
void cak_field_bytes(cak_event_bytes *b, int field, const void *data, size_t size);
void cak_field_text(cak_event_bytes *b, int field, const char *text);

#endif
