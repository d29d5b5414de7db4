/* The parser of the packet path: what gateway.filter.link.parse_frame says, for every byte string.
 *
 * Nothing outside the captured bytes is read. Of a frame that was read (MG_READ) everything is set, but `quoted`
 * only if `quotes`; of any other only `reason`. Ethernet that carries IPv4 without tags, options or fragments,
 * and in it TCP or UDP, takes a straight line; what is rare is kept out of it. */
#ifndef MASUGATA_PARSE_H
#define MASUGATA_PARSE_H

#include "link.h"
#include "network.h"

/* An Ethernet frame, whatever it holds. In BPF: a view made by mg_view_of, of at most MG_MOST_BYTES on the wire. */
mg_hot uint8_t mg_parse_ethernet(const struct mg_view *view, struct mg_frame *frame)
{
    struct mg_inside inside = {0, view->wire, 0};
    uint8_t reason = mg_ethernet(view, 0, &inside, frame);
    if (reason == MG_READ) {
        struct mg_view rest = *view;
        rest.wire = inside.wire;
        if (inside.version == 4)
            reason = mg_parse_ipv4(MG_PASS(&rest), inside.at, frame);
        else
            reason = mg_parse_ipv6(MG_PASS(&rest), inside.at, frame);
    }
    frame->reason = reason;
    return reason;
}

/* The key of the packets that answer. An answer to an ICMP query keeps id and code and has the type that answers:
 * RFC 792 echo, timestamp, information; RFC 950 mask; RFC 4443 echo; RFC 4620 node information. */
mg_inline struct mg_key mg_reverse(const struct mg_key *key)
{
    struct mg_key back = *key;
    back.src_hi = key->dst_hi;
    back.src_lo = key->dst_lo;
    back.dst_hi = key->src_hi;
    back.dst_lo = key->src_lo;
    uint32_t kind = key->tail >> 8 & 0xFF, other = kind;
    if (mg_likely(key->protocol != MG_ICMP && key->protocol != MG_ICMP6)) {
        back.tail = key->tail << 16 | key->tail >> 16;
        return back;
    }
    if (key->protocol == MG_ICMP) {
        if (kind == 0 || kind == 8)
            other = kind ^ 8;
        else if (kind >= 13 && kind <= 18)
            other = kind & 1 ? kind + 1 : kind - 1;
    } else {
        if (kind == 128 || kind == 129)
            other = kind ^ 1;
        else if (kind == 139 || kind == 140)
            other = 279 - kind;
    }
    back.tail = (key->tail & 0xFFFF00FF) | other << 8;
    return back;
}

#ifndef __bpf__

/* IPv6 and tags are common too: out of the straight line, but not cold. */
static __attribute__((noinline, unused)) uint8_t mg_parse_any_ethernet(const struct mg_view *view,
                                                                       struct mg_frame *frame)
{
    return mg_parse_ethernet(view, frame);
}

/* Any other link. */
mg_rare uint8_t mg_parse_link(uint32_t linktype, const struct mg_view *view, struct mg_frame *frame)
{
    struct mg_inside inside = {0, view->wire, 0};
    uint8_t reason = mg_link(linktype, view, &inside, frame);
    if (reason == MG_READ) {
        struct mg_view rest = *view;
        rest.wire = inside.wire;
        if (inside.version == 4)
            reason = mg_parse_ipv4(MG_PASS(&rest), inside.at, frame);
        else
            reason = mg_parse_ipv6(MG_PASS(&rest), inside.at, frame);
    }
    frame->reason = reason;
    return reason;
}

/* What a captured frame says: `captured` of its `wire` bytes at `data`; `linktype` is MG_LINK_UNKNOWN for an
 * interface that the capture does not describe. Returns frame->reason. */
mg_inline uint8_t mg_parse(int32_t linktype, const uint8_t *data, uint32_t captured, uint32_t wire,
                           struct mg_frame *frame)
{
    const struct mg_view view = {data, captured, wire};
    if (mg_likely(linktype == MG_LINK_ETHERNET && captured >= 54 && mg_load16(data + 12) == 0x0800)) {
        frame->src_mac = mg_load48(data + 6);
        frame->vlan = MG_NO_VLAN;
        return frame->reason = mg_parse_ipv4(MG_PASS(&view), 14, frame);
    }
    if (mg_likely(linktype == MG_LINK_ETHERNET))
        return mg_parse_any_ethernet(&view, frame);
    if (linktype == MG_LINK_UNKNOWN)
        return frame->reason = MG_UNKNOWN_INTERFACE;
    return mg_parse_link((uint32_t)linktype, &view, frame);
}

/* Whether a cooked header says the packet was going out: 1 or 0, and -1 where the link does not tell. */
mg_inline int mg_leaves(int32_t linktype, const uint8_t *data, uint32_t captured)
{
    if (linktype == MG_LINK_SLL && captured >= 16)
        return data[0] == 0 && data[1] == 4;
    if (linktype == MG_LINK_SLL2 && captured >= 20)
        return data[10] == 4;
    return -1;
}

#endif
#endif
