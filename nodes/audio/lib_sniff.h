/* A look at the header of a sound file before a decoder gets it: is it a format we accept, and is all of it there? */
#ifndef CAK_LIB_SNIFF_H
#define CAK_LIB_SNIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/diag.h"

/* Limits of every format. */
enum { CAK_SOUND_MAX_CHANNELS = 64, CAK_SOUND_MIN_RATE = 1000, CAK_SOUND_MAX_RATE = 768000 };

typedef struct cak_reason { /* why a file is not used; the text does not name the file */
    cak_code code;
    char text[224];
} cak_reason;

/* Record the reason; returns false. */
bool cak_reject(cak_reason *why, cak_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF. `io` receives E2002 when the file cannot be read at all. frames: samples that the frames of
** an MP3 add up to, 0 for other formats. */
bool cak_sniff(cak_diag *io, int fd, const char *path, uint64_t size, int64_t *frames, cak_reason *why);

#endif
