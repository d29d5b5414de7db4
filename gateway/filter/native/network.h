/* IPv4 and IPv6: from the first byte of a network header to a frame.
 * The same as the first half of gateway/filter/network.py; see there for the reasons. */
#ifndef MASUGATA_NETWORK_H
#define MASUGATA_NETWORK_H

#include "transport.h"

/* One fragment: the first with its ports, a later one without. `length` bytes at `at` are behind all headers;
 * `before` bytes of headers are in every fragment, `size` bytes of this one are put together. */
mg_apart uint8_t mg_fragment_of(const struct mg_view *view, uint32_t at, uint32_t length, uint32_t before, uint32_t size,
                               uint32_t offset, int more, struct mg_frame *frame)
{
    if (before + offset + size > 0xFFFF || size == 0 || (more && size % 8))
        return MG_BAD_FRAGMENT;
    frame->payload = size;
    frame->offset = offset;
    if (offset == 0) {
        if (length < mg_transport_bytes(frame->key.protocol))
            return MG_TINY_FRAGMENT;
        frame->fragment = MG_FIRST_FRAGMENT;
        frame->offset = 0;
        return mg_carried(view, at, length, 0, frame);
    }
    frame->fragment = MG_LATER_FRAGMENT;
    frame->key.tail = 0;
    frame->sport = frame->dport = 0;
    frame->control = frame->quotes = 0;
    return MG_READ;
}

/* RFC 1071: a header with the right checksum adds up to 0xffff, in either byte order; so does the sum of its
 * 32-bit words, because 2^16 is 1 modulo 0xffff. */
mg_hot uint8_t mg_checksum_state(const uint8_t *p, uint64_t sum)
{
    if (mg_likely(sum % 0xFFFF == 0))
        return MG_CHECKSUM_RIGHT;
    return mg_raw16(p + 10) ? MG_CHECKSUM_WRONG : MG_CHECKSUM_UNSET;
}

mg_hot uint64_t mg_sum20(const uint8_t *p)
{
    return (uint64_t)mg_raw32(p) + mg_raw32(p + 4) + mg_raw32(p + 8) + mg_raw32(p + 12) + mg_raw32(p + 16);
}

mg_hot uint64_t mg_sum_options(const struct mg_view *view, uint32_t at, uint32_t size)
{
    const uint8_t *p;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 40; i += 4) {
        if (i < size && MG_REACH(p, view, at + i, 4))
            sum += mg_raw32(p);
    }
    return sum;
}

/* An IPv4 header with options: judge them and finish the sum of the header; MG_READ if it may be read on. */
mg_apart uint8_t mg_odd_header(const struct mg_view *view, uint32_t at, uint8_t first, uint64_t *sum)
{
    uint32_t header = (first & 15u) * 4;
    if (first >> 4 != 4)
        return MG_BAD_VERSION;
    if (header < 20)
        return MG_BAD_IHL;
    if (at + header > view->captured)
        return mg_missing(view);
    *sum += mg_sum_options(view, at + 20, header - 20);
    return mg_bad_option(MG_PASS(view), at + 20, header - 20);
}

mg_large uint8_t mg_parse_ipv4(MG_VIEW, uint32_t at, struct mg_frame *frame)
{
    MG_OPEN_FOR(frame);
    const uint8_t *p;
    uint32_t header = 20;
    if (!MG_REACH(p, view, at, 20))
        return mg_missing(view);
    uint64_t sum = mg_sum20(p);
    if (mg_unlikely(p[0] != 0x45)) {
        uint8_t refused = mg_odd_header(view, at, p[0], &sum);
        if (refused != MG_READ)
            return refused;
        header = (p[0] & 15u) * 4;
    }
    uint32_t total = mg_load16(p + 2), field = mg_load16(p + 6);
    if (mg_unlikely(total < header || at + total > view->wire))
        return MG_BAD_LENGTH;
    mg_addresses4(p, &frame->key);
    frame->key.protocol = p[9];
    frame->key.version = 4;
    frame->key.zero = 0;
    frame->truncated = view->captured < view->wire;
    frame->checksum = mg_checksum_state(p, sum);
    frame->ident = mg_load16(p + 4);
    uint32_t length = total - header;
    if (mg_unlikely(field & 0x3FFF))
        return mg_fragment_of(view, at + header, length, header, length, (field & 0x1FFF) * 8, (field & 0x2000) != 0,
                              frame);
    frame->fragment = MG_WHOLE;
    frame->offset = 0;
    frame->payload = length;
    return mg_carried(view, at + header, length, 1, frame);
}

/* Neighbour and listener discovery that no router forwards (RFC 4291 2.7). */
mg_hot int mg_stays_on_segment(const struct mg_frame *frame)
{
    uint16_t kind = frame->dport;
    int link_scope = frame->key.dst_hi >> 48 == 0xFF02 || frame->key.dst_hi >> 54 == 0xFE80 >> 6;
    return link_scope && ((kind >= 130 && kind <= 136) || kind == 143);
}

mg_large uint8_t mg_parse_ipv6(MG_VIEW, uint32_t at, struct mg_frame *frame)
{
    MG_OPEN_FOR(frame);
    const uint8_t *p;
    struct mg_behind behind = {0, 0, 0, 0, 0};
    if (!MG_REACH(p, view, at, 40))
        return mg_missing(view);
    if (p[0] >> 4 != 6)
        return MG_BAD_VERSION;
    uint32_t length = mg_load16(p + 4), end = at + 40 + length;
    if (end > view->wire || (length == 0 && p[6] == MG_NEXT_HOP))
        return MG_BAD_LENGTH;
    behind.protocol = p[6];
    uint8_t reason = p[6] == MG_NEXT_HOP ? mg_bad_hop_options(MG_PASS(view), at + 40, end) : MG_READ;
    if (reason == MG_READ)
        reason = mg_behind_extensions(MG_PASS(view), at + 40, end, &behind);
    if (reason != MG_READ)
        return reason;
    mg_addresses6(p, &frame->key);
    frame->key.protocol = behind.protocol;
    frame->key.version = 6;
    frame->key.zero = 0;
    frame->truncated = view->captured < view->wire;
    frame->checksum = MG_CHECKSUM_RIGHT;
    frame->ident = behind.ident;
    uint32_t start = behind.start, offset = behind.fragment & 0xFFF8u;
    int more = behind.fragment & 1;
    if (mg_unlikely(offset || more)) {
        reason = mg_fragment_of(view, start, end - start, behind.fragmented - (at + 48), end - behind.fragmented, offset,
                                more, frame);
    } else {
        frame->fragment = MG_WHOLE;
        frame->offset = 0;
        frame->payload = end - start;
        reason = mg_carried(view, start, end - start, 1, frame);
    }
    if (behind.protocol == MG_ICMP6 && reason == MG_READ && mg_stays_on_segment(frame))
        return MG_NEIGHBOURS;
    return reason;
}

#endif
