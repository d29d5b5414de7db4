/* Link layers: from a captured frame to the network header inside it.
 * The same as gateway/filter/link.py; see there for the reasons. */
#ifndef MASUGATA_LINK_H
#define MASUGATA_LINK_H

#include "bytes.h"

/* Numbers of the tcpdump.org registry of link-layer header types. */
enum {
    MG_LINK_UNKNOWN = -1, /* an interface that the capture does not describe */
    MG_LINK_NULL = 0,
    MG_LINK_ETHERNET = 1,
    MG_LINK_PPP = 9,
    MG_LINK_BSD_RAW = 12,
    MG_LINK_OPENBSD_RAW = 14,
    MG_LINK_PPP_HDLC = 50,
    MG_LINK_PPP_ETHER = 51,
    MG_LINK_RAW = 101,
    MG_LINK_C_HDLC = 104,
    MG_LINK_LOOP = 108,
    MG_LINK_SLL = 113,
    MG_LINK_PPI = 192,
    MG_LINK_RAW_IPV4 = 228,
    MG_LINK_RAW_IPV6 = 229,
    MG_LINK_SLL2 = 276,
};
enum { MG_MAX_TAGS = 4 };

/* Where the network header starts, which it is (4 or 6), and how many bytes of the frame may be its packet's. */
struct mg_inside {
    uint32_t at;
    uint32_t wire;
    uint8_t version;
};

mg_hot uint8_t mg_inside_is(struct mg_inside *inside, uint8_t version, uint32_t at)
{
    inside->version = version;
    inside->at = at;
    return MG_READ;
}

/* RFC 1661 2: a protocol field of two bytes, or of one (odd) where it is compressed. */
mg_hot uint8_t mg_ppp_protocol(const struct mg_view *view, uint32_t at, struct mg_inside *inside)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 2))
        return view->captured < inside->wire ? MG_TRUNCATED : MG_SHORT;
    uint32_t compressed = p[0] & 1u;
    uint32_t protocol = compressed ? p[0] : mg_load16(p);
    at += compressed ? 1 : 2;
    if (protocol == 0x21)
        return mg_inside_is(inside, 4, at);
    if (protocol == 0x57)
        return mg_inside_is(inside, 6, at);
    return MG_PPP_CONTROL;
}

/* RFC 2516: six bytes of session header, then PPP; the session ends where its header says. */
mg_hot uint8_t mg_pppoe_session(const struct mg_view *view, uint32_t at, struct mg_inside *inside)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 8))
        return mg_missing(view);
    if (p[0] != 0x11 || p[1] != 0)
        return MG_PPP_CONTROL;
    uint32_t end = at + 6 + mg_load16(p + 4);
    if (end > view->wire)
        return MG_BAD_LENGTH;
    inside->wire = end;
    return mg_ppp_protocol(view, at + 6, inside);
}

mg_hot uint8_t mg_ethertype(const struct mg_view *view, uint32_t at, uint32_t ethertype, struct mg_inside *inside)
{
    switch (ethertype) {
    case 0x0800:
        return mg_inside_is(inside, 4, at);
    case 0x86DD:
        return mg_inside_is(inside, 6, at);
    case 0x8864:
        return mg_pppoe_session(view, at, inside);
    case 0x0806:
    case 0x8035:
        return MG_ARP;
    case 0x8847:
    case 0x8848:
        return MG_MPLS;
    default:
        return ethertype < 0x0600 ? MG_LLC : MG_ETHERTYPE;
    }
}

mg_hot int mg_is_tag(uint32_t ethertype)
{
    return ethertype == 0x8100 || ethertype == 0x88A8 || ethertype == 0x9100 || ethertype == 0x9200;
}

/* Step over VLAN tags (IEEE 802.1Q, 802.1ad); the outermost number is kept. */
mg_hot uint8_t mg_tagged(const struct mg_view *view, uint32_t at, uint32_t ethertype, struct mg_inside *inside,
                         struct mg_frame *frame)
{
    const uint8_t *p;
    uint16_t vlan = MG_NO_VLAN;
    uint32_t tags = 0;
    for (; tags <= MG_MAX_TAGS && mg_is_tag(ethertype); tags++) {
        if (!MG_REACH(p, view, at, 4))
            return mg_missing(view);
        if (tags == 0)
            vlan = mg_load16(p) & 0x0FFF;
        ethertype = mg_load16(p + 2);
        at += 4;
        MG_FORGET(ethertype);
        MG_FORGET(vlan);
        MG_FORGET(at);
    }
    if (tags > MG_MAX_TAGS)
        return MG_NESTED_TAGS;
    frame->vlan = vlan;
    return mg_ethertype(view, at, ethertype, inside);
}

mg_hot uint8_t mg_ethernet(const struct mg_view *view, uint32_t at, struct mg_inside *inside, struct mg_frame *frame)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 14))
        return mg_missing(view);
    frame->src_mac = mg_load48(p + 6);
    return mg_tagged(view, at + 14, mg_load16(p + 12), inside, frame);
}

#ifndef __bpf__

/* RFC 1662: an address and control field of ff 03 may precede the protocol. */
mg_hot uint8_t mg_ppp(const struct mg_view *view, uint32_t at, struct mg_inside *inside)
{
    const uint8_t *p;
    if (MG_REACH(p, view, at, 2) && mg_load16(p) == 0xFF03)
        at += 2;
    return mg_ppp_protocol(view, at, inside);
}

mg_hot uint8_t mg_raw(const struct mg_view *view, uint32_t at, struct mg_inside *inside)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 1))
        return mg_missing(view);
    uint8_t version = p[0] >> 4;
    return version == 4 || version == 6 ? mg_inside_is(inside, version, at) : MG_BAD_VERSION;
}

mg_hot uint8_t mg_cisco_hdlc(const struct mg_view *view, uint32_t at, struct mg_inside *inside)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 4))
        return mg_missing(view);
    return mg_ethertype(view, at + 4, mg_load16(p + 2), inside);
}

/* A BSD loopback header: the address family in the byte order of the machine that captured. */
mg_hot uint8_t mg_null(const struct mg_view *view, uint32_t at, struct mg_inside *inside)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 4))
        return mg_missing(view);
    uint32_t family = mg_load32(p), swapped = __builtin_bswap32(family);
    switch (family < swapped ? family : swapped) {
    case 2:
        return mg_inside_is(inside, 4, at + 4);
    case 10: /* Linux */
    case 24: /* the BSDs and macOS */
    case 28:
    case 30:
        return mg_inside_is(inside, 6, at + 4);
    default:
        return MG_ETHERTYPE;
    }
}

/* Linux "cooked" headers; the address is the sender's. */
mg_hot uint8_t mg_sll(const struct mg_view *view, uint32_t at, struct mg_inside *inside, struct mg_frame *frame)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 16))
        return mg_missing(view);
    if (p[5] == 6)
        frame->src_mac = mg_load48(p + 6);
    return mg_tagged(view, at + 16, mg_load16(p + 14), inside, frame);
}

mg_hot uint8_t mg_sll2(const struct mg_view *view, uint32_t at, struct mg_inside *inside, struct mg_frame *frame)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 20))
        return mg_missing(view);
    if (p[11] == 6)
        frame->src_mac = mg_load48(p + 12);
    return mg_tagged(view, at + 20, mg_load16(p), inside, frame);
}

/* Step over a per-packet information header (little-endian); what is inside must not be PPI again. */
mg_hot uint8_t mg_ppi(const struct mg_view *view, uint32_t *at, uint32_t *linktype)
{
    const uint8_t *p;
    if (!MG_REACH(p, view, *at, 8))
        return mg_missing(view);
    uint32_t length = MG_LITTLE16(mg_raw16(p + 2));
    *linktype = MG_LITTLE32(mg_raw32(p + 4));
    if (length < 8)
        return MG_SHORT;
    *at += length;
    return *linktype == MG_LINK_PPI ? MG_LINKTYPE : MG_READ;
}

/* Find the network header behind the header of any link type. */
mg_rare uint8_t mg_link(uint32_t linktype, const struct mg_view *view, struct mg_inside *inside, struct mg_frame *frame)
{
    uint32_t at = 0;
    if (linktype == MG_LINK_PPI) {
        uint8_t reason = mg_ppi(view, &at, &linktype);
        if (reason != MG_READ)
            return reason;
    }
    frame->src_mac = MG_NO_MAC;
    frame->vlan = MG_NO_VLAN;
    switch (linktype) {
    case MG_LINK_ETHERNET:
        return mg_ethernet(view, at, inside, frame);
    case MG_LINK_NULL:
    case MG_LINK_LOOP:
        return mg_null(view, at, inside);
    case MG_LINK_PPP:
    case MG_LINK_PPP_HDLC:
        return mg_ppp(view, at, inside);
    case MG_LINK_PPP_ETHER:
        return mg_pppoe_session(view, at, inside);
    case MG_LINK_RAW:
    case MG_LINK_BSD_RAW:
    case MG_LINK_OPENBSD_RAW:
        return mg_raw(view, at, inside);
    case MG_LINK_RAW_IPV4:
        return mg_inside_is(inside, 4, at);
    case MG_LINK_RAW_IPV6:
        return mg_inside_is(inside, 6, at);
    case MG_LINK_C_HDLC:
        return mg_cisco_hdlc(view, at, inside);
    case MG_LINK_SLL:
        return mg_sll(view, at, inside, frame);
    case MG_LINK_SLL2:
        return mg_sll2(view, at, inside, frame);
    default:
        return MG_LINKTYPE;
    }
}

#endif
#endif
