/* libFuzzer target: bytes become packets at odd times for a tracker and for the datagrams; after each the tables
 * must be whole. Build: clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -Igateway/filter/native
 * fuzz/track.c gateway/filter/native/track.c */
#include <stdlib.h>

#include "track.h"

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

enum { OPERATION_BYTES = 8 };

static const uint8_t PROTOCOLS[] = {MG_PROTOCOL_TCP, MG_PROTOCOL_TCP, MG_PROTOCOL_UDP, MG_PROTOCOL_ICMP,
                                    MG_PROTOCOL_ICMP6, MG_PROTOCOL_SCTP, 47, MG_PROTOCOL_NONE};
static const int64_t PAUSES[] = {0, 0, 1, 2000000000, 10000000000, 120000000000, -60000000000, 1LL << 60};

static struct mg_key key_of(const uint8_t *bytes)
{
    struct mg_key key = {.src_lo = 10 + (bytes[0] & 7), .dst_lo = 10 + (bytes[0] >> 3 & 7)};
    key.version = bytes[0] & 64 ? 6 : 4;
    key.src_hi = key.dst_hi = bytes[0] & 64 ? 0x20010db800000000 : 0;
    key.protocol = PROTOCOLS[bytes[1] & 7];
    key.tail = (uint32_t)(bytes[1] >> 3 & 3) << 16 | (uint32_t)(bytes[1] >> 5);
    if (mg_is_icmp(key.protocol))
        key.tail = (uint32_t)(bytes[1] >> 3) << 16 | (uint32_t)bytes[2] << 8;
    return key;
}

static struct mg_frame frame_of(const uint8_t *bytes)
{
    struct mg_frame frame = {.key = key_of(bytes), .control = bytes[2], .src_mac = MG_NO_MAC, .vlan = MG_NO_VLAN};
    frame.sport = (uint16_t)(frame.key.tail >> 16);
    frame.dport = mg_is_icmp(frame.key.protocol) ? bytes[2] : (uint16_t)frame.key.tail;
    frame.quotes = mg_is_icmp(frame.key.protocol) && bytes[3] & 1;
    if (frame.quotes)
        frame.quoted = key_of(bytes + 4);
    frame.ident = bytes[3] & 7;
    frame.offset = bytes[3] >> 3;
    frame.payload = bytes[4];
    return frame;
}

static uint32_t list_length(const struct mg_tracker *tracker, uint32_t head, int lasting)
{
    uint32_t length = 0, before = head;
    for (uint32_t at = tracker->entries[head].newer; at != head; at = tracker->entries[at].newer) {
        const struct mg_entry *entry = &tracker->entries[at];
        MUST(entry->older == before);
        MUST(!(entry->flags & MG_ASSURED) == !lasting);
        MUST(mg_track_lookup(tracker, &entry->key, entry->hash) == entry);
        MUST(++length <= tracker->limit);
        before = at;
    }
    MUST(tracker->entries[head].older == before);
    return length;
}

static void whole(const struct mg_tracker *tracker)
{
    uint32_t unassured = list_length(tracker, MG_UNASSURED, 0), lasting = list_length(tracker, MG_LASTING, 1);
    uint32_t placed = 0;
    MUST(unassured == tracker->unassured && unassured + lasting == tracker->live && tracker->live <= tracker->limit);
    for (uint64_t at = 0; at <= tracker->bucket_mask; at++)
        for (int place = 0; place < MG_BUCKET_PLACES; place++)
            placed += tracker->buckets[at].tags[place] != 0;
    MUST(placed == tracker->live);
}

static void packet(struct mg_tracker *tracker, const struct mg_frame *frame, int64_t now, uint8_t choice)
{
    uint64_t hash = mg_tracker_hash(tracker, &frame->key);
    struct mg_key back = mg_key_back(&frame->key);
    MUST(mg_tracker_hash(tracker, &back) == hash);
    mg_track_prefetch(tracker, hash);
    mg_track_prefetch_entry(tracker, hash);
    struct mg_entry *found = NULL, *entry = mg_track_find(tracker, &frame->key, hash, now);
    enum mg_state state = mg_track_advance(tracker, entry, frame, now, &found);
    MUST(state <= MG_INVALID && (state != MG_RELATED || (found && frame->quotes)));
    MUST(state != MG_ESTABLISHED || found);
    if (state != MG_NEW || found || choice & 1)
        return;
    uint32_t live = tracker->live;
    entry = mg_track_admit(tracker, frame, hash, now, choice, choice & 2);
    MUST(entry || live == tracker->limit);
    if (entry) {
        MUST(mg_track_lookup(tracker, &frame->key, hash) == entry && mg_track_lookup(tracker, &back, hash) == entry);
        MUST(entry->number == tracker->admitted && !entry->memo[0].verdict && !entry->memo[1].sender);
        entry->memo[0].verdict = 1;
        entry->memo[1].sender = 1;
    }
}

static void fragment(struct mg_datagrams *open, const struct mg_frame *frame, int64_t now, uint8_t choice)
{
    const struct mg_datagram *found = mg_datagrams_find(open, frame, choice >> 4 & 1, now);
    MUST(!found || (frame->offset >= found->payload && found->expires_ns > now));
    if (!mg_datagrams_rewrites(open, frame, choice >> 4 & 1, now) && choice & 2)
        mg_datagrams_remember(open, frame, choice >> 4 & 1, now, choice, 1);
    MUST(open->live <= open->limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[16] = {1, 2, 3};
    if (size < 1)
        return 0;
    struct mg_tracker *tracker = mg_tracker_new(1 + data[0] % 40, secret);
    struct mg_datagrams *open = mg_datagrams_new(1 + data[0] % 7, secret);
    MUST(tracker && open);
    int64_t now = 1700000000000000000;
    data++, size--;
    for (; size >= OPERATION_BYTES; data += OPERATION_BYTES, size -= OPERATION_BYTES) {
        struct mg_frame frame = frame_of(data);
        int64_t later;
        if (!__builtin_add_overflow(now, PAUSES[data[7] & 7], &later) && later < 1LL << 62)
            now = later;
        packet(tracker, &frame, now, data[6]);
        fragment(open, &frame, now, data[6]);
        whole(tracker);
    }
    mg_datagrams_free(open);
    mg_tracker_free(tracker);
    return 0;
}
