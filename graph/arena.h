/* Arenas: memory with one lifetime. Nothing is freed singly; closing the arena frees all. The only malloc of the engine. */
#ifndef CAK_ARENA_H
#define CAK_ARENA_H

#include <stddef.h>

typedef struct cak_arena cak_arena;

cak_arena *cak_arena_open(const char *name);          /* `name` appears in out-of-memory messages */
void cak_arena_close(cak_arena *a);                   /* NULL is fine */
void *cak_arena_alloc(cak_arena *a, size_t bytes);    /* zeroed, aligned to 16; never NULL (see below) */
char *cak_arena_text(cak_arena *a, const char *text); /* a copy */
char *cak_arena_print(cak_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Growth of an array that lives in an arena: returns room for `need` items, doubling; the old copy stays until close. */
void *cak_arena_grow(cak_arena *a, void *old, int *cap, int need, size_t item);

/* Large blocks (slabs, tensors): aligned to 64, zeroed, huge pages where the system has them. */
void *cak_slab_alloc(size_t bytes, const char *what);
void cak_slab_free(void *p, size_t bytes);

/* Plain heap for the rare object that must shrink. Same rules: never NULL. */
void *cak_heap_alloc(size_t bytes, const char *what);
void *cak_heap_grow(void *p, size_t bytes, const char *what);
void cak_heap_free(void *p);

/* Out of memory ends the program with exit code 7 after one clear message; everything on disk is written atomically, so nothing is
** lost. Tests make the n-th allocation fail: environment CAK_FAIL_ALLOC=n in builds with -DCAK_TESTING. */
_Noreturn void cak_out_of_memory(size_t bytes, const char *what);
long cak_alloc_count(void); /* allocations so far (steady state is checked with it) */

#endif
