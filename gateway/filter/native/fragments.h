/* Fragmented datagrams in C, equal in meaning to gateway.filter.datagrams: the first fragment decides. */
#ifndef MASUGATA_FRAGMENTS_H
#define MASUGATA_FRAGMENTS_H

#include "track.h"

/* The first fragment, where it came in, its verdict, its connection's number (0: none). */
struct mg_datagram {
    struct mg_key key;
    int64_t expires_ns;
    uint64_t connection;
    uint64_t hash;
    uint32_t payload;
    uint32_t ident;
    uint32_t verdict;
    uint16_t sport, dport;
    uint16_t ingress;
    uint16_t unused;
    uint32_t chain;        /* the next of its bucket; 0: none */
    uint32_t older, newer; /* neighbours in the order of remembering; 0 is the head */
};

struct mg_datagrams {
    uint32_t *buckets;
    struct mg_datagram *datagrams; /* [0] is the head of the list */
    uint64_t bucket_mask;
    uint64_t hash_key[2];
    uint32_t limit, live;
};

/* Room for `max_datagrams` (at least 1, at most 2^24); the key must be secret and random. NULL without memory. */
struct mg_datagrams *mg_datagrams_new(uint32_t max_datagrams, const uint8_t key[16]);
void mg_datagrams_free(struct mg_datagrams *open);

/* RFC 791 3.2, RFC 8200 4.5: addresses, protocol and identification name a datagram. Threads that share the work
 * must send all fragments of one to the same. */
mg_inline uint64_t mg_datagram_hash(const uint64_t hash_key[2], const struct mg_frame *frame)
{
    struct mg_sip s = mg_sip_start(hash_key);
    mg_sip_word(&s, frame->key.src_hi);
    mg_sip_word(&s, frame->key.src_lo);
    mg_sip_word(&s, frame->key.dst_hi);
    mg_sip_word(&s, frame->key.dst_lo);
    mg_sip_word(&s, (uint64_t)frame->ident << 32 | (uint64_t)frame->key.protocol << 8 | frame->key.version);
    return mg_sip_end(&s);
}

mg_inline bool mg_datagram_is(const struct mg_datagram *datagram, const struct mg_frame *frame)
{
    const struct mg_key *a = &datagram->key, *b = &frame->key;
    return a->src_hi == b->src_hi && a->src_lo == b->src_lo && a->dst_hi == b->dst_hi && a->dst_lo == b->dst_lo &&
           a->protocol == b->protocol && a->version == b->version && datagram->ident == frame->ident;
}

mg_inline struct mg_datagram *mg_datagrams_lookup(const struct mg_datagrams *open, const struct mg_frame *frame,
                                                  uint64_t hash)
{
    for (uint32_t at = open->buckets[hash & open->bucket_mask]; at; at = open->datagrams[at].chain)
        if (mg_datagram_is(&open->datagrams[at], frame))
            return &open->datagrams[at];
    return NULL;
}

mg_inline const struct mg_datagram *mg_datagrams_current(const struct mg_datagrams *open, const struct mg_frame *frame,
                                                         int64_t now_ns)
{
    const struct mg_datagram *datagram = mg_datagrams_lookup(open, frame, mg_datagram_hash(open->hash_key, frame));
    return datagram && now_ns < datagram->expires_ns ? datagram : NULL;
}

/* The datagram a later fragment belongs to; NULL for an orphan and for one that overlaps (RFC 1858, RFC 5722). */
mg_inline const struct mg_datagram *mg_datagrams_find(const struct mg_datagrams *open, const struct mg_frame *frame,
                                                      uint16_t ingress, int64_t now_ns)
{
    const struct mg_datagram *datagram = mg_datagrams_current(open, frame, now_ns);
    if (!datagram || datagram->ingress != ingress || frame->offset < datagram->payload)
        return NULL;
    return datagram;
}

/* Whether a first fragment contradicts the one that came before it. */
mg_inline bool mg_datagrams_rewrites(const struct mg_datagrams *open, const struct mg_frame *frame, uint16_t ingress,
                                     int64_t now_ns)
{
    const struct mg_datagram *datagram = mg_datagrams_current(open, frame, now_ns);
    return datagram && (datagram->ingress != ingress || !mg_key_equal(&datagram->key, &frame->key));
}

mg_inline void mg_datagrams_drop(struct mg_datagrams *open, uint32_t index)
{
    struct mg_datagram *datagram = &open->datagrams[index];
    uint32_t *link = &open->buckets[datagram->hash & open->bucket_mask];
    while (*link != index)
        link = &open->datagrams[*link].chain;
    *link = datagram->chain;
    open->datagrams[datagram->older].newer = datagram->newer;
    open->datagrams[datagram->newer].older = datagram->older;
}

/* Keep what a first fragment was decided to be; with no room left, the oldest is forgotten. */
mg_inline void mg_datagrams_remember(struct mg_datagrams *open, const struct mg_frame *frame, uint16_t ingress,
                                     int64_t now_ns, uint32_t verdict, uint64_t connection)
{
    uint64_t hash = mg_datagram_hash(open->hash_key, frame);
    struct mg_datagram *known = mg_datagrams_lookup(open, frame, hash);
    uint32_t index;
    if (known || open->live == open->limit) {
        index = known ? (uint32_t)(known - open->datagrams) : open->datagrams[0].newer;
        mg_datagrams_drop(open, index);
    } else {
        index = ++open->live;
    }
    uint32_t *bucket = &open->buckets[hash & open->bucket_mask];
    struct mg_datagram *head = &open->datagrams[0];
    open->datagrams[index] = (struct mg_datagram){
        .key = frame->key,
        .expires_ns = mg_later(now_ns, MG_FRAGMENT_NS),
        .connection = connection,
        .hash = hash,
        .payload = frame->payload,
        .ident = frame->ident,
        .verdict = verdict,
        .sport = frame->sport,
        .dport = frame->dport,
        .ingress = ingress,
        .chain = *bucket,
        .older = head->older,
    };
    *bucket = index;
    open->datagrams[head->older].newer = index;
    head->older = index;
}

#endif
