/* Every file operation of the program, in one place, so that faults can be injected in one place. All functions record their own error. */
#ifndef CAK_IO_H
#define CAK_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/arena.h"
#include "graph/diag.h"

/* Whole regular file into the arena, NUL-terminated; NULL after recording `code`. limit 0: no limit. */
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
bool cak_io_sync(cak_diag *d, int fd, const char *path); /* to disk */
void cak_io_close(int fd);

int cak_io_open_read(cak_diag *d, cak_code code, const char *path, uint64_t *size); /* regular files only; -1 on error */
bool cak_io_pread(cak_diag *d, cak_code code, int fd, const char *path, void *out, size_t size, uint64_t offset);

bool cak_io_mkdirs(cak_diag *d, const char *path); /* like mkdir -p */
typedef enum cak_io_made { CAK_IO_MADE, CAK_IO_TAKEN, CAK_IO_FAILED } cak_io_made;
cak_io_made cak_io_mkdir(cak_diag *d, const char *path); /* the last part must be new; TAKEN, without an error, when it exists */
bool cak_io_exists(const char *path);
bool cak_io_remove(cak_diag *d, const char *path);     /* a file that need not exist */
bool cak_io_remove_dir(cak_diag *d, const char *path); /* an empty directory */
bool cak_io_no_link(cak_diag *d, const char *path); /* CAK_E4001 when path is a symbolic link: a run never writes through one */

typedef struct cak_io_entry {
    const char *name;
    enum { CAK_IO_FILE, CAK_IO_DIR, CAK_IO_LINK, CAK_IO_OTHER } kind;
    uint64_t size;
} cak_io_entry;
/* Contents of a directory sorted by name, without "." and ".."; NULL after CAK_E4002 when it cannot be read. */
const cak_io_entry *cak_io_list(cak_arena *a, cak_diag *d, const char *path, int *n);
/* Remove what a killed cak_io_replace left in a directory. Only for whoever holds the lock. */
bool cak_io_remove_temporaries(cak_diag *d, const char *dir);

/* The same path in its shortest form: "a/../b/x" is "b/x", unless a symbolic link or a missing folder makes that another file. */
const char *cak_io_short(cak_arena *a, const char *path);

uint64_t cak_io_free_bytes(
    const char *path); /* free space of the file system that holds path, which need not exist yet; UINT64_MAX: unknown */
bool cak_io_need_space(cak_diag *d, const char *path, uint64_t bytes); /* CAK_E4007 when less is free */

/* Take an exclusive kernel lock (flock) held until the descriptor is closed, at the latest by the end of the process; -1 and CAK_E4004 naming the holder when it is taken. */
int cak_io_lock(cak_diag *d, const char *path);
bool cak_io_locked(const char *path, int *holder_pid); /* is somebody holding it? */

#endif
