/* The packet path; see engine.h. The order of the checks is that of ReferenceEngine, function by function. */
#include "engine_parts.h"

#define MG_ICMP_REDIRECT 5
#define MG_ICMP6_REDIRECT 137

/* One packet on its way. */
struct mg_case {
    const struct mg_record *record;
    struct mg_frame *frame;
    uint64_t hash;
    uint16_t ingress;
    bool classified;
    bool bad_sender; /* its MAC is not the one that the policy ties its address to */
    uint32_t source, destination, service;
    const struct mg_place *from, *to;
};

struct mg_answer {
    uint32_t verdict;
    uint64_t connection;
};

/* --- zones ---------------------------------------------------------------------------------------------------- */

static void classify(const struct mg_engine *engine, struct mg_case *packet)
{
    const struct mg_policy_now *policy = engine->policy;
    const struct mg_lookup *lookup = policy->lookup;
    const struct mg_frame *frame = packet->frame;
    const struct mg_key *key = &frame->key;
    if (packet->classified)
        return;
    packet->source = mg_source_class(lookup, key->version, key->src_hi, key->src_lo);
    packet->destination = mg_destination_class(lookup, key->version, key->dst_hi, key->dst_lo);
    packet->service = mg_service_class(lookup, key->protocol, frame->sport, frame->dport);
    packet->from = &policy->source_places[lookup->source.labels[packet->source]];
    packet->to = &policy->destination_places[lookup->destination.labels[packet->destination]];
    packet->bad_sender = packet->ingress != MG_NOWHERE && packet->from->mac != MG_NO_MAC &&
                         frame->src_mac != MG_NO_MAC && frame->src_mac != packet->from->mac;
    packet->classified = true;
}

static uint16_t source_zone(const struct mg_place *from)
{
    return from->owner != MG_NOBODY ? MG_GATEWAY : from->zone;
}

/* Our own address on the source's segment is the gateway; on another segment it stands in that zone. */
static uint16_t destination_zone(const struct mg_place *to, uint16_t source)
{
    return source != MG_NOBODY && to->owner == source ? MG_GATEWAY : to->zone;
}

static bool spoofed(const struct mg_case *packet)
{
    return packet->ingress != MG_NOWHERE &&
           (source_zone(packet->from) != packet->ingress || packet->bad_sender);
}

static bool redirect(const struct mg_frame *frame)
{
    return (frame->key.protocol == MG_PROTOCOL_ICMP && frame->dport == MG_ICMP_REDIRECT) ||
           (frame->key.protocol == MG_PROTOCOL_ICMP6 && frame->dport == MG_ICMP6_REDIRECT);
}

/* What becomes of a new connection: zones.decide for the questions that a tracker needs answered. */
static void decide_new(const struct mg_engine *engine, const struct mg_case *packet, struct mg_verdict *verdict)
{
    const struct mg_policy_now *policy = engine->policy;
    uint16_t source = source_zone(packet->from), destination = destination_zone(packet->to, source);
    verdict->decided = 1;
    if (spoofed(packet) || source == MG_NOBODY || destination == MG_NOBODY)
        return;
    if (policy->barred[(uint32_t)source * policy->zones + destination])
        return;
    if ((destination != MG_GATEWAY && packet->to->owner != MG_NOBODY) || redirect(packet->frame))
        return;
    uint32_t rule = mg_first_match(policy->lookup, packet->source, packet->destination, packet->service);
    if (rule < policy->effect_count) {
        const struct mg_effect *effect = &policy->effects[rule];
        verdict->passes = effect->passes;
        verdict->local = effect->local;
        verdict->flow = effect->passes ? effect->flow : 0;
    } else if (policy->trial && source != MG_GATEWAY && destination != MG_GATEWAY) {
        verdict->passes = 1;
    }
}

/* --- verdicts ------------------------------------------------------------------------------------------------- */

static uint32_t question_bucket(const struct mg_engine *engine, const struct mg_question *question)
{
    const uint64_t *key = engine->tracker->hash_key;
    uint64_t hash = (question->ends ^ key[0]) * 0x9E3779B97F4A7C15ULL;
    hash = (hash ^ hash >> 32 ^ question->terms ^ key[1]) * 0xD6E8FEB86659FD93ULL;
    hash = (hash ^ hash >> 32 ^ question->circumstances) * 0x9E3779B97F4A7C15ULL;
    return (uint32_t)(hash >> 32) & engine->verdict_mask;
}

/* The number of the verdict on a question; 0 when there is no number left. */
static uint32_t verdict_on(struct mg_engine *engine, const struct mg_case *packet, const struct mg_question *question)
{
    uint32_t *bucket = &engine->verdict_buckets[question_bucket(engine, question)];
    for (uint32_t at = *bucket; at; at = engine->verdicts[at].chain) {
        const struct mg_question *known = &engine->verdicts[at].question;
        if (mg_likely(((known->ends ^ question->ends) | (known->terms ^ question->terms) |
                       (known->circumstances ^ question->circumstances)) == 0))
            return at;
    }
    if (engine->verdict_count >= engine->verdict_room)
        return 0;
    const struct mg_frame *frame = packet->frame;
    uint8_t flags = mg_question_flags(question);
    uint32_t number = engine->verdict_count++;
    struct mg_verdict *verdict = &engine->verdicts[number];
    *verdict = (struct mg_verdict){.question = *question, .time_ns = packet->record->time_ns, .chain = *bucket};
    if (!(flags & MG_IS_MALFORMED)) {
        verdict->key = frame->key;
        verdict->src_mac = frame->src_mac;
        verdict->sport = frame->sport;
        verdict->dport = frame->dport;
        if (mg_question_state(question) == MG_NEW && !(flags & MG_AT_LIMIT))
            decide_new(engine, packet, verdict);
    }
    *bucket = number;
    return number;
}

static uint32_t ask(struct mg_engine *engine, struct mg_case *packet, enum mg_state state, uint32_t flow, uint8_t flags)
{
    classify(engine, packet);
    if (packet->bad_sender)
        flags |= MG_BAD_SENDER;
    if (mg_unlikely(mg_is_icmp(packet->frame->key.protocol)) && redirect(packet->frame))
        flags |= MG_IS_REDIRECT;
    struct mg_question question =
        mg_question(packet->source, packet->destination, packet->service, flow,
                    mg_circumstances(engine->policy->epoch, packet->ingress, (uint8_t)state, flags));
    return verdict_on(engine, packet, &question);
}

static uint32_t malformed(struct mg_engine *engine, struct mg_case *packet)
{
    struct mg_question question =
        mg_question(0, 0, 0, 0, mg_circumstances(0, packet->ingress, MG_INVALID, MG_IS_MALFORMED));
    return verdict_on(engine, packet, &question);
}

/* --- whole packets -------------------------------------------------------------------------------------------- */

static uint64_t sender_of(const struct mg_case *packet, enum mg_state state)
{
    return mg_sender(packet->frame->src_mac, (uint16_t)(packet->ingress << 2 | (uint16_t)state));
}

#define MG_STATE_BITS (3ULL << 48)

/* An ICMP error comes from where the packet it quotes was going; from any other zone it would pass the guards under
 * the flow of somebody else's connection. */
static bool from_far_end(const struct mg_engine *engine, const struct mg_case *packet)
{
    const struct mg_policy_now *policy = engine->policy;
    const struct mg_key *quoted = &packet->frame->quoted;
    if (packet->ingress == MG_GATEWAY || !packet->frame->quotes)
        return true;
    uint32_t class = mg_destination_class(policy->lookup, quoted->version, quoted->dst_hi, quoted->dst_lo);
    uint16_t far = policy->destination_places[policy->lookup->destination.labels[class]].zone;
    return far == (packet->ingress != MG_NOWHERE ? packet->ingress : packet->from->zone);
}

/* Track the connection a new packet opens, if the policy lets it pass. */
static struct mg_answer open_connection(struct mg_engine *engine, struct mg_case *packet, uint32_t number)
{
    const struct mg_verdict *verdict = &engine->verdicts[number];
    if (!number || !verdict->passes)
        return (struct mg_answer){.verdict = number};
    struct mg_entry *entry = mg_track_admit(engine->tracker, packet->frame, packet->hash, packet->record->time_ns,
                                            verdict->flow, verdict->local);
    if (mg_unlikely(!entry))
        return (struct mg_answer){.verdict = ask(engine, packet, MG_NEW, 0, MG_AT_LIMIT)};
    return (struct mg_answer){.verdict = number, .connection = entry->number};
}

static struct mg_answer whole(struct mg_engine *engine, struct mg_case *packet)
{
    const struct mg_frame *frame = packet->frame;
    const uint32_t epoch = engine->policy->epoch;
    int64_t now_ns = packet->record->time_ns;
    struct mg_entry *entry = mg_track_find(engine->tracker, &frame->key, packet->hash, now_ns);
    struct mg_memo *memo = entry ? &entry->memo[mg_is_reply(entry, frame)] : NULL;
    bool known = memo && memo->verdict && memo->epoch == epoch &&
                 (memo->sender & ~MG_STATE_BITS) == sender_of(packet, MG_NEW);
    if (!known) {
        classify(engine, packet);
        /* Before tracking, as in the kernel's raw hook: a forged reset must not end a connection. */
        if (mg_unlikely(spoofed(packet)))
            return (struct mg_answer){.verdict = ask(engine, packet, MG_NEW, 0, 0)};
    }
    struct mg_entry *found;
    enum mg_state state = mg_track_advance(engine->tracker, entry, frame, now_ns, &found);
    if (mg_likely(known && found && memo->sender == sender_of(packet, state)))
        return (struct mg_answer){.verdict = memo->verdict, .connection = found->number};
    uint32_t number;
    if (state == MG_NEW) {
        number = ask(engine, packet, MG_NEW, 0, 0);
        if (!found)
            return open_connection(engine, packet, number);
    } else if (state == MG_INVALID) {
        number = ask(engine, packet, MG_INVALID, 0, 0);
    } else {
        bool made_up = false;
        if (mg_unlikely(state == MG_RELATED)) {
            classify(engine, packet);
            made_up = !from_far_end(engine, packet);
        }
        number = made_up ? ask(engine, packet, MG_INVALID, 0, 0) : ask(engine, packet, state, found->flow, 0);
    }
    if (!found)
        return (struct mg_answer){.verdict = number};
    if (state == MG_NEW || state == MG_ESTABLISHED)
        found->memo[mg_is_reply(found, frame)] =
            (struct mg_memo){.verdict = number, .epoch = epoch, .sender = sender_of(packet, state)};
    return (struct mg_answer){.verdict = number, .connection = found->number};
}

/* --- fragments, and the rest ---------------------------------------------------------------------------------- */

/* A later fragment gets the ports of the first. */
static struct mg_answer fragment(struct mg_engine *engine, struct mg_case *packet, uint16_t *marks)
{
    struct mg_frame *frame = packet->frame;
    int64_t now_ns = packet->record->time_ns;
    if (frame->fragment == MG_FIRST_FRAGMENT &&
        !mg_datagrams_rewrites(engine->datagrams, frame, packet->ingress, now_ns)) {
        struct mg_answer answer = whole(engine, packet);
        if (answer.verdict)
            mg_datagrams_remember(engine->datagrams, frame, packet->ingress, now_ns, answer.verdict,
                                  answer.connection);
        return answer;
    }
    const struct mg_datagram *datagram =
        frame->fragment == MG_LATER_FRAGMENT
            ? mg_datagrams_find(engine->datagrams, frame, packet->ingress, now_ns)
            : NULL;
    if (!datagram) {
        *marks |= MG_ORPHAN_FRAGMENT;
        return (struct mg_answer){.verdict = ask(engine, packet, MG_INVALID, 0, 0)};
    }
    frame->key = datagram->key;
    frame->sport = datagram->sport;
    frame->dport = datagram->dport;
    return (struct mg_answer){.verdict = datagram->verdict, .connection = datagram->connection};
}

static struct mg_answer judge(struct mg_engine *engine, struct mg_case *packet, uint16_t *marks)
{
    const struct mg_frame *frame = packet->frame;
    *marks |= (uint16_t)((frame->truncated ? MG_IS_TRUNCATED : 0) |
                         (packet->ingress == MG_NOWHERE ? MG_ZONE_INFERRED : 0) |
                         (frame->checksum ? MG_CHECKSUM_IGNORED : 0) |
                         (frame->vlan != MG_NO_VLAN && frame->vlan != 0 ? MG_VLAN_TAG : 0));
    if (mg_unlikely(frame->fragment != MG_WHOLE)) {
        *marks |= MG_IS_FRAGMENT;
        return fragment(engine, packet, marks);
    }
    return whole(engine, packet);
}

/* Tell the gateway's own packets from copies of what was judged as it came in. */
static struct mg_answer leaving(struct mg_engine *engine, struct mg_case *packet, uint16_t *marks)
{
    packet->ingress = MG_GATEWAY;
    classify(engine, packet);
    if (packet->from->owner != MG_NOBODY)
        return judge(engine, packet, marks);
    const struct mg_frame *frame = packet->frame;
    int64_t now_ns = packet->record->time_ns;
    struct mg_entry *found, *entry = mg_track_find(engine->tracker, &frame->key, packet->hash, now_ns);
    if (entry && (entry->flags & MG_LOCAL) && mg_is_reply(entry, frame)) {
        uint64_t number = entry->number;
        (void)mg_track_advance(engine->tracker, entry, frame, now_ns, &found);
        *marks |= MG_GATEWAY_ANSWER;
        return (struct mg_answer){.connection = number};
    }
    *marks |= MG_OUTBOUND_COPY;
    return (struct mg_answer){0};
}

static struct mg_answer judge_one(struct mg_engine *engine, struct mg_case *packet, uint16_t *marks)
{
    struct mg_frame *frame = packet->frame;
    const struct mg_record *record = packet->record;
    bool leaves = record->direction == MG_OUTBOUND ||
                  (record->direction == MG_UNKNOWN_DIRECTION &&
                   mg_leaves(record->linktype, record->data, record->captured) == 1);
    bool outbound = leaves && packet->ingress != MG_NOWHERE;
    /* RFC 1122 3.2.1.2: a receiver drops the packet; a sender may have captured it unfinished. */
    if (frame->reason == MG_READ && mg_unlikely(frame->checksum) && !engine->ignore_checksums &&
        (frame->checksum == MG_CHECKSUM_WRONG || packet->ingress != MG_NOWHERE))
        frame->reason = MG_BAD_CHECKSUM;
    if (mg_likely(frame->reason == MG_READ))
        return mg_unlikely(outbound) ? leaving(engine, packet, marks) : judge(engine, packet, marks);
    if (outbound) {
        *marks |= MG_OUTBOUND_COPY;
        return (struct mg_answer){0};
    }
    /* What the kernel would drop as malformed is refused; anything else unread has no verdict. */
    if (frame->reason >= MG_SHORT)
        return (struct mg_answer){.verdict = malformed(engine, packet)};
    return (struct mg_answer){0};
}

/* --- batches -------------------------------------------------------------------------------------------------- */

uint32_t mg_prepare(struct mg_engine *engine, const struct mg_record *records, uint32_t count)
{
    const struct mg_policy_now *policy = engine->policy;
    uint32_t n = 0;
    for (; n < count; n++) {
        const struct mg_record *record = &records[n];
        struct mg_frame *frame = &engine->frames[n];
        if (mg_unlikely(record->time_ns < policy->from_ns || record->time_ns > policy->last_ns))
            break;
        if (mg_likely(mg_parse(record->linktype, record->data, record->captured, record->wire, frame) == MG_READ)) {
            engine->hashes[n] = mg_flow_hash(engine->tracker->hash_key, &frame->key);
            mg_track_prefetch(engine->tracker, engine->hashes[n]);
            if (engine->flows)
                __builtin_prefetch(&engine->flows->buckets[engine->hashes[n] & engine->flows->bucket_mask]);
        }
    }
    for (uint32_t i = 0; i < n; i++)
        if (mg_likely(engine->frames[i].reason == MG_READ)) {
            mg_track_prefetch_entry(engine->tracker, engine->hashes[i]);
            if (engine->flows) {
                uint32_t flow = engine->flows->buckets[engine->hashes[i] & engine->flows->bucket_mask];
                const char *at = (const char *)&engine->flows->flows[flow];
                __builtin_prefetch(at, 1);
                __builtin_prefetch(at + 64, 1);
                __builtin_prefetch(at + 128, 1);
            }
        }
    return n;
}

struct mg_judgement mg_judge_prepared(struct mg_engine *engine, const struct mg_record *record, uint32_t at)
{
    struct mg_judgement judgement = {0};
    struct mg_case packet = {
        .record = record, .frame = &engine->frames[at], .hash = engine->hashes[at], .ingress = record->ingress};
    struct mg_answer answer = judge_one(engine, &packet, &judgement.marks);
    judgement.verdict = answer.verdict;
    judgement.connection = answer.connection;
    judgement.reason = packet.frame->reason;
    return judgement;
}

bool mg_verdicts_full(const struct mg_engine *engine)
{
    return engine->verdict_room - engine->verdict_count < 4 * MG_BATCH;
}

uint32_t mg_judge(struct mg_engine *engine, const struct mg_record *records, uint32_t count,
                  struct mg_judgement *judgements, struct mg_frame *frames, enum mg_stop *stop)
{
    uint32_t done = 0;
    *stop = MG_DONE;
    while (done < count) {
        uint32_t wanted = count - done < MG_BATCH ? count - done : MG_BATCH;
        if (mg_verdicts_full(engine)) {
            *stop = MG_FULL_VERDICTS;
            return done;
        }
        uint32_t n = mg_prepare(engine, records + done, wanted);
        for (uint32_t i = 0; i < n; i++) {
            judgements[done + i] = mg_judge_prepared(engine, &records[done + i], i);
            if (frames)
                frames[done + i] = engine->frames[i];
        }
        done += n;
        if (n < wanted) {
            *stop = MG_OTHER_TIME;
            return done;
        }
    }
    return done;
}
