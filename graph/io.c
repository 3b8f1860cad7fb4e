/* Files: whole reads, atomic replacement, appending. */
#include "graph/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE = 0666 }; /* the umask decides */

static bool failed(cak_diag *d, cak_code code, const char *verb, const char *path)
{
    return cak_error(d, code, CAK_NOWHERE, "cannot %s %s: %s", verb, path, strerror(errno));
}

int cak_io_open_read(cak_diag *d, cak_code code, const char *path, uint64_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not block */
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        failed(d, code, "read", path);
    } else if (!S_ISREG(st.st_mode)) {
        cak_error(d, code, CAK_NOWHERE, "cannot read %s: not a regular file", path);
    } else {
        *size = (uint64_t)st.st_size;
        return fd;
    }
    cak_io_close(fd);
    return -1;
}

bool cak_io_pread(cak_diag *d, cak_code code, int fd, const char *path, void *out, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(d, code, "read", path);
        if (n == 0)
            return cak_error(d, code, CAK_NOWHERE, "cannot read %s: it ends after %" PRIu64 " bytes, %" PRIu64 " expected", path,
                             offset + done, offset + size);
        done += (size_t)n;
    }
    return true;
}

char *cak_io_read_all(cak_arena *a, cak_diag *d, cak_code code, const char *path, size_t limit, size_t *size)
{
    uint64_t n;
    int fd = cak_io_open_read(d, code, path, &n);
    if (fd < 0) return NULL;
    char *text = NULL;
    if (limit && n > limit) {
        cak_error(d, code, CAK_NOWHERE, "cannot read %s: its %" PRIu64 " bytes are more than the limit of %zu", path, n, limit);
    } else {
        text = cak_arena_alloc(a, (size_t)n + 1);
        if (!cak_io_pread(d, code, fd, path, text, (size_t)n, 0)) text = NULL;
    }
    cak_io_close(fd);
    if (text && size) *size = (size_t)n;
    return text;
}

/* Write everything; a short write goes on and so meets the error that cut it. False with errno set. */
static bool write_all(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        done += (size_t)n;
    }
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *dir_name(cak_arena *a, const char *path)
{
    const char *base = base_name(path);
    return base == path ? cak_arena_text(a, ".") : cak_arena_print(a, "%.*s/", (int)(base - path), path);
}

/* A new file beside `path`, hidden, with a name that no other process uses. */
static int open_temporary(cak_arena *a, const char *path, const char **name)
{
    static atomic_uint serial;
    for (;;) {
        *name = cak_arena_print(a, "%s.tmp-%s-%ld-%u", dir_name(a, path), base_name(path), (long)getpid(),
                                atomic_fetch_add(&serial, 1));
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
}

/* Reserve the space first: a full disk is found out before the first byte. File systems that cannot reserve are written to directly. */
static bool reserve(int fd, const cak_io_part *parts, int n)
{
    size_t size = 0;
    for (int i = 0; i < n; i++) size += parts[i].size;
    return size == 0 || fallocate(fd, 0, 0, (off_t)size) == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR;
}

static bool write_parts(int fd, const cak_io_part *parts, int n)
{
    if (!reserve(fd, parts, n)) return false;
    for (int i = 0; i < n; i++)
        if (!write_all(fd, parts[i].data, parts[i].size)) return false;
    return fsync(fd) == 0;
}

static bool sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0 || errno == EINVAL; /* some network file systems cannot, and need not */
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

static bool replace(cak_arena *a, const char *path, const cak_io_part *parts, int n)
{
    const char *temporary;
    int fd = open_temporary(a, path, &temporary);
    if (fd < 0) return false;
    bool ok = write_parts(fd, parts, n);
    int error = errno;
    if (close(fd) != 0 && ok) ok = false, error = errno;
    if (ok && rename(temporary, path) != 0) ok = false, error = errno;
    if (!ok) {
        unlink(temporary);
        errno = error;
        return false;
    }
    return sync_dir(dir_name(a, path));
}

/* A rename would put a file in the place of a device or a pipe. */
static bool may_replace(cak_diag *d, const char *path)
{
    struct stat st;
    if (!cak_io_no_link(d, path)) return false;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) return true;
    return cak_error(d, CAK_E4001, CAK_NOWHERE, "cannot write %s: not a regular file", path);
}

bool cak_io_replace(cak_diag *d, const char *path, const cak_io_part *parts, int n)
{
    if (!may_replace(d, path)) return false;
    cak_arena *a = cak_arena_open("file name");
    bool ok = replace(a, path, parts, n) || failed(d, CAK_E4001, "write", path);
    cak_arena_close(a);
    return ok;
}

int cak_io_open_append(cak_diag *d, const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, MODE);
    if (fd < 0 && errno == ELOOP) cak_io_no_link(d, path);
    else if (fd < 0) failed(d, CAK_E4001, "write", path);
    return fd;
}

bool cak_io_append(cak_diag *d, int fd, const char *path, const void *data, size_t size)
{
    off_t before = lseek(fd, 0, SEEK_END);
    ssize_t n;
    do n = write(fd, data, size);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)size) return true;
    if (n >= 0 && write_all(fd, (const char *)data + n, size - (size_t)n)) return true;
    int error = errno;
    if (before >= 0 && ftruncate(fd, before) != 0) /* leave no torn record; readers ignore one if this fails too */
        cak_warn(d, CAK_NOWHERE, "%s may end in an incomplete record", path);
    errno = error;
    return failed(d, CAK_E4001, "write", path);
}

bool cak_io_truncate(cak_diag *d, int fd, const char *path, uint64_t size)
{
    return ftruncate(fd, (off_t)size) == 0 || failed(d, CAK_E4001, "shorten", path);
}

bool cak_io_sync(cak_diag *d, int fd, const char *path) { return fsync(fd) == 0 || failed(d, CAK_E4001, "write", path); }

void cak_io_close(int fd)
{
    if (fd >= 0) close(fd);
}
