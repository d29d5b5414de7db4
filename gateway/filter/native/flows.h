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

/* What is handed over: one sum and the flow's ends as its first packet has them. */
struct mg_row {
    struct mg_key key;
    uint16_t sport, dport;
    uint8_t initiator;
    uint8_t answers; /* packets towards the initiator */
    uint16_t zero;
    struct mg_sum sum;
};

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
    uint32_t row_count, row_room;
};

struct mg_flows *mg_flows_new(uint32_t max_flows, uint32_t max_rows);
void mg_flows_free(struct mg_flows *flows);

/* Two rows for a flow that ends, two for one that changes its verdict: so many may come of one packet. */
#define MG_ROWS_A_PACKET 4

mg_inline void mg_flow_emit(struct mg_flows *flows, struct mg_flow *flow, int answers)
{
    struct mg_sum *sum = &flow->sums[answers];
    if (!sum->verdict)
        return;
    flows->rows[flows->row_count++] = (struct mg_row){
        .key = flow->key,
        .sport = flow->sport,
        .dport = flow->dport,
        .initiator = flow->initiator,
        .answers = (uint8_t)answers,
        .sum = *sum,
    };
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
