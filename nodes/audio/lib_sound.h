/* Decoding of sound files: any channel count to mono by the mean, any sample rate to the wanted one by libsoxr (HQ). */
#ifndef CAK_LIB_SOUND_H
#define CAK_LIB_SOUND_H

#include "graph/real.h"
#include "nodes/audio/lib_sniff.h"

typedef struct cak_scan { /* what one complete decode of a file told */
    char hash[33];        /* XXH3-128 of the bytes of the file */
    uint64_t size;
    int64_t mtime; /* ns */
    int channels, rate;
    int64_t frames; /* decoded, at `rate` */
    double peak;    /* largest |sample| */
    cak_reason why; /* .text[0]: the file is not used */
    bool known;     /* the hash could be computed: the verdict depends on the contents alone */
} cak_scan;

/* Hash the bytes. False after filling s->why. */
bool cak_sound_hash(const char *path, cak_scan *s);
/* Check and decode everything: header rules, every sample finite and |x| <= 64, as many frames as the header says. */
bool cak_sound_scan(const char *path, cak_scan *s);

/* Samples of a file at `rate` after resampling. */
int64_t cak_sound_length(const cak_scan *s, int rate);

typedef struct cak_reader cak_reader;
/* Position a reader at sample `from` of the resampled file; NULL after recording E2002, or E2006 when the file is not the one that was
** scanned. Reading gives the same samples wherever it starts, up to the resampler's rounding. */
cak_reader *cak_reader_open(cak_diag *d, const char *path, const cak_scan *s, int rate, int64_t from);
int64_t cak_reader_read(cak_reader *r, cak_diag *d, int64_t n, real *out); /* samples read, fewer only at the end; -1: error */
void cak_reader_close(cak_reader *r);                                      /* NULL is fine */

#endif
