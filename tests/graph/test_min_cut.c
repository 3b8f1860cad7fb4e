/* Minimal cuts of small random networks, against trying every division. */
#include "graph/min_cut.h"

#include "graph/rng.h"
#include "tests/support/suite.h"

enum { NODES = 9, MOST_EDGES = 30 };

typedef struct link {
    int from, to;
    int64_t price;
} link;

static int pick(int seed, int k, int n) { return (int)cak_rng_below((uint64_t)seed, 7, 0, (uint64_t)k, (uint64_t)n); }

static int64_t cost(const link *e, int n, const bool *side)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        if (side[e[i].from] && !side[e[i].to]) sum += e[i].price;
    return sum;
}

/* The best of all divisions: its cost and the fewest nodes on the side of the source. */
static int64_t try_all(const link *e, int n, int *fewest)
{
    int64_t best = INT64_MAX;
    for (int set = 0; set < 1 << (NODES - 2); set++) {
        bool side[NODES] = { true, false };
        int size = 1;
        for (int i = 2; i < NODES; i++) side[i] = set >> (i - 2) & 1, size += side[i];
        int64_t now = cost(e, n, side);
        if (now < best || (now == best && size < *fewest)) best = now, *fewest = size;
    }
    return best;
}

START_TEST(random_networks)
{
    for (int seed = 0; seed < 3000; seed++) {
        cak_arena *a = cak_arena_open("cut");
        cak_network *w = cak_network_open(a, NODES);
        link e[MOST_EDGES];
        int n = pick(seed, 0, MOST_EDGES), fewest = 0, size = 0;
        for (int i = 0; i < n; i++) {
            e[i] = (link){ pick(seed, 3 * i + 1, NODES), pick(seed, 3 * i + 2, NODES), pick(seed, 3 * i + 3, 9) - 1 };
            if (e[i].price < 0) e[i].price = 0; /* no price: no edge */
            cak_network_edge(w, e[i].from, e[i].to, e[i].price);
        }
        int64_t want = try_all(e, n, &fewest);
        const bool *side = cak_network_cut(w);
        ck_assert(side[CAK_SOURCE] && !side[CAK_SINK]);
        for (int i = 0; i < NODES; i++) size += side[i];
        ck_assert_msg(cost(e, n, side) == want && size == fewest, "seed %d: cost %lld of %lld, %d nodes of %d", seed,
                      (long long)cost(e, n, side), (long long)want, size, fewest);
        cak_arena_close(a);
    }
}
END_TEST

START_TEST(what_is_never_cut)
{
    cak_arena *a = cak_arena_open("cut");
    cak_network *w = cak_network_open(a, 4);
    cak_network_edge(w, CAK_SOURCE, 2, 5);
    cak_network_edge(w, 2, 3, CAK_UNCUT);
    cak_network_edge(w, 3, CAK_SINK, 4);
    const bool *side = cak_network_cut(w);
    ck_assert(side[2] && side[3]);
    cak_arena_close(a);
}
END_TEST

/* The shortest path takes a way that has to be given back: source a b sink, where only source a . . sink and source . . b sink fit together. */
START_TEST(flow_that_turns_back)
{
    static const link ways[] = { { CAK_SOURCE, 2, 1 }, { 2, 3, 1 }, { 3, CAK_SINK, 1 },   { 2, 4, 1 }, { 4, 5, 1 },
                                 { 5, CAK_SINK, 1 },   { 3, 8, 1 }, { CAK_SOURCE, 6, 1 }, { 6, 7, 1 }, { 7, 3, 1 } };
    cak_arena *a = cak_arena_open("cut");
    cak_network *w = cak_network_open(a, NODES);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) cak_network_edge(w, ways[i].from, ways[i].to, ways[i].price);
    const bool *side = cak_network_cut(w);
    for (int i = 1; i < NODES; i++) ck_assert_msg(!side[i], "node %d", i); /* cutting both edges of the source is cheapest */
    cak_arena_close(a);
}
END_TEST

SUITE(min_cut, flow_that_turns_back, random_networks, what_is_never_cut)
