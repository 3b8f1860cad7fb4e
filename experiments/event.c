/* Records of event files: framing, checksum, protocol buffers. */
#include "experiments/event.h"

#include <string.h>

/* ---- checksum ---- */

/* Four bits at a time; the polynomial is 0x1EDC6F41, reflected. */
static uint32_t crc32c(const unsigned char *p, size_t size)
{
    static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* Masked, so that a checksum of data that hold checksums is a good one, too. */
uint32_t cak_crc32c_masked(const void *data, size_t size)
{
    uint32_t crc = crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* ---- bytes ---- */

static void put(cak_event_bytes *b, const void *data, size_t size)
{
    b->p = cak_arena_grow(b->a, b->p, &b->cap, b->n + (int)size, 1);
    memcpy(b->p + b->n, data, size);
    b->n += (int)size;
}

static void to_little_endian(unsigned char *out, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) out[i] = (unsigned char)(v >> 8 * i);
}

static void put_fixed(cak_event_bytes *b, uint64_t v, int bytes)
{
    unsigned char text[8];
    to_little_endian(text, v, bytes);
    put(b, text, (size_t)bytes);
}

enum { VARINT_BYTES = 10 };

/* Seven bits a byte, the lowest first; all bytes but the last have the highest bit. */
static int varint(unsigned char *out, uint64_t v)
{
    int n = 0;
    for (; v > 127; v >>= 7) out[n++] = (unsigned char)(v | 128);
    out[n++] = (unsigned char)v;
    return n;
}

static void put_varint(cak_event_bytes *b, uint64_t v)
{
    unsigned char text[VARINT_BYTES];
    put(b, text, (size_t)varint(text, v));
}

/* ---- records ---- */

enum { RECORD_HEAD = 12 };

int cak_event_begin(cak_event_bytes *b)
{
    static const char head[RECORD_HEAD];
    int at = b->n;
    put(b, head, sizeof head);
    return at;
}

void cak_event_end(cak_event_bytes *b, int at)
{
    unsigned char *head = b->p + at;
    size_t size = (size_t)(b->n - at - RECORD_HEAD);
    to_little_endian(head, size, 8);
    to_little_endian(head + 8, cak_crc32c_masked(head, 8), 4);
    put_fixed(b, cak_crc32c_masked(head + RECORD_HEAD, size), 4);
}

/* ---- fields ---- */

enum { VARINT, FIXED64, LENGTH, FIXED32 = 5 }; /* how the value is written */

static void put_key(cak_event_bytes *b, int field, int type) { put_varint(b, (uint64_t)(field << 3 | type)); }

int cak_message_begin(cak_event_bytes *b, int field)
{
    put_key(b, field, LENGTH);
    return b->n;
}

/* The length is known now: make room for it in front. */
void cak_message_end(cak_event_bytes *b, int at)
{
    unsigned char length[VARINT_BYTES];
    int size = b->n - at, n = varint(length, (uint64_t)size);
    put(b, length, (size_t)n);
    memmove(b->p + at + n, b->p + at, (size_t)size);
    memcpy(b->p + at, length, (size_t)n);
}

void cak_field_int(cak_event_bytes *b, int field, uint64_t v)
{
    put_key(b, field, VARINT);
    put_varint(b, v);
}

void cak_field_float(cak_event_bytes *b, int field, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(b, field, FIXED32);
    put_fixed(b, bits, 4);
}

void cak_field_double(cak_event_bytes *b, int field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(b, field, FIXED64);
    put_fixed(b, bits, 8);
}

void cak_field_bytes(cak_event_bytes *b, int field, const void *data, size_t size)
{
    put_key(b, field, LENGTH);
    put_varint(b, size);
    put(b, data, size);
}

void cak_field_text(cak_event_bytes *b, int field, const char *text) { cak_field_bytes(b, field, text, strlen(text)); }
