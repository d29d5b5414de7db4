/* Connection tracking in C, equal in meaning to gateway.filter.track.
 *
 * A table of connections of a fixed size, found by a keyed hash that both directions share. Buckets are one cache
 * line (tags and entry numbers); entries are two. A bucket that is full sends entries on to the next one and counts
 * how many it sent, so that a search knows where to end and a removal leaves no trace. At most half of the places
 * are ever taken and the hash is keyed at random, so nobody can make chains long; a chain past its bound is refused.
 *
 * A tracker belongs to one thread: share the work out with mg_hash_shard. Times are nanoseconds, from -2^62 to 2^62. */
#ifndef MASUGATA_TRACK_H
#define MASUGATA_TRACK_H

#include <stdbool.h>
#include <string.h>

#include "core.h"
#include "track_tables.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tags are searched as little-endian words"
#endif

#define mg_rare static __attribute__((noinline, cold, unused))

#define MG_PROTOCOL_ICMP 1
#define MG_PROTOCOL_TCP 6
#define MG_PROTOCOL_UDP 17
#define MG_PROTOCOL_ICMP6 58
#define MG_PROTOCOL_NONE 59 /* IPv6: no next header */
#define MG_PROTOCOL_SCTP 132
#define MG_SCTP_INIT 1

/* zones.verdict.State, in its order. */
enum mg_state { MG_NEW, MG_ESTABLISHED, MG_RELATED, MG_INVALID };

enum { MG_ANSWERED = 1, MG_ASSURED = 2, MG_LOCAL = 4, MG_FINISHED = 8 };

/* What the engine remembers of one direction; all zero until it does. */
struct mg_memo {
    uint32_t verdict;
    uint32_t epoch;
    uint64_t sender; /* mg_sender */
};

struct mg_entry {
    struct mg_key key; /* of the first packet */
    int64_t expires_ns;
    uint64_t number; /* from 1, in the order of admission */
    uint32_t flow;
    uint8_t state; /* enum mg_tcp */
    uint8_t flags;
    uint8_t last; /* enum mg_last */
    uint8_t unused;
    struct mg_memo memo[2]; /* [is a reply] */
    int64_t born_ns;
    uint64_t hash;
    uint32_t older, newer; /* neighbours in its list; `newer` alone in the list of free ones */
    uint64_t unused2;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct mg_key) == 40, "keys have no holes");
_Static_assert(sizeof(struct mg_entry) == 128, "an entry is two cache lines");

#define MG_BUCKET_PLACES 12
#define MG_BUCKETS_SEARCHED 64

struct mg_bucket {
    uint8_t tags[MG_BUCKET_PLACES]; /* 0: free */
    uint16_t sent_on;               /* entries that went further for want of room; stays at its maximum */
    uint16_t unused;
    uint32_t entries[MG_BUCKET_PLACES];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct mg_bucket) == 64, "a bucket is one cache line");

/* The first entries of the arena are the heads of the two lists; every connection is in one of them. */
enum { MG_UNASSURED = 0, MG_LASTING = 1, MG_HEADS = 2 };
#define MG_LOOKS 4 /* gateway.filter.track.LOOKS */

struct mg_tracker {
    struct mg_bucket *buckets;
    struct mg_entry *entries;
    uint64_t bucket_mask;
    uint64_t hash_key[2];
    uint32_t limit, live;
    uint32_t unassured;
    uint32_t touched;    /* entries from here on were never used */
    uint32_t first_free; /* 0: none */
    uint32_t unused;
    uint64_t admitted, evicted;
};

/* Room for `max_connections` (at least 1, at most 2^28); the key must be secret and random. NULL without memory.
 * Memory is only touched as it is used. */
struct mg_tracker *mg_tracker_new(uint32_t max_connections, const uint8_t key[16]);
void mg_tracker_free(struct mg_tracker *tracker);

/* --- keys and their hash ------------------------------------------------------------------------------------- */

mg_inline bool mg_key_equal(const struct mg_key *a, const struct mg_key *b)
{
    uint64_t x[5], y[5];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
}

mg_inline bool mg_is_icmp(uint8_t protocol)
{
    return protocol == MG_PROTOCOL_ICMP || protocol == MG_PROTOCOL_ICMP6;
}

/* The tail of the packets that answer: ports swapped, or the ICMP type that answers. */
mg_inline uint32_t mg_tail_back(uint32_t tail, uint8_t protocol)
{
    if (mg_unlikely(mg_is_icmp(protocol))) {
        uint32_t type = mg_icmp_answers[protocol == MG_PROTOCOL_ICMP6][tail >> 8 & 0xFF];
        return (tail & 0xFFFF00FFU) | type << 8;
    }
    return tail << 16 | tail >> 16;
}

mg_inline struct mg_key mg_key_back(const struct mg_key *key)
{
    struct mg_key back = *key;
    back.src_hi = key->dst_hi;
    back.src_lo = key->dst_lo;
    back.dst_hi = key->src_hi;
    back.dst_lo = key->src_lo;
    back.tail = mg_tail_back(key->tail, key->protocol);
    return back;
}

mg_inline uint64_t mg_rotate(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

struct mg_sip {
    uint64_t a, b, c, d;
};

mg_inline void mg_sip_round(struct mg_sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = mg_rotate(s->b, 13) ^ s->a;
    s->d = mg_rotate(s->d, 16) ^ s->c;
    s->a = mg_rotate(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = mg_rotate(s->b, 17) ^ s->c;
    s->d = mg_rotate(s->d, 21) ^ s->a;
    s->c = mg_rotate(s->c, 32);
}

mg_inline void mg_sip_word(struct mg_sip *s, uint64_t word)
{
    s->d ^= word;
    mg_sip_round(s);
    s->a ^= word;
}

mg_inline struct mg_sip mg_sip_start(const uint64_t key[2])
{
    return (struct mg_sip){key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
                           key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
}

mg_inline uint64_t mg_sip_end(struct mg_sip *s)
{
    s->c ^= 0xff;
    mg_sip_round(s);
    mg_sip_round(s);
    mg_sip_round(s);
    return s->a ^ s->b ^ s->c ^ s->d;
}

/* The hash of a connection, the same for both of its directions: SipHash-1-3 (Aumasson and Bernstein, 2012) over
 * the ends in order of address. The last word tells the version, so IPv4 may do with two. */
mg_inline uint64_t mg_flow_hash(const uint64_t hash_key[2], const struct mg_key *key)
{
    /* Without branches: which end comes first cannot be foreseen. */
    uint64_t down = (uint64_t)((key->src_hi > key->dst_hi) | ((key->src_hi == key->dst_hi) & (key->src_lo > key->dst_lo)));
    uint64_t swap_lo = (key->src_lo ^ key->dst_lo) & (0 - down), swap_hi = (key->src_hi ^ key->dst_hi) & (0 - down);
    uint64_t low = key->src_lo ^ swap_lo, high = key->dst_lo ^ swap_lo;
    uint32_t back = mg_tail_back(key->tail, key->protocol);
    uint32_t tail = key->tail ^ ((key->tail ^ back) & (0 - (uint32_t)down));
    bool same = (key->src_hi == key->dst_hi) & (key->src_lo == key->dst_lo);
    if (mg_unlikely(same | mg_is_icmp(key->protocol)))
        tail = back < key->tail ? back : key->tail; /* the addresses alone do not tell the directions apart */
    uint64_t last = (uint64_t)tail << 32 | (uint64_t)key->protocol << 8 | key->version;
    struct mg_sip s = mg_sip_start(hash_key);
    if (mg_likely(key->version == 4)) {
        mg_sip_word(&s, low << 32 ^ high);
    } else {
        mg_sip_word(&s, key->src_hi ^ swap_hi);
        mg_sip_word(&s, low);
        mg_sip_word(&s, key->dst_hi ^ swap_hi);
        mg_sip_word(&s, high);
    }
    mg_sip_word(&s, last);
    return mg_sip_end(&s);
}

/* The hash of the connection a packet may touch: of what an ICMP error quotes, of the packet itself otherwise. */
mg_inline uint64_t mg_frame_hash(const uint64_t hash_key[2], const struct mg_frame *frame)
{
    return mg_flow_hash(hash_key, frame->quotes ? &frame->quoted : &frame->key);
}

/* Which of `shards` threads a connection belongs to; other bits of the hash than the table uses. */
mg_inline uint32_t mg_hash_shard(uint64_t hash, uint32_t shards)
{
    return (uint32_t)((hash >> 32 & 0xFFFFFF) * shards >> 24);
}

/* Who sent a packet, for a memo: 48 bits of MAC (all ones for none) under 16 bits that are the engine's own. */
mg_inline uint64_t mg_sender(uint64_t src_mac, uint16_t own)
{
    return (src_mac & 0xFFFFFFFFFFFFULL) | (uint64_t)own << 48;
}

/* --- buckets ------------------------------------------------------------------------------------------------- */

mg_inline uint8_t mg_hash_tag(uint64_t hash)
{
    uint8_t tag = (uint8_t)(hash >> 56);
    return (uint8_t)(tag + (tag == 0));
}

/* A high bit for each byte of `word` that equals `tag`; exact, no false ones. */
mg_inline uint64_t mg_bytes_equal(uint64_t word, uint8_t tag)
{
    const uint64_t low = 0x7F7F7F7F7F7F7F7FULL;
    uint64_t x = word ^ (0x0101010101010101ULL * tag);
    return ~(((x & low) + low) | x | low);
}

/* The places of a bucket whose tag is `tag`, one bit each. */
mg_inline uint32_t mg_bucket_match(const struct mg_bucket *bucket, uint8_t tag)
{
    uint64_t first;
    uint32_t rest;
    memcpy(&first, bucket->tags, 8);
    memcpy(&rest, bucket->tags + 8, 4);
    /* Gather the high bits of eight bytes into one byte. */
    uint64_t a = (mg_bytes_equal(first, tag) >> 7) * 0x0102040810204080ULL >> 56;
    uint64_t b = (mg_bytes_equal(rest, tag) >> 7 & 0x01010101) * 0x0102040810204080ULL >> 56;
    return (uint32_t)(a | (b & 0xF) << 8);
}

mg_inline uint32_t mg_index(const struct mg_tracker *tracker, const struct mg_entry *entry)
{
    return (uint32_t)(entry - tracker->entries);
}

/* gcc takes a function that only prefetches for one without effect, and drops the call unless it is inlined early. */
#define mg_prefetching static __attribute__((always_inline)) inline

/* Ask for the bucket of a hash; some packets later for the entry; some packets later the entry is near. */
mg_prefetching void mg_track_prefetch(const struct mg_tracker *tracker, uint64_t hash)
{
    __builtin_prefetch(&tracker->buckets[hash & tracker->bucket_mask]);
}

mg_prefetching void mg_track_prefetch_entry(const struct mg_tracker *tracker, uint64_t hash)
{
    const struct mg_bucket *bucket = &tracker->buckets[hash & tracker->bucket_mask];
    uint32_t places = mg_bucket_match(bucket, mg_hash_tag(hash));
    if (places) {
        const char *entry = (const char *)&tracker->entries[bucket->entries[__builtin_ctz(places)]];
        __builtin_prefetch(entry, 1);
        __builtin_prefetch(entry + 64, 1);
    }
}

/* Whether one of two keys is the other, or what answers it: `words` is a key, `tail_back` the last word of its
 * answer. Both ways at once: which direction it is cannot be foreseen. */
mg_inline bool mg_key_either(const struct mg_key *key, const uint64_t words[5], uint64_t tail_back)
{
    uint64_t x[5];
    memcpy(x, key, sizeof x);
    uint64_t there = (x[0] ^ words[0]) | (x[1] ^ words[1]) | (x[2] ^ words[2]) | (x[3] ^ words[3]) | (x[4] ^ words[4]);
    uint64_t back = (x[0] ^ words[2]) | (x[1] ^ words[3]) | (x[2] ^ words[0]) | (x[3] ^ words[1]) | (x[4] ^ tail_back);
    return ((there == 0) | (back == 0)) != 0;
}

/* The entry of a key in either direction, however old. */
mg_inline struct mg_entry *mg_track_lookup(const struct mg_tracker *tracker, const struct mg_key *key, uint64_t hash)
{
    uint64_t words[5], tail_back;
    memcpy(words, key, sizeof words);
    tail_back = (words[4] & 0xFFFFFFFF00000000ULL) | mg_tail_back(key->tail, key->protocol);
    uint8_t tag = mg_hash_tag(hash);
    uint64_t at = hash & tracker->bucket_mask;
    for (int searched = 0; searched < MG_BUCKETS_SEARCHED; searched++) {
        const struct mg_bucket *bucket = &tracker->buckets[at];
        for (uint32_t places = mg_bucket_match(bucket, tag); places; places &= places - 1) {
            struct mg_entry *entry = &tracker->entries[bucket->entries[__builtin_ctz(places)]];
            if (mg_likely(mg_key_either(&entry->key, words, tail_back)))
                return entry;
        }
        if (mg_likely(bucket->sent_on == 0))
            return NULL;
        at = (at + 1) & tracker->bucket_mask;
    }
    return NULL;
}

/* Put an entry into the table; false when every bucket it may be in is full. */
mg_inline bool mg_track_place(struct mg_tracker *tracker, uint32_t index, uint64_t hash)
{
    uint64_t first = hash & tracker->bucket_mask, at = first;
    for (int searched = 0; searched < MG_BUCKETS_SEARCHED; searched++) {
        struct mg_bucket *bucket = &tracker->buckets[at];
        uint32_t places = mg_bucket_match(bucket, 0);
        if (mg_likely(places != 0)) {
            int place = __builtin_ctz(places);
            bucket->tags[place] = mg_hash_tag(hash);
            bucket->entries[place] = index;
            for (; mg_unlikely(first != at); first = (first + 1) & tracker->bucket_mask) {
                uint16_t *sent_on = &tracker->buckets[first].sent_on;
                *sent_on = (uint16_t)(*sent_on + (*sent_on != UINT16_MAX));
            }
            return true;
        }
        at = (at + 1) & tracker->bucket_mask;
        if (at == first)
            break;
    }
    return false;
}

mg_inline void mg_track_displace(struct mg_tracker *tracker, uint32_t index, uint64_t hash)
{
    uint8_t tag = mg_hash_tag(hash);
    uint64_t at = hash & tracker->bucket_mask;
    for (int searched = 0; searched < MG_BUCKETS_SEARCHED; searched++) {
        struct mg_bucket *bucket = &tracker->buckets[at];
        for (uint32_t places = mg_bucket_match(bucket, tag); places; places &= places - 1) {
            int place = __builtin_ctz(places);
            if (bucket->entries[place] == index) {
                bucket->tags[place] = 0;
                return;
            }
        }
        /* It went past this bucket when it came; a count at its maximum is not known any more and stays. */
        bucket->sent_on = (uint16_t)(bucket->sent_on - (bucket->sent_on != UINT16_MAX));
        at = (at + 1) & tracker->bucket_mask;
    }
}

/* --- the two lists ------------------------------------------------------------------------------------------- */

mg_inline void mg_list_remove(struct mg_tracker *tracker, struct mg_entry *entry)
{
    tracker->entries[entry->older].newer = entry->newer;
    tracker->entries[entry->newer].older = entry->older;
}

mg_inline void mg_list_append(struct mg_tracker *tracker, struct mg_entry *entry, uint32_t head)
{
    struct mg_entry *list = &tracker->entries[head];
    uint32_t index = mg_index(tracker, entry);
    entry->older = list->older;
    entry->newer = head;
    tracker->entries[list->older].newer = index;
    list->older = index;
}

/* What it holds can be read until the next connection is admitted. */
mg_inline void mg_track_forget(struct mg_tracker *tracker, struct mg_entry *entry)
{
    uint32_t index = mg_index(tracker, entry);
    mg_track_displace(tracker, index, entry->hash);
    mg_list_remove(tracker, entry);
    tracker->unassured -= !(entry->flags & MG_ASSURED);
    tracker->live--;
    entry->newer = tracker->first_free;
    tracker->first_free = index;
}

/* Both sides have spoken: this one is not evicted to make room. */
mg_inline void mg_track_assure(struct mg_tracker *tracker, struct mg_entry *entry)
{
    entry->flags |= MG_ASSURED;
    tracker->unassured--;
    mg_list_remove(tracker, entry);
    mg_list_append(tracker, entry, MG_LASTING);
}

/* Forget what has expired of the next few; failing that, the oldest that is not assured. */
mg_inline bool mg_track_make_room(struct mg_tracker *tracker, int64_t now_ns)
{
    uint32_t before = tracker->live, looks = tracker->live - tracker->unassured;
    for (looks = looks < MG_LOOKS ? looks : MG_LOOKS; looks; looks--) {
        struct mg_entry *entry = &tracker->entries[tracker->entries[MG_LASTING].newer];
        if (now_ns >= entry->expires_ns) {
            mg_track_forget(tracker, entry);
        } else {
            mg_list_remove(tracker, entry);
            mg_list_append(tracker, entry, MG_LASTING);
        }
    }
    if (tracker->live < before)
        return true;
    if (!tracker->unassured)
        return false;
    struct mg_entry *oldest = &tracker->entries[tracker->entries[MG_UNASSURED].newer];
    tracker->evicted += now_ns < oldest->expires_ns;
    mg_track_forget(tracker, oldest);
    return true;
}

/* --- packets ------------------------------------------------------------------------------------------------- */

mg_inline int64_t mg_later(int64_t now_ns, int64_t by_ns)
{
    int64_t sum;
    return __builtin_add_overflow(now_ns, by_ns, &sum) ? INT64_MAX : sum;
}

mg_inline bool mg_is_reply(const struct mg_entry *entry, const struct mg_frame *frame)
{
    return !mg_key_equal(&entry->key, &frame->key);
}

/* The connection that packets with this key belong to, in either direction. */
mg_inline struct mg_entry *mg_track_find(struct mg_tracker *tracker, const struct mg_key *key, uint64_t hash,
                                         int64_t now_ns)
{
    struct mg_entry *entry = mg_track_lookup(tracker, key, hash);
    if (entry && mg_unlikely(now_ns >= entry->expires_ns)) {
        mg_track_forget(tracker, entry);
        return NULL;
    }
    return entry;
}

/* Whether an ICMP error reports on a packet of a connection, to the one who sent it: any other was made up. */
mg_rare enum mg_state mg_track_related(struct mg_tracker *tracker, const struct mg_frame *frame, int64_t now_ns,
                                       struct mg_entry **found)
{
    uint64_t hash = mg_flow_hash(tracker->hash_key, &frame->quoted);
    struct mg_entry *entry = mg_track_find(tracker, &frame->quoted, hash, now_ns);
    if (!entry || frame->key.dst_hi != frame->quoted.src_hi || frame->key.dst_lo != frame->quoted.src_lo)
        return MG_INVALID;
    *found = entry;
    return MG_RELATED;
}

/* The state of a packet that no connection claims: opening, reporting on one, or invalid. */
mg_inline enum mg_state mg_track_unknown(struct mg_tracker *tracker, const struct mg_frame *frame, int64_t now_ns,
                                         struct mg_entry **found)
{
    *found = NULL;
    if (mg_unlikely(frame->quotes))
        return mg_track_related(tracker, frame, now_ns, found);
    uint8_t protocol = frame->key.protocol;
    bool opens = protocol != MG_PROTOCOL_NONE;
    if (protocol == MG_PROTOCOL_TCP)
        opens = mg_segments[frame->control] == MG_SEGMENT_SYN;
    else if (mg_is_icmp(protocol))
        opens = frame->dport < 256 && mg_icmp_asks[protocol == MG_PROTOCOL_ICMP6][frame->dport & 0xFF];
    else if (protocol == MG_PROTOCOL_SCTP)
        opens = frame->control == MG_SCTP_INIT;
    return opens ? MG_NEW : MG_INVALID;
}

/* gateway.filter.states.exceptional_step: where the next step hangs on more than the state. */
mg_rare int mg_track_exception(int step, uint8_t segment, bool reply, uint8_t last, const struct mg_entry *entry)
{
    if (step == MG_STEP_REOPEN && entry->state == MG_TCP_CLOSED && !(entry->flags & MG_FINISHED) &&
        last != MG_LAST_RST)
        return MG_STEP_KEEP;
    if (!reply || (last != MG_LAST_SYN && last != MG_LAST_CHALLENGED))
        return step;
    if (step == MG_STEP_KEEP && segment == MG_SEGMENT_SYN_ACK)
        return MG_TCP_SYN_RECEIVED;
    if (segment == MG_SEGMENT_ACK && entry->state == MG_TCP_LAST_ACK && last == MG_LAST_SYN)
        return MG_STEP_KEEP;
    return step;
}

/* The step with its exceptions; keeps what the next one's hang on. */
mg_inline int mg_track_remember_last(struct mg_entry *entry, uint8_t segment, int step, bool reply)
{
    uint8_t last = entry->last;
    entry->last = MG_LAST_OTHER;
    if (mg_unlikely(segment == MG_SEGMENT_SYN) && !reply)
        entry->last = MG_LAST_SYN;
    if (mg_unlikely(segment == MG_SEGMENT_RST) && !reply)
        entry->last = MG_LAST_RST;
    int found = step;
    if (mg_unlikely(last != MG_LAST_OTHER || step == MG_STEP_REOPEN))
        found = mg_track_exception(step, segment, reply, last, entry);
    if (mg_unlikely(found == MG_TCP_FIN_WAIT))
        entry->flags |= MG_FINISHED;
    else if (mg_unlikely(found != step) && found == MG_TCP_SYN_RECEIVED)
        entry->flags &= (uint8_t)~MG_FINISHED;
    else if (mg_unlikely(found != step) && reply)
        entry->last = MG_LAST_CHALLENGED;
    return found;
}

mg_inline int mg_track_tcp_step(struct mg_entry *entry, const struct mg_frame *frame, bool reply)
{
    uint8_t segment = mg_segments[frame->control];
    if (mg_unlikely(segment == MG_NO_SEGMENT))
        return MG_STEP_INVALID;
    if (mg_unlikely(entry->state == MG_TCP_SYN_SENT) && (entry->flags & MG_LOCAL) && !reply &&
        (segment == MG_SEGMENT_ACK || segment == MG_SEGMENT_FIN)) {
        /* The gateway's own SYN-ACK is not in a capture of what came in: presume it. */
        entry->state = MG_TCP_SYN_RECEIVED;
        entry->flags |= MG_ANSWERED;
    }
    int step = mg_steps[reply][segment][entry->state];
    if (mg_unlikely(step == MG_STEP_INVALID))
        return step;
    return mg_track_remember_last(entry, segment, step, reply);
}

mg_inline void mg_track_tcp_done(struct mg_tracker *tracker, struct mg_entry *entry, int step, int64_t now_ns)
{
    if (step == MG_STEP_KEEP)
        return;
    if (step == MG_TCP_ESTABLISHED && mg_unlikely(!(entry->flags & MG_ASSURED)))
        mg_track_assure(tracker, entry);
    entry->state = (uint8_t)step;
    entry->expires_ns = mg_later(now_ns, mg_tcp_ns[step]);
    if (step == MG_TCP_CLOSED && !(entry->flags & MG_ANSWERED))
        mg_track_forget(tracker, entry); /* reset before anything was answered: nothing is left to track */
}

mg_inline void mg_track_other(struct mg_tracker *tracker, struct mg_entry *entry, int64_t now_ns)
{
    uint8_t protocol = entry->key.protocol;
    bool lasting = (entry->flags & MG_ANSWERED) &&
                   (protocol != MG_PROTOCOL_UDP || now_ns > mg_later(entry->born_ns, MG_UDP_STREAM_NS));
    entry->expires_ns = mg_later(now_ns, mg_silence_ns[mg_silence_of[protocol]][lasting]);
    if (lasting && mg_unlikely(!(entry->flags & MG_ASSURED)) && !mg_is_icmp(protocol))
        mg_track_assure(tracker, entry);
}

/* The state of a packet; `*found` becomes its connection, NULL for one that must be admitted first. `entry` is what
 * mg_track_find returned for the packet's key. `*found` may be a connection that has just ended: what it holds can
 * be read until the next one is admitted. */
mg_inline enum mg_state mg_track_advance(struct mg_tracker *tracker, struct mg_entry *entry,
                                         const struct mg_frame *frame, int64_t now_ns, struct mg_entry **found)
{
    if (!entry)
        return mg_track_unknown(tracker, frame, now_ns, found);
    *found = entry;
    bool reply = mg_is_reply(entry, frame);
    if (mg_likely(entry->key.protocol == MG_PROTOCOL_TCP)) {
        int step = mg_track_tcp_step(entry, frame, reply);
        if (mg_unlikely(step == MG_STEP_REOPEN)) {
            mg_track_forget(tracker, entry);
            return mg_track_unknown(tracker, frame, now_ns, found);
        }
        if (mg_unlikely(step == MG_STEP_INVALID))
            return MG_INVALID;
        mg_track_tcp_done(tracker, entry, step, now_ns);
    } else {
        mg_track_other(tracker, entry, now_ns);
    }
    entry->flags |= reply ? MG_ANSWERED : 0;
    return entry->flags & MG_ANSWERED ? MG_ESTABLISHED : MG_NEW;
}

mg_inline struct mg_entry *mg_track_take(struct mg_tracker *tracker)
{
    uint32_t index = tracker->first_free;
    if (index)
        tracker->first_free = tracker->entries[index].newer;
    else
        index = tracker->touched++;
    return &tracker->entries[index];
}

/* Remember the connection a new packet opens; NULL when the table has no room for it. `hash` is mg_flow_hash of its
 * key. A connection that was known by this key is forgotten. */
mg_inline struct mg_entry *mg_track_admit(struct mg_tracker *tracker, const struct mg_frame *frame, uint64_t hash,
                                          int64_t now_ns, uint32_t flow, bool local)
{
    struct mg_entry *known = mg_track_lookup(tracker, &frame->key, hash);
    if (mg_unlikely(known != NULL))
        mg_track_forget(tracker, known);
    if (tracker->live >= tracker->limit && !mg_track_make_room(tracker, now_ns))
        return NULL;
    struct mg_entry *entry = mg_track_take(tracker);
    uint32_t index = mg_index(tracker, entry);
    if (mg_unlikely(!mg_track_place(tracker, index, hash))) {
        entry->newer = tracker->first_free;
        tracker->first_free = index;
        return NULL;
    }
    bool tcp = frame->key.protocol == MG_PROTOCOL_TCP;
    int64_t silence = tcp ? mg_tcp_ns[MG_TCP_SYN_SENT] : mg_silence_ns[mg_silence_of[frame->key.protocol]][0];
    *entry = (struct mg_entry){
        .key = frame->key,
        .expires_ns = mg_later(now_ns, silence),
        .number = ++tracker->admitted,
        .flow = flow,
        .state = tcp ? MG_TCP_SYN_SENT : MG_TCP_NONE,
        .flags = local ? MG_LOCAL : 0,
        .last = MG_LAST_SYN,
        .born_ns = now_ns,
        .hash = hash,
    };
    mg_list_append(tracker, entry, MG_UNASSURED);
    tracker->live++;
    tracker->unassured++;
    return entry;
}

/* How many connections are remembered, silent ones that have not been met again included. */
mg_inline uint32_t mg_tracker_live(const struct mg_tracker *tracker)
{
    return tracker->live;
}

/* How many living connections had to be forgotten for want of room. */
mg_inline uint64_t mg_tracker_evicted(const struct mg_tracker *tracker)
{
    return tracker->evicted;
}

mg_inline uint64_t mg_tracker_hash(const struct mg_tracker *tracker, const struct mg_key *key)
{
    return mg_flow_hash(tracker->hash_key, key);
}

#include "fragments.h"

#endif
