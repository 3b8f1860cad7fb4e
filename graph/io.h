/* Every file operation of the program, in one place, so that faults can be injected in one place. All functions record their own error. */
#ifndef CAK_IO_H
#define CAK_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/arena.h"
#include "graph/diag.h"

/* Whole regular file into the arena, NUL-terminated; NULL on error (code: CAK_E4002 unless given). limit 0: no limit. */
char *cak_io_read_all(cak_arena *a, cak_diag *d, cak_code code, const char *path, size_t limit, size_t *size);

/* Replace a file atomically: temporary file in the same directory, write, fsync, rename, fsync of the directory. An error leaves the old
** file as it was and no temporary file behind. The parts are written one after the other. */
typedef struct cak_io_part {
    const void *data;
    size_t size;
} cak_io_part;
bool cak_io_replace(cak_diag *d, const char *path, const cak_io_part *parts, int n);

/* Append one whole record with a single write(2) to an O_APPEND descriptor. */
int cak_io_open_append(cak_diag *d, const char *path); /* -1 on error */
bool cak_io_append(cak_diag *d, int fd, const char *path, const void *data, size_t size);
bool cak_io_truncate(cak_diag *d, int fd, const char *path, uint64_t size);
void cak_io_close(int fd);

int cak_io_open_read(cak_diag *d, cak_code code, const char *path, uint64_t *size); /* regular files only; -1 on error */
bool cak_io_pread(cak_diag *d, cak_code code, int fd, const char *path, void *out, size_t size, uint64_t offset);

bool cak_io_mkdirs(cak_diag *d, const char *path); /* like mkdir -p */
bool cak_io_exists(const char *path);
bool cak_io_remove(cak_diag *d, const char *path); /* a file that need not exist */
uint64_t cak_io_free_bytes(const char *path);      /* free space of the file system that holds path */

/* Take an exclusive kernel lock (flock) that the process holds until exit; -1 and CAK_E4004 naming the holder when it is taken. */
int cak_io_lock(cak_diag *d, const char *path);
bool cak_io_locked(const char *path, int *holder_pid); /* is somebody holding it? */

#endif
