/* Arenas and slabs: the only file that asks the system for memory. */
#include "graph/arena.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "graph/diag.h"

static atomic_long n_allocs;

_Noreturn void cak_out_of_memory(size_t bytes, const char *what)
{
    fprintf(stderr, "cak: error: out of memory: %zu bytes for %s [E4003]\n", bytes, what);
    exit(CAK_EXIT_MEMORY);
}

long cak_alloc_count(void) { return atomic_load(&n_allocs); }

/* Count the allocation; in test builds make number CAK_FAIL_ALLOC fail. */
static void account(size_t bytes, const char *what)
{
    long n = atomic_fetch_add(&n_allocs, 1) + 1;
#ifdef CAK_TESTING
    const char *fail = getenv("CAK_FAIL_ALLOC");
    if (fail && strtol(fail, NULL, 10) == n) cak_out_of_memory(bytes, what);
#else
    (void)n, (void)bytes, (void)what;
#endif
}

void *cak_heap_alloc(size_t bytes, const char *what)
{
    account(bytes, what);
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p) cak_out_of_memory(bytes, what);
    return p;
}

void *cak_heap_grow(void *p, size_t bytes, const char *what)
{
    account(bytes, what);
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q) cak_out_of_memory(bytes, what);
    return q;
}

void cak_heap_free(void *p) { free(p); }

enum { HUGE_PAGE = 2 << 20 };

void *cak_slab_alloc(size_t bytes, const char *what)
{
    account(bytes, what);
    size_t size = bytes ? (bytes + 63) / 64 * 64 : 64;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) cak_out_of_memory(bytes, what);
    if (size >= HUGE_PAGE) madvise(p, size, MADV_HUGEPAGE); /* a hint; failure is harmless */
    return p;
}

void cak_slab_free(void *p, size_t bytes)
{
    if (p) munmap(p, bytes ? (bytes + 63) / 64 * 64 : 64);
}

/* An arena is a list of chunks; allocation bumps a pointer in the newest one. */
enum { CHUNK = 64 << 10, ALIGN = 16 };
typedef struct chunk {
    struct chunk *next;
    size_t size, used;
} chunk;
struct cak_arena {
    const char *name;
    chunk *first;
};

cak_arena *cak_arena_open(const char *name)
{
    cak_arena *a = cak_heap_alloc(sizeof *a, name);
    a->name = name;
    return a;
}

void cak_arena_close(cak_arena *a)
{
    if (!a) return;
    for (chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *cak_arena_alloc(cak_arena *a, size_t bytes)
{
    size_t head = (sizeof(chunk) + ALIGN - 1) / ALIGN * ALIGN, need = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (need < bytes) cak_out_of_memory(bytes, a->name);
    if (!a->first || a->first->size - a->first->used < need) {
        size_t size = need > CHUNK ? need : CHUNK;
        chunk *c = cak_heap_alloc(head + size, a->name);
        *c = (chunk){ .next = a->first, .size = size };
        a->first = c;
    }
    void *p = (char *)a->first + head + a->first->used;
    a->first->used += need;
    return p; /* chunks come from calloc: zeroed */
}

char *cak_arena_text(cak_arena *a, const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(cak_arena_alloc(a, n), text, n);
}

char *cak_arena_print(cak_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CAK_CHECK(n >= 0);
    char *text = cak_arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void *cak_arena_grow(cak_arena *a, void *old, int *cap, int need, size_t item)
{
    if (need <= *cap) return old;
    int grown = *cap ? *cap : 16;
    while (grown < need) grown *= 2;
    void *p = cak_arena_alloc(a, (size_t)grown * item);
    if (*cap) memcpy(p, old, (size_t)*cap * item);
    *cap = grown;
    return p;
}
