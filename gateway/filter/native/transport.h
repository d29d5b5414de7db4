/* What an IP packet carries: ports or ICMP type and code, and the packet that an ICMP error quotes.
 * The same as the second half of gateway/filter/network.py; see there for the reasons. */
#ifndef MASUGATA_TRANSPORT_H
#define MASUGATA_TRANSPORT_H

#include "extension.h"

enum { MG_ICMP = 1, MG_TCP = 6, MG_UDP = 17, MG_ICMP6 = 58, MG_SCTP = 132 };
enum { MG_ICMP_BYTES = 8, MG_UDP_BYTES = 8, MG_SCTP_BYTES = 16, MG_TCP_BYTES = 20 };

/* ICMP types that ask or answer and carry an id, and those that quote a packet (see frames.py). */
mg_hot int mg_has_id(uint8_t protocol, uint8_t kind)
{
    if (protocol == MG_ICMP)
        return kind == 0 || kind == 8 || (kind >= 13 && kind <= 18);
    return kind == 128 || kind == 129 || kind == 139 || kind == 140;
}

mg_hot int mg_is_error(uint8_t protocol, uint8_t kind)
{
    if (protocol == MG_ICMP)
        return kind == 3 || kind == 4 || kind == 11 || kind == 12;
    return kind >= 1 && kind <= 4;
}

mg_hot int mg_has_transport(uint8_t protocol)
{
    return protocol == MG_TCP || protocol == MG_UDP || protocol == MG_ICMP || protocol == MG_ICMP6 ||
           protocol == MG_SCTP;
}

/* The bytes of a transport header that a first fragment must hold (RFC 1858). */
mg_hot uint32_t mg_transport_bytes(uint8_t protocol)
{
    switch (protocol) {
    case MG_TCP:
        return MG_TCP_BYTES;
    case MG_SCTP:
        return MG_SCTP_BYTES;
    case MG_UDP:
    case MG_ICMP:
    case MG_ICMP6:
        return 8;
    default:
        return 0;
    }
}

mg_hot void mg_addresses4(const uint8_t *p, struct mg_key *key)
{
    key->src_hi = 0;
    key->src_lo = mg_load32(p + 12);
    key->dst_hi = 0;
    key->dst_lo = mg_load32(p + 16);
}

mg_hot void mg_addresses6(const uint8_t *p, struct mg_key *key)
{
    key->src_hi = mg_load64(p + 8);
    key->src_lo = mg_load64(p + 16);
    key->dst_hi = mg_load64(p + 24);
    key->dst_lo = mg_load64(p + 32);
}

/* Set the key of the packet that starts at `at` inside an ICMP error, and return 1; 0 where it is too little to
 * tell. `key->version` is that of the error; `end` is where the error ends or the capture of it: what stands behind is padding. */
mg_rare uint8_t mg_quoted(MG_VIEW, uint32_t at, uint32_t end, struct mg_key *key)
{
    MG_OPEN_FOR(key);
    const uint8_t *p;
    struct mg_behind behind = {0, 0, 0, 0, 0};
    uint8_t version = key->version;
    if (end > view->captured)
        end = view->captured;
    if (version == 4) {
        if (at + 20 > end || !MG_REACH(p, view, at, 20))
            return 0;
        uint32_t header = (p[0] & 15u) * 4;
        if (p[0] >> 4 != 4 || header < 20 || (mg_load16(p + 6) & 0x1FFF))
            return 0;
        behind.start = at + header;
        behind.protocol = p[9];
        mg_addresses4(p, key);
    } else {
        if (at + 40 > end || !MG_REACH(p, view, at, 40) || p[0] >> 4 != 6)
            return 0;
        mg_addresses6(p, key);
        behind.protocol = p[6];
        if (mg_behind_extensions(MG_PASS(view), at + 40, end, &behind) != MG_READ || (behind.fragment & 0xFFF8))
            return 0;
    }
    key->tail = 0;
    key->protocol = behind.protocol;
    key->zero = 0;
    if (!mg_has_transport(behind.protocol))
        return 1;
    if (behind.start + 8 > end || !MG_REACH(p, view, behind.start, 8))
        return 0;
    if (behind.protocol == MG_ICMP || behind.protocol == MG_ICMP6)
        key->tail = (uint32_t)mg_load16(p + 4) << 16 | mg_load16(p);
    else
        key->tail = mg_load32(p);
    return 1;
}

/* Set ports, flags and the end of the key from the `length` bytes at `at`; `whole`: it is no fragment.
 * The rest of the frame is set already. */
mg_hot uint8_t mg_carried(const struct mg_view *view, uint32_t at, uint32_t length, int whole, struct mg_frame *frame)
{
    const uint8_t *p;
    uint8_t protocol = frame->key.protocol, control = 0;
    uint32_t ports;
    frame->quotes = 0;
    if (mg_likely(protocol == MG_TCP)) {
        if (length < MG_TCP_BYTES)
            return MG_BAD_TCP;
        if (!MG_REACH(p, view, at, 14))
            return mg_missing(view);
        uint32_t header = (p[12] >> 4) * 4u;
        if (header < MG_TCP_BYTES || header > length)
            return MG_BAD_TCP;
        ports = mg_load32(p);
        control = p[13];
    } else if (mg_likely(protocol == MG_UDP)) {
        if (length < MG_UDP_BYTES)
            return MG_BAD_UDP;
        if (!MG_REACH(p, view, at, 6))
            return mg_missing(view);
        uint32_t said = mg_load16(p + 4);
        if (said < MG_UDP_BYTES || (said > length && whole))
            return MG_BAD_UDP;
        ports = mg_load32(p);
    } else if (protocol == MG_ICMP || protocol == MG_ICMP6) {
        if (length < MG_ICMP_BYTES)
            return MG_SHORT;
        if (!MG_REACH(p, view, at, 8))
            return mg_missing(view);
        uint8_t kind = p[0], code = p[1];
        uint32_t ident = mg_has_id(protocol, kind) ? mg_load16(p + 4) : 0;
        frame->key.tail = ident << 16 | (uint32_t)kind << 8 | code;
        frame->sport = code;
        frame->dport = kind;
        frame->control = 0;
        if (mg_is_error(protocol, kind)) {
            frame->quoted.version = frame->key.version;
            frame->quotes = mg_quoted(MG_PASS(view), at + MG_ICMP_BYTES, at + length, &frame->quoted);
        }
        return MG_READ;
    } else if (protocol == MG_SCTP) {
        if (length < MG_SCTP_BYTES)
            return MG_SHORT;
        if (!MG_REACH(p, view, at, 13))
            return mg_missing(view);
        ports = mg_load32(p);
        control = p[12];
    } else {
        ports = 0;
    }
    frame->key.tail = ports;
    frame->sport = (uint16_t)(ports >> 16);
    frame->dport = (uint16_t)ports;
    frame->control = control;
    return MG_READ;
}

#endif
