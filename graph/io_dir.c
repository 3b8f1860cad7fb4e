/* Directories, links, locks and disk space. */
#include "graph/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static bool failed(cak_diag *d, cak_code code, const char *verb, const char *path)
{
    return cak_error(d, code, CAK_NOWHERE, "cannot %s %s: %s", verb, path, strerror(errno));
}

cak_io_made cak_io_mkdir(cak_diag *d, const char *path)
{
    if (mkdir(path, 0777) == 0) return CAK_IO_MADE;
    if (errno == EEXIST) return CAK_IO_TAKEN;
    failed(d, CAK_E4001, "make directory", path);
    return CAK_IO_FAILED;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Make one directory unless it is there; false with errno set. */
static bool make_one(const char *path)
{
    if (is_dir(path) || mkdir(path, 0777) == 0) return true;
    if (errno != EEXIST) return false;
    errno = ENOTDIR; /* unless somebody else has just made it */
    return is_dir(path);
}

bool cak_io_mkdirs(cak_diag *d, const char *path)
{
    cak_arena *a = cak_arena_open("directory name");
    char *part = cak_arena_text(a, path);
    bool ok = true;
    for (char *p = part; ok && *p;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char end = *p;
        *p = '\0';
        if (*part && !make_one(part)) ok = failed(d, CAK_E4001, "make directory", part);
        *p = end;
    }
    cak_arena_close(a);
    return ok;
}

bool cak_io_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool cak_io_remove(cak_diag *d, const char *path)
{
    return unlink(path) == 0 || errno == ENOENT || failed(d, CAK_E4001, "remove", path);
}

bool cak_io_remove_dir(cak_diag *d, const char *path) { return rmdir(path) == 0 || failed(d, CAK_E4001, "remove", path); }

bool cak_io_no_link(cak_diag *d, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode)) return true;
    return cak_error(d, CAK_E4001, CAK_NOWHERE, "%s is a symbolic link; a run does not write through one", path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const cak_io_entry *)a)->name, ((const cak_io_entry *)b)->name);
}

static cak_io_entry entry_of(cak_arena *a, int dir, const char *name)
{
    struct stat st;
    cak_io_entry e = { .name = cak_arena_text(a, name), .kind = CAK_IO_OTHER };
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return e; /* gone since it was listed */
    e.kind = S_ISREG(st.st_mode)   ? CAK_IO_FILE
             : S_ISDIR(st.st_mode) ? CAK_IO_DIR
             : S_ISLNK(st.st_mode) ? CAK_IO_LINK
                                   : CAK_IO_OTHER;
    e.size = (uint64_t)st.st_size;
    return e;
}

const cak_io_entry *cak_io_list(cak_arena *a, cak_diag *d, const char *path, int *n)
{
    *n = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        failed(d, CAK_E4002, "read directory", path);
        return NULL;
    }
    int cap = 0;
    cak_io_entry *list = cak_arena_grow(a, NULL, &cap, 1, sizeof *list);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        list = cak_arena_grow(a, list, &cap, *n + 1, sizeof *list);
        list[(*n)++] = entry_of(a, dirfd(dir), e->d_name);
    }
    closedir(dir);
    qsort(list, (size_t)*n, sizeof *list, by_name);
    return list;
}

bool cak_io_remove_temporaries(cak_diag *d, const char *dir)
{
    cak_arena *a = cak_arena_open("directory");
    int n;
    const cak_io_entry *list = cak_io_list(a, d, dir, &n);
    bool ok = list != NULL;
    for (int i = 0; i < n; i++)
        if (list[i].kind == CAK_IO_FILE && strncmp(list[i].name, ".tmp-", 5) == 0)
            ok = cak_io_remove(d, cak_arena_print(a, "%s/%s", dir, list[i].name)) && ok;
    cak_arena_close(a);
    return ok;
}

uint64_t cak_io_free_bytes(const char *path)
{
    cak_arena *a = cak_arena_open("directory name");
    char *part = cak_arena_text(a, path);
    struct statvfs fs;
    int result;
    while ((result = statvfs(part, &fs)) != 0 && errno == ENOENT && strcmp(part, ".") != 0) { /* the nearest parent that exists */
        char *slash = strrchr(part, '/');
        if (!slash) part = cak_arena_text(a, ".");
        else if (slash == part) part[1] = '\0';
        else *slash = '\0';
    }
    cak_arena_close(a);
    return result == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

bool cak_io_need_space(cak_diag *d, const char *path, uint64_t bytes)
{
    const double mib = 1 << 20;
    uint64_t free_bytes = cak_io_free_bytes(path);
    if (free_bytes >= bytes) return true;
    return cak_error(d, CAK_E4007, CAK_NOWHERE, "%s needs %.1f MiB of disk space and %.1f MiB are free", path,
                     (double)bytes / mib, (double)free_bytes / mib);
}

static int holder_of(int fd)
{
    char text[32] = "";
    return pread(fd, text, sizeof text - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

/* Somebody who only asks whether the lock is held takes it for a moment, so look several times before giving up. */
static bool try_lock(int fd)
{
    const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
    for (int i = 0; i < 10; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        nanosleep(&pause, NULL);
    }
    errno = EWOULDBLOCK;
    return false;
}

/* The holder's process number goes into the file; the lock itself is the kernel's and goes with the process. */
static bool sign(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

int cak_io_lock(cak_diag *d, const char *path)
{
    if (!cak_io_no_link(d, path)) return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        failed(d, CAK_E4001, "lock", path);
        return -1;
    }
    if (try_lock(fd) && sign(fd)) return fd;
    if (errno == EWOULDBLOCK)
        cak_error(d, CAK_E4004, CAK_NOWHERE, "%s is held by process %d, which is still running", path, holder_of(fd));
    else failed(d, CAK_E4001, "lock", path);
    close(fd);
    return -1;
}

bool cak_io_locked(const char *path, int *holder_pid)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    *holder_pid = held ? holder_of(fd) : 0;
    cak_io_close(fd);
    return held;
}
