/* Reads and writes cache files: fixed header, one entry per clip, names, then raw values from the next multiple of 4096. */
#include "experiments/prepare_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "graph/io.h"
#include "graph/par.h"

#define MAGIC "cakdata1"
enum { PAGE = 4096, MAX_HEAD = 1 << 30 };

typedef struct head { /* numbers in the byte order of the machine; another one fails the check */
    char magic[8];
    char digest[32];
    uint64_t check; /* XXH3 of everything before the values, this field as 0 */
    uint64_t size;  /* bytes before the values: head, entries, names, zeros */
    int64_t n, item, shape[3];
    double rate;
} head;

typedef struct entry {
    uint64_t hash; /* XXH3 of the values of the clip */
    double feature[CAK_FEATURES];
} entry;

struct cak_cache {
    const char *path, *temporary; /* temporary: NULL when the file has its name */
    int fd;
    head *head; /* followed by entries and names, in one piece */
    entry *entry;
    size_t clip; /* bytes of one */
};

static uint64_t file_offset(const cak_cache *c, int64_t i) { return c->head->size + (uint64_t)i * c->clip; }

static void bind_head(cak_cache *c, head *h)
{
    c->head = h;
    c->entry = (entry *)(h + 1);
    c->clip = (size_t)(h->shape[0] * h->shape[1] * h->shape[2]) * sizeof(real);
}

static uint64_t check_of(head *h)
{
    uint64_t kept = h->check;
    h->check = 0;
    uint64_t sum = XXH3_64bits(h, h->size);
    h->check = kept;
    return sum;
}

/* ---- opening ---- */

/* Every number is checked before it is used. */
static const char *read_head(cak_arena *a, cak_diag *quiet, cak_cache *c, uint64_t size, const char *digest, int n)
{
    head h;
    if (size < sizeof h || !cak_io_pread(quiet, CAK_E4002, c->fd, c->path, &h, sizeof h, 0)) return "too short";
    if (memcmp(h.magic, MAGIC, sizeof h.magic)) return "not a cache file";
    if (memcmp(h.digest, digest, sizeof h.digest) || h.n != n || h.item != sizeof(real)) return "made for something else";
    if (h.size < sizeof h + (uint64_t)n * sizeof(entry) || h.size > MAX_HEAD || h.size > size) return "bad header";
    head *all = cak_arena_alloc(a, (size_t)h.size);
    if (!cak_io_pread(quiet, CAK_E4002, c->fd, c->path, all, (size_t)h.size, 0)) return "unreadable header";
    if (all->size != h.size || check_of(all) != all->check) return "damaged header";
    bind_head(c, all);
    return size == file_offset(c, n) ? NULL : "wrong size";
}

/* The number of the first damaged clip, or n. */
static int64_t check_clips(cak_cache *c, int n)
{
    int64_t bad = n;
#ifdef _OPENMP
#pragma omp parallel
#endif
    {
        cak_diag *quiet = cak_diag_open();
        void *buf = cak_heap_alloc(c->clip, "cache");
#ifdef _OPENMP
#pragma omp for schedule(dynamic)
#endif
        for (int i = 0; i < n; i++) {
            bool good = cak_io_pread(quiet, CAK_E4002, c->fd, c->path, buf, c->clip, file_offset(c, i)) &&
                        XXH3_64bits(buf, c->clip) == c->entry[i].hash;
#ifdef _OPENMP
#pragma omp critical(cak_cache)
#endif
            if (!good && i < bad) bad = i;
        }
        cak_heap_free(buf);
        cak_diag_close(quiet);
    }
    return bad;
}

cak_cache *cak_cache_open(cak_arena *a, cak_diag *d, const char *path, const char *digest, int n)
{
    cak_cache *c = cak_arena_alloc(a, sizeof *c);
    cak_diag *quiet = cak_diag_open(); /* a bad cache file is no error, it is made again */
    uint64_t size = 0;
    *c = (cak_cache){ .path = path, .fd = cak_io_open_read(quiet, CAK_E4002, path, &size) };
    const char *bad = c->fd < 0 ? "unreadable" : read_head(a, quiet, c, size, digest, n);
    cak_diag_close(quiet);
    if (!bad && check_clips(c, n) < n) bad = "damaged values";
    if (!bad) return c;
    cak_warn(d, CAK_NOWHERE, "%s: %s; it will be made again", path, bad);
    cak_cache_close(c);
    return NULL;
}

/* ---- writing ---- */

static bool failed(cak_diag *d, const cak_cache *c)
{
    return cak_error(d, CAK_E4001, CAK_NOWHERE, "cannot write %s: %s", c->path, strerror(errno));
}

static bool write_at(cak_diag *d, const cak_cache *c, const void *data, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(c->fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(d, c);
        done += (size_t)n;
    }
    return true;
}

static head *new_head(cak_arena *a, const char *digest, const cak_source_info *info, const cak_shape *shape)
{
    size_t names = 0, fixed = sizeof(head) + (size_t)info->n * sizeof(entry);
    for (int i = 0; i < info->n; i++) names += strlen(info->clip[i].name) + 1;
    size_t size = (fixed + names + PAGE - 1) / PAGE * PAGE;
    head *h = cak_arena_alloc(a, size);
    *h = (head){ .magic = MAGIC, .size = size, .n = info->n, .item = sizeof(real), .rate = info->rate };
    memcpy(h->digest, digest, sizeof h->digest);
    for (int k = 0; k < 3; k++) h->shape[k] = shape->dim[k];
    char *at = (char *)h + fixed;
    for (int i = 0; i < info->n; i++) at = stpcpy(at, info->clip[i].name) + 1;
    return h;
}

cak_cache *cak_cache_create(cak_arena *a, cak_diag *d, const char *path, const char *digest, const cak_source_info *info,
                            const cak_shape *shape)
{
    const char *base = strrchr(path, '/') + 1;
    cak_cache *c = cak_arena_alloc(a, sizeof *c);
    *c = (cak_cache){ .path = path, .fd = -1 };
    bind_head(c, new_head(a, digest, info, shape));
    const char *dir = cak_arena_print(a, "%.*s", (int)(base - path), path);
    if (!cak_io_need_space(d, dir, file_offset(c, info->n))) return NULL;
    c->temporary = cak_arena_print(a, "%s.tmp-%s-%ld", dir, base, (long)getpid());
    c->fd = open(c->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (c->fd < 0) return failed(d, c), NULL;
    return c;
}

bool cak_cache_put(cak_cache *c, cak_diag *d, int i, const real *x, const double feature[CAK_FEATURES])
{
    c->entry[i].hash = XXH3_64bits(x, c->clip);
    memcpy(c->entry[i].feature, feature, sizeof c->entry[i].feature);
    return write_at(d, c, x, c->clip, file_offset(c, i));
}

bool cak_cache_finish(cak_cache *c, cak_diag *d)
{
    c->head->check = check_of(c->head);
    if (!write_at(d, c, c->head, c->head->size, 0)) return false;
    if (fsync(c->fd) != 0 || rename(c->temporary, c->path) != 0) return failed(d, c);
    c->temporary = NULL;
    return true;
}

void cak_cache_close(cak_cache *c)
{
    if (!c) return;
    if (c->temporary) unlink(c->temporary);
    if (c->fd >= 0) cak_io_close(c->fd);
}

/* ---- reading ---- */

cak_shape cak_cache_shape(const cak_cache *c) { return CAK_SHAPE(c->head->shape[0], c->head->shape[1], c->head->shape[2]); }
double cak_cache_feature(const cak_cache *c, int i, int feature) { return c->entry[i].feature[feature]; }

bool cak_cache_read(void *ctx, cak_diag *d, int i, int64_t r0, int64_t rows, int64_t c0, int64_t cols, real *out)
{
    const cak_cache *c = ctx;
    const int64_t *dim = c->head->shape;
    int64_t piece = cols == dim[2] ? rows * cols : cols; /* whole rows lie together */
    for (int64_t k = 0; k < dim[0]; k++)
        for (int64_t r = 0; r < rows * cols; r += piece, out += piece) {
            uint64_t at = (uint64_t)((k * dim[1] + r0 + r / cols) * dim[2] + c0) * sizeof(real);
            if (!cak_io_pread(d, CAK_E4002, c->fd, c->path, out, (size_t)piece * sizeof(real), file_offset(c, i) + at))
                return false;
        }
    return true;
}
