/* Memory of the flow table: reserved at once, touched as it is used. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include <stdlib.h>
#include <sys/mman.h>

#include "flows.h"

#define MG_MOST_FLOWS (1U << 28)

static void *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static size_t bucket_bytes(const struct mg_flows *flows)
{
    return (size_t)(flows->bucket_mask + 1) * sizeof *flows->buckets;
}

static size_t flow_bytes(const struct mg_flows *flows)
{
    return ((size_t)flows->limit + 1) * sizeof *flows->flows;
}

static size_t row_bytes(const struct mg_flows *flows)
{
    return (size_t)flows->row_room * sizeof *flows->rows;
}

static size_t slot_bytes(const struct mg_flows *flows)
{
    return 2 * (size_t)flows->row_room * sizeof *flows->row_slots;
}

struct mg_flows *mg_flows_new(uint32_t max_flows, uint32_t max_rows, uint64_t hash_key)
{
    if (max_flows == 0 || max_flows > MG_MOST_FLOWS || max_rows < MG_ROWS_A_PACKET || (max_rows & (max_rows - 1)))
        return NULL;
    struct mg_flows *flows = calloc(1, sizeof *flows);
    if (!flows)
        return NULL;
    flows->limit = max_flows;
    flows->row_room = max_rows;
    flows->bucket_mask = 1;
    while (flows->bucket_mask + 1 < max_flows)
        flows->bucket_mask = flows->bucket_mask * 2 + 1;
    flows->buckets = reserve(bucket_bytes(flows));
    flows->flows = reserve(flow_bytes(flows));
    flows->rows = reserve(row_bytes(flows));
    flows->row_slots = reserve(slot_bytes(flows));
    flows->hash_key = hash_key;
    if (!flows->buckets || !flows->flows || !flows->rows || !flows->row_slots) {
        mg_flows_free(flows);
        return NULL;
    }
    return flows;
}

void mg_flows_free(struct mg_flows *flows)
{
    if (!flows)
        return;
    if (flows->buckets)
        munmap(flows->buckets, bucket_bytes(flows));
    if (flows->flows)
        munmap(flows->flows, flow_bytes(flows));
    if (flows->rows)
        munmap(flows->rows, row_bytes(flows));
    if (flows->row_slots)
        munmap(flows->row_slots, slot_bytes(flows));
    free(flows);
}

void mg_flows_clear_rows(struct mg_flows *flows)
{
    flows->row_count = 0;
    memset(flows->row_slots, 0, slot_bytes(flows));
}
