/* Memory of an engine: reserved at once, touched as it is used. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include <stdlib.h>
#include <sys/mman.h>

#include "engine.h"

static void *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static size_t bucket_bytes(const struct mg_engine *engine)
{
    return ((size_t)engine->verdict_mask + 1) * sizeof *engine->verdict_buckets;
}

struct mg_engine *mg_engine_new(uint32_t max_connections, uint32_t max_datagrams, uint32_t max_verdicts,
                                uint32_t max_flows, const uint8_t key[16])
{
    if (max_verdicts < 4 * MG_BATCH || max_verdicts > 1U << 26)
        return NULL;
    struct mg_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return NULL;
    engine->verdict_count = 1;
    engine->verdict_room = max_verdicts;
    engine->verdict_mask = 1;
    while (engine->verdict_mask + 1 < max_verdicts)
        engine->verdict_mask = engine->verdict_mask * 2 + 1;
    engine->second_room = 4096;
    engine->tracker = mg_tracker_new(max_connections, key);
    engine->datagrams = mg_datagrams_new(max_datagrams, key);
    engine->verdicts = reserve((size_t)max_verdicts * sizeof *engine->verdicts);
    engine->verdict_buckets = reserve(bucket_bytes(engine));
    engine->seconds_out = calloc(engine->second_room + MG_SECONDS, sizeof *engine->seconds_out);
    engine->flows = max_flows && engine->tracker ? mg_flows_new(max_flows, 1U << 16, engine->tracker->hash_key[1]) : NULL;
    if (!engine->tracker || !engine->datagrams || !engine->verdicts || !engine->verdict_buckets ||
        !engine->seconds_out || (max_flows && !engine->flows)) {
        mg_engine_free(engine);
        return NULL;
    }
    return engine;
}

void mg_engine_free(struct mg_engine *engine)
{
    if (!engine)
        return;
    mg_tracker_free(engine->tracker);
    mg_datagrams_free(engine->datagrams);
    mg_flows_free(engine->flows);
    if (engine->verdicts)
        munmap(engine->verdicts, (size_t)engine->verdict_room * sizeof *engine->verdicts);
    if (engine->verdict_buckets)
        munmap(engine->verdict_buckets, bucket_bytes(engine));
    free(engine->seconds_out);
    free(engine);
}

void mg_forget_verdicts(struct mg_engine *engine)
{
    memset(engine->verdict_buckets, 0, bucket_bytes(engine));
    engine->verdict_count = 1;
    engine->datagrams->live = 0;
    memset(engine->datagrams->buckets, 0, ((size_t)engine->datagrams->bucket_mask + 1) * sizeof(uint32_t));
    engine->datagrams->datagrams[0].older = engine->datagrams->datagrams[0].newer = 0;
}
