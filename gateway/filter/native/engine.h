/* The packet path: parse, zones, connection tracking, classify; what each packet was decided to be, and why.
 *
 * Equal in meaning to gateway.filter.engine.ReferenceEngine. A verdict is a number: it stands for everything the
 * policy's answer depends on (the classes of the packet, where it came in, the state of its connection and the flow
 * that admitted it), so Python works the answer out once for each number, and checks what was decided here by it.
 *
 * An engine belongs to one thread at a time. It never blocks and never calls back. */
#ifndef MASUGATA_ENGINE_H
#define MASUGATA_ENGINE_H

#include "classify.h"
#include "flows.h"
#include "fragments.h"
#include "parse.h"
#include "walk.h"

enum { MG_NOBODY = 0, MG_GATEWAY = 1, MG_FIRST_ZONE = 2 }; /* numbers of zones */
#define MG_MOST_ZONES 4096

/* gateway.filter.engine.MARKS and records.MID_STREAM. */
enum mg_mark {
    MG_ZONE_INFERRED = 1,
    MG_IS_TRUNCATED = 2,
    MG_IS_FRAGMENT = 4,
    MG_ORPHAN_FRAGMENT = 8,
    MG_OUTBOUND_COPY = 16,
    MG_GATEWAY_ANSWER = 32,
    MG_VLAN_TAG = 64,
    MG_CHECKSUM_IGNORED = 128,
    MG_MID_STREAM = 256,
    MG_MARKS = 512,
};

/* What an address label stands for. */
struct mg_place {
    uint16_t zone;    /* that has the address, MG_NOBODY for none */
    uint16_t owner;   /* of an address of our own: the zone of its segment */
    uint32_t managed; /* on the management segment; for Python */
    uint64_t mac;     /* that the policy ties the address to, or MG_NO_MAC */
};

/* What a rule does to a new connection. */
struct mg_effect {
    uint32_t flow;  /* that admits it, 0 for none */
    uint8_t passes; /* 0: refused */
    uint8_t local;  /* it ends in the gateway: a proxy of ours, or a service */
    uint16_t zero;
};

/* A policy between two moments at which flows open or close. Rules from `effect_count` on tell classes apart and
 * decide nothing. */
struct mg_policy_now {
    const struct mg_lookup *lookup;
    const struct mg_place *source_places, *destination_places; /* by label */
    const struct mg_effect *effects;
    const uint8_t *barred; /* [source zone * zones + destination zone]: a guard drops the whole direction */
    int64_t from_ns, last_ns; /* both included */
    uint32_t effect_count;
    uint32_t zones;
    uint32_t epoch; /* from 1 */
    uint32_t trial; /* a first deployment lets pass what only the default would refuse */
};

enum { MG_BAD_SENDER = 1, MG_AT_LIMIT = 2, MG_IS_REDIRECT = 4, MG_IS_MALFORMED = 8 };

/* What a verdict depends on, in three words: the classes of both addresses; the class of the service and the flow that
 * admitted the connection; epoch, ingress, state and flags. Words, because they are hashed and compared as such. */
struct mg_question {
    uint64_t ends, terms, circumstances;
};

mg_inline struct mg_question mg_question(uint32_t source, uint32_t destination, uint32_t service, uint32_t flow,
                                         uint64_t circumstances)
{
    return (struct mg_question){(uint64_t)source << 32 | destination, (uint64_t)flow << 32 | service, circumstances};
}

mg_inline uint64_t mg_circumstances(uint32_t epoch, uint16_t ingress, uint8_t state, uint8_t flags)
{
    return (uint64_t)epoch << 32 | (uint64_t)ingress << 16 | (uint64_t)state << 8 | flags;
}

mg_inline uint32_t mg_question_flow(const struct mg_question *question)
{
    return (uint32_t)(question->terms >> 32);
}

mg_inline uint16_t mg_question_ingress(const struct mg_question *question)
{
    return (uint16_t)(question->circumstances >> 16);
}

mg_inline uint8_t mg_question_state(const struct mg_question *question)
{
    return (uint8_t)(question->circumstances >> 8);
}

mg_inline uint8_t mg_question_flags(const struct mg_question *question)
{
    return (uint8_t)question->circumstances;
}

/* A verdict: the question, one packet that asked it, what was decided here, and how many packets got it. */
struct mg_verdict {
    struct mg_question question;
    struct mg_key key;
    uint64_t src_mac;
    int64_t time_ns;
    uint16_t sport, dport;
    uint32_t flow; /* that admits a new connection */
    uint8_t passes, local;
    uint8_t decided; /* whether `passes` says anything: for new connections only */
    uint8_t zero;
    uint32_t chain;
    uint64_t packets, bytes;
    uint64_t first; /* number of the first packet, counted over all files */
};

struct mg_judgement {
    uint64_t connection;
    uint32_t verdict; /* 0: none, see `reason` and `marks` */
    uint16_t marks;
    uint8_t reason; /* enum mg_unparsed */
    uint8_t zero;
};

/* Packets by verdict within one second. */
struct mg_second {
    int64_t second;
    uint32_t verdict; /* 0: not read */
    uint32_t packets;
};

struct mg_reason_sum {
    uint64_t packets, bytes, first;
};

/* What mg_run adds up besides verdicts and flows. */
struct mg_totals {
    uint64_t packets, judged, unparsed, skipped, backwards;
    int64_t first_ns, last_ns, before_ns;
    uint64_t marks[MG_MARKS];
    struct mg_reason_sum reasons[MG_BAD_UDP + 1];
};

#define MG_BATCH 64
#define MG_SECONDS 256

enum mg_stop {
    MG_DONE = 0,
    MG_OTHER_TIME,    /* the next packet belongs to another epoch */
    MG_FULL_VERDICTS, /* no number is left for another verdict */
    MG_FULL_ROWS      /* rows or seconds must be fetched first */
};

struct mg_engine {
    struct mg_tracker *tracker;
    struct mg_datagrams *datagrams;
    struct mg_flows *flows; /* NULL: nothing is added up */
    const struct mg_policy_now *policy;
    struct mg_verdict *verdicts; /* [0] is never used */
    uint32_t *verdict_buckets;
    uint32_t verdict_count, verdict_room, verdict_mask;
    uint32_t ignore_checksums;
    uint32_t second_count, second_room;
    struct mg_second *seconds_out;
    struct mg_second seconds[MG_SECONDS];
    struct mg_totals totals;
    struct mg_frame frames[MG_BATCH];
    uint64_t hashes[MG_BATCH];
};

/* Limits are numbers of entries; `max_flows` 0 adds nothing up. The key must be secret and random. NULL without
 * memory. */
struct mg_engine *mg_engine_new(uint32_t max_connections, uint32_t max_datagrams, uint32_t max_verdicts,
                                uint32_t max_flows, const uint8_t key[16]);
void mg_engine_free(struct mg_engine *engine);

/* Judge records in their order; returns how many were judged, and in `*stop` why no more. `frames` may be NULL. */
uint32_t mg_judge(struct mg_engine *engine, const struct mg_record *records, uint32_t count,
                  struct mg_judgement *judgements, struct mg_frame *frames, enum mg_stop *stop);

/* As mg_judge, and add everything up. */
uint32_t mg_run(struct mg_engine *engine, const struct mg_record *records, uint32_t count, enum mg_stop *stop);

/* Hand over what is pending: seconds into `seconds_out` (at most mg_engine.second_room + MG_SECONDS of them). */
void mg_flush_seconds(struct mg_engine *engine);
/* End the flows that are left, as far as there is room for rows; returns whether any remain. */
int mg_end_flows(struct mg_engine *engine);
/* Make rows of what the flows hold without ending them, from flow number `from` on (0: the first); returns where to
 * go on when there was no more room, 0 when it is done. */
uint32_t mg_emit_flows(struct mg_engine *engine, uint32_t from);
/* Forget all verdicts: their numbers begin anew. Fragments that follow a known one become orphans. */
void mg_forget_verdicts(struct mg_engine *engine);

#endif
