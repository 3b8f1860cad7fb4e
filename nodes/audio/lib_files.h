/* Which sound files a path stands for: a file, a folder searched recursively, or a list of files. */
#ifndef CAK_LIB_FILES_H
#define CAK_LIB_FILES_H

#include "graph/arena.h"
#include "graph/diag.h"

typedef struct cak_audio_file {
    const char *path; /* to open it */
    const char *name; /* relative to the folder or list; bytes that are no UTF-8 as \xNN */
} cak_audio_file;

/* Sorted by the bytes of `path`, each path once. Folders: every file whose name ends in .wav, .mp3, .flac, .aiff, .aif, .ogg, .oga or
** .opus; links to folders are followed, each folder is visited once. Lists (.txt, .m3u): one path per line, relative to the list; lines
** that start with # are comments. NULL after recording E2001 (nothing found) or E4002 (a folder or list cannot be read). */
const cak_audio_file *cak_audio_files(cak_arena *a, cak_diag *d, cak_pos at, const char *path, int *n);

const char *cak_printable(cak_arena *a, const char *name); /* bytes that are no UTF-8 text as \xNN */
/* `path` as seen from `dir`. */
const char *cak_path_join(cak_arena *a, const char *dir, const char *path);

#endif
