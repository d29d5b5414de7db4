/* Packets gathered into flows, equal in meaning to gateway.replay.flows, and added up by what became of them.
 *
 * A flow has two sums, one for each direction; a sum whose verdict changes, or whose flow is over, becomes a row. */
#ifndef MASUGATA_FLOWS_H
#define MASUGATA_FLOWS_H

#include "track.h"

#define MG_FLOW_IDLE_NS 600000000000LL

enum mg_initiator { MG_FIRST_PACKET, MG_SYN_SEEN, MG_SYN_ACK_SEEN };

/* Packets of one direction of a flow under one verdict. */
struct mg_sum {
    uint64_t packets, bytes;
    uint64_t first; /* number of the packet, counted over all files */
    int64_t first_ns, last_ns;
    uint32_t verdict; /* 0: none yet */
    uint32_t begins;  /* whether the flow began with the first of these */
};

/* What is handed over: sums of all flows between the same two ends for the same service, one row for each direction
 * and verdict. The ends are told from the initiator's side. */
struct mg_row {
    uint64_t src_hi, src_lo, dst_hi, dst_lo;
    uint32_t verdict;
    uint16_t port; /* of the destination; of ICMP the type */
    uint8_t protocol, version;
    uint64_t answers; /* whether these are packets towards the initiator */
    uint64_t packets, bytes;
    uint64_t flows; /* that began with one of these packets */
    uint64_t first; /* number of the first packet, counted over all files */
    int64_t first_ns, last_ns;
};

#define MG_ROW_KEY_BYTES 48 /* of a row, from its start: what tells rows apart */

struct mg_flow {
    struct mg_key key;
    uint64_t hash, connection;
    int64_t last_ns;
    uint32_t chain, older, newer;
    uint16_t sport, dport;
    uint8_t initiator;
    struct mg_sum sums[2]; /* [towards the initiator] */
};

struct mg_flows {
    uint32_t *buckets;
    struct mg_flow *flows; /* [0] is the head of the list in order of beginning */
    uint64_t bucket_mask;
    uint32_t limit, live, touched, first_free;
    uint64_t count, split;
    struct mg_row *rows;
    uint32_t *row_slots; /* number of a row + 1, by its hash; twice as many as rows */
    uint64_t hash_key;
    uint32_t row_count, row_room; /* a power of two */
};

struct mg_flows *mg_flows_new(uint32_t max_flows, uint32_t max_rows, uint64_t hash_key);
void mg_flows_free(struct mg_flows *flows);
/* The rows have been fetched. */
void mg_flows_clear_rows(struct mg_flows *flows);

/* Two rows for a flow that ends, two for one that changes its verdict: so many may come of one packet. */
#define MG_ROWS_A_PACKET 4

/* The row of a flow's packets in one direction: the one that has begun already, or a new one. */
mg_inline struct mg_row *mg_flow_row(struct mg_flows *flows, const struct mg_row *wanted)
{
    uint64_t words[MG_ROW_KEY_BYTES / 8], hash = flows->hash_key;
    memcpy(words, wanted, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 32;
    }
    const uint64_t mask = 2 * (uint64_t)flows->row_room - 1;
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t slot = flows->row_slots[at];
        if (!slot) {
            flows->row_slots[at] = ++flows->row_count;
            struct mg_row *row = &flows->rows[flows->row_count - 1];
            *row = *wanted;
            return row;
        }
        if (memcmp(&flows->rows[slot - 1], wanted, MG_ROW_KEY_BYTES) == 0)
            return &flows->rows[slot - 1];
    }
}

mg_inline void mg_flow_emit(struct mg_flows *flows, struct mg_flow *flow, int answers)
{
    struct mg_sum *sum = &flow->sums[answers];
    if (!sum->verdict)
        return;
    const struct mg_key *key = &flow->key;
    bool back = flow->initiator == MG_SYN_ACK_SEEN;
    struct mg_row wanted = {
        .src_hi = back ? key->dst_hi : key->src_hi,
        .src_lo = back ? key->dst_lo : key->src_lo,
        .dst_hi = back ? key->src_hi : key->dst_hi,
        .dst_lo = back ? key->src_lo : key->dst_lo,
        .verdict = sum->verdict,
        .port = back ? flow->sport : flow->dport,
        .protocol = key->protocol,
        .version = key->version,
        .answers = (uint64_t)answers,
        .first = UINT64_MAX,
        .first_ns = INT64_MAX,
        .last_ns = INT64_MIN,
    };
    struct mg_row *row = mg_flow_row(flows, &wanted);
    row->packets += sum->packets;
    row->bytes += sum->bytes;
    row->flows += sum->begins;
    row->first = sum->first < row->first ? sum->first : row->first;
    row->first_ns = sum->first_ns < row->first_ns ? sum->first_ns : row->first_ns;
    row->last_ns = sum->last_ns > row->last_ns ? sum->last_ns : row->last_ns;
    sum->verdict = 0;
}

mg_inline struct mg_flow *mg_flow_lookup(const struct mg_flows *flows, const struct mg_key *key, uint64_t hash)
{
    for (uint32_t at = flows->buckets[hash & flows->bucket_mask]; at; at = flows->flows[at].chain) {
        struct mg_flow *flow = &flows->flows[at];
        if (flow->hash != hash)
            continue;
        if (mg_likely(mg_key_equal(&flow->key, key)))
            return flow;
        struct mg_key back = mg_key_back(key);
        if (mg_key_equal(&flow->key, &back))
            return flow;
    }
    return NULL;
}

mg_rare void mg_flow_end(struct mg_flows *flows, struct mg_flow *flow)
{
    uint32_t index = (uint32_t)(flow - flows->flows);
    uint32_t *link = &flows->buckets[flow->hash & flows->bucket_mask];
    mg_flow_emit(flows, flow, 0);
    mg_flow_emit(flows, flow, 1);
    while (*link != index)
        link = &flows->flows[*link].chain;
    *link = flow->chain;
    flows->flows[flow->older].newer = flow->newer;
    flows->flows[flow->newer].older = flow->older;
    flow->chain = flows->first_free;
    flows->first_free = index;
    flows->live--;
}

mg_inline uint8_t mg_flow_initiator(const struct mg_frame *frame)
{
    if (frame->key.protocol != MG_PROTOCOL_TCP || frame->fragment == MG_LATER_FRAGMENT)
        return MG_FIRST_PACKET;
    uint8_t segment = mg_segments[frame->control];
    return segment == MG_SEGMENT_SYN ? MG_SYN_SEEN : segment == MG_SEGMENT_SYN_ACK ? MG_SYN_ACK_SEEN : MG_FIRST_PACKET;
}

mg_inline struct mg_flow *mg_flow_begin(struct mg_flows *flows, const struct mg_frame *frame, uint64_t hash,
                                        uint64_t connection)
{
    if (mg_unlikely(flows->live >= flows->limit)) {
        flows->split++;
        mg_flow_end(flows, &flows->flows[flows->flows[0].newer]);
    }
    uint32_t index = flows->first_free;
    if (index)
        flows->first_free = flows->flows[index].chain;
    else
        index = ++flows->touched;
    uint32_t *bucket = &flows->buckets[hash & flows->bucket_mask];
    struct mg_flow *head = &flows->flows[0], *flow = &flows->flows[index];
    *flow = (struct mg_flow){
        .key = frame->key,
        .hash = hash,
        .connection = connection,
        .last_ns = INT64_MIN,
        .chain = *bucket,
        .older = head->older,
        .sport = frame->sport,
        .dport = frame->dport,
        .initiator = mg_flow_initiator(frame),
    };
    *bucket = index;
    flows->flows[head->older].newer = index;
    head->older = index;
    flows->live++;
    flows->count++;
    return flow;
}

/* One packet of a flow as the sums want it. */
struct mg_counted {
    uint64_t number, connection;
    int64_t time_ns;
    uint32_t wire, verdict;
};

/* Count one judged packet; returns its flow. There must be room for MG_ROWS_A_PACKET rows. */
mg_inline struct mg_flow *mg_flows_add(struct mg_flows *flows, const struct mg_frame *frame, uint64_t hash,
                                       const struct mg_counted *packet)
{
    struct mg_flow *flow = mg_flow_lookup(flows, &frame->key, hash);
    bool another = !flow || (packet->connection ? packet->connection != flow->connection
                                                : flow->connection == 0 &&
                                                      packet->time_ns - flow->last_ns > MG_FLOW_IDLE_NS);
    bool begins = mg_unlikely(another);
    if (begins) {
        if (flow)
            mg_flow_end(flows, flow);
        flow = mg_flow_begin(flows, frame, hash, packet->connection);
    }
    bool same = mg_key_equal(&flow->key, &frame->key);
    int answers = same == (flow->initiator == MG_SYN_ACK_SEEN);
    struct mg_sum *sum = &flow->sums[answers];
    if (mg_unlikely(sum->verdict != packet->verdict)) {
        mg_flow_emit(flows, flow, answers);
        *sum = (struct mg_sum){
            .first = packet->number,
            .first_ns = packet->time_ns,
            .last_ns = packet->time_ns,
            .verdict = packet->verdict,
            .begins = begins,
        };
    }
    sum->packets++;
    sum->bytes += packet->wire;
    if (packet->time_ns > sum->last_ns)
        sum->last_ns = packet->time_ns;
    else if (packet->time_ns < sum->first_ns)
        sum->first_ns = packet->time_ns;
    if (packet->time_ns > flow->last_ns)
        flow->last_ns = packet->time_ns;
    return flow;
}

/* gateway.replay.flows.strays: a packet of no connection, in an exchange that began out of sight. */
mg_inline bool mg_flow_strays(const struct mg_flow *flow, const struct mg_frame *frame)
{
    return frame->key.protocol == MG_PROTOCOL_TCP && frame->fragment != MG_LATER_FRAGMENT && !flow->connection &&
           flow->initiator != MG_SYN_SEEN && mg_segments[frame->control] != MG_NO_SEGMENT;
}

#endif
