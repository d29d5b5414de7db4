/* Memory of the tracker and of the fragmented datagrams: reserved at once, touched as it is used. */
#define _GNU_SOURCE /* madvise */

#include <stdlib.h>
#include <sys/mman.h>

#include "track.h"

#define MG_MOST_CONNECTIONS (1U << 28)
#define MG_MOST_DATAGRAMS (1U << 24)
#define MG_HUGE_PAGE (2U << 20)

static void *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    /* A look-up lands anywhere: with small pages each would also miss the page tables. A tracker of few
     * connections should stay small, though. */
    if (bytes >= 2 * (size_t)MG_HUGE_PAGE)
        (void)madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

/* The smallest power of two that is not less. */
static uint64_t power_of_two(uint64_t least)
{
    uint64_t power = 1;
    while (power < least)
        power *= 2;
    return power;
}

/* Half of the places at most are ever taken. */
static uint64_t bucket_count(uint32_t max_connections)
{
    return power_of_two((2 * (uint64_t)max_connections + MG_BUCKET_PLACES - 1) / MG_BUCKET_PLACES);
}

static size_t bucket_bytes(const struct mg_tracker *tracker)
{
    return (size_t)(tracker->bucket_mask + 1) * sizeof(struct mg_bucket);
}

static size_t entry_bytes(const struct mg_tracker *tracker)
{
    return ((size_t)tracker->limit + MG_HEADS) * sizeof(struct mg_entry);
}

struct mg_tracker *mg_tracker_new(uint32_t max_connections, const uint8_t key[16])
{
    if (max_connections == 0 || max_connections > MG_MOST_CONNECTIONS)
        return NULL;
    struct mg_tracker *tracker = calloc(1, sizeof *tracker);
    if (!tracker)
        return NULL;
    tracker->limit = max_connections;
    tracker->bucket_mask = bucket_count(max_connections) - 1;
    memcpy(tracker->hash_key, key, sizeof tracker->hash_key);
    tracker->buckets = reserve(bucket_bytes(tracker));
    tracker->entries = reserve(entry_bytes(tracker));
    if (!tracker->buckets || !tracker->entries) {
        mg_tracker_free(tracker);
        return NULL;
    }
    tracker->touched = MG_HEADS;
    for (uint32_t head = 0; head < MG_HEADS; head++)
        tracker->entries[head].older = tracker->entries[head].newer = head;
    return tracker;
}

void mg_tracker_free(struct mg_tracker *tracker)
{
    if (!tracker)
        return;
    if (tracker->buckets)
        munmap(tracker->buckets, bucket_bytes(tracker));
    if (tracker->entries)
        munmap(tracker->entries, entry_bytes(tracker));
    free(tracker);
}

struct mg_datagrams *mg_datagrams_new(uint32_t max_datagrams, const uint8_t key[16])
{
    if (max_datagrams == 0 || max_datagrams > MG_MOST_DATAGRAMS)
        return NULL;
    struct mg_datagrams *open = calloc(1, sizeof *open);
    if (!open)
        return NULL;
    open->limit = max_datagrams;
    open->bucket_mask = power_of_two(2 * (uint64_t)max_datagrams) - 1;
    memcpy(open->hash_key, key, sizeof open->hash_key);
    open->buckets = calloc((size_t)open->bucket_mask + 1, sizeof *open->buckets);
    open->datagrams = calloc((size_t)max_datagrams + 1, sizeof *open->datagrams);
    if (!open->buckets || !open->datagrams) {
        mg_datagrams_free(open);
        return NULL;
    }
    return open;
}

void mg_datagrams_free(struct mg_datagrams *open)
{
    if (!open)
        return;
    free(open->buckets);
    free(open->datagrams);
    free(open);
}
