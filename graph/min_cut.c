/* Maximal flow by Dinic's algorithm: rounds of shortest paths, without recursion. */
#include "graph/min_cut.h"

#include <string.h>

typedef struct edge { /* edge e and its reverse e ^ 1 share what can flow */
    int to, next;
    int64_t room;
} edge;

struct cak_network {
    cak_arena *a;
    int nodes, n, cap;
    edge *e;
    int *head;  /* by node: its first edge, -1: none */
    int *level; /* by node: steps from the source, -1: out of reach */
    int *at;    /* by node: the edge to try next */
    int *list;  /* nodes to visit, or the edges of a path */
    bool *side;
};

cak_network *cak_network_open(cak_arena *a, int nodes)
{
    size_t bytes = (size_t)nodes * sizeof(int);
    cak_network *w = cak_arena_alloc(a, sizeof *w);
    *w = (cak_network){ .a = a, .nodes = nodes };
    w->head = memset(cak_arena_alloc(a, bytes), 0xff, bytes);
    w->level = cak_arena_alloc(a, bytes);
    w->at = cak_arena_alloc(a, bytes);
    w->list = cak_arena_alloc(a, bytes);
    w->side = cak_arena_alloc(a, (size_t)nodes);
    return w;
}

static void add(cak_network *w, int from, int to, int64_t room)
{
    w->e = cak_arena_grow(w->a, w->e, &w->cap, w->n + 1, sizeof *w->e);
    w->e[w->n] = (edge){ to, w->head[from], room };
    w->head[from] = w->n++;
}

void cak_network_edge(cak_network *w, int from, int to, int64_t price)
{
    if (from == to || price <= 0) return;
    add(w, from, to, price);
    add(w, to, from, 0);
}

/* Levels of the nodes that can still be reached from the source; false: the sink cannot. */
static bool find_levels(cak_network *w)
{
    int n = 0;
    memset(w->level, 0xff, (size_t)w->nodes * sizeof *w->level);
    w->level[CAK_SOURCE] = 0;
    w->list[n++] = CAK_SOURCE;
    for (int i = 0; i < n; i++)
        for (int e = w->head[w->list[i]]; e >= 0; e = w->e[e].next) {
            if (!w->e[e].room || w->level[w->e[e].to] >= 0) continue;
            w->level[w->e[e].to] = w->level[w->list[i]] + 1;
            w->list[n++] = w->e[e].to;
        }
    return w->level[CAK_SINK] >= 0;
}

/* Send what fits along the path; returns how many of its edges lie before the first one that is full now. */
static int send(cak_network *w, const int *path, int n)
{
    int64_t flow = CAK_UNCUT;
    for (int i = 0; i < n; i++)
        if (w->e[path[i]].room < flow) flow = w->e[path[i]].room;
    for (int i = n - 1; i >= 0; i--) {
        w->e[path[i]].room -= flow;
        w->e[path[i] ^ 1].room += flow;
        if (!w->e[path[i]].room) n = i;
    }
    return n;
}

/* Send along all paths that go up one level with every step. */
static void send_all(cak_network *w)
{
    int n = 0, *path = w->list;
    memcpy(w->at, w->head, (size_t)w->nodes * sizeof *w->at);
    for (;;) {
        int node = n ? w->e[path[n - 1]].to : CAK_SOURCE, *e = &w->at[node];
        if (node == CAK_SINK) {
            n = send(w, path, n);
            continue;
        }
        while (*e >= 0 && (!w->e[*e].room || w->level[w->e[*e].to] != w->level[node] + 1)) *e = w->e[*e].next;
        if (*e >= 0) path[n++] = *e;
        else if (n == 0) return;
        else {
            w->level[node] = -1; /* no way on from here */
            n--;
        }
    }
}

const bool *cak_network_cut(cak_network *w)
{
    while (find_levels(w)) send_all(w);
    for (int i = 0; i < w->nodes; i++) w->side[i] = w->level[i] >= 0;
    return w->side;
}
