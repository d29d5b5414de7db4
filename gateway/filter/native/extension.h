/* Options of IPv4 and extension headers of IPv6.
 * The same as gateway/filter/options.py and _behind_extensions of network.py; see there for the reasons. */
#ifndef MASUGATA_EXTENSION_H
#define MASUGATA_EXTENSION_H

#include "bytes.h"

enum { MG_NEXT_HOP = 0, MG_NEXT_ROUTING = 43, MG_NEXT_FRAGMENT = 44, MG_NEXT_AUTHENTICATION = 51, MG_NEXT_OPTIONS = 60 };
enum { MG_MAX_EXTENSION_HEADERS = 16, MG_MAX_HOP_OPTIONS = 8, MG_MAX_PADDING = 7 };
enum { MG_OPTION_RECORD_ROUTE = 7, MG_OPTION_TIMESTAMP = 68, MG_OPTION_LSRR = 131, MG_OPTION_CIPSO = 134, MG_OPTION_SSRR = 137, MG_OPTION_ALERT = 148 };

/* Whether a pointer option at `at` is past its end or leaves room for a whole entry. */
mg_hot int mg_has_room(const struct mg_view *view, uint32_t at, uint8_t kind, uint32_t length)
{
    const uint8_t *p;
    if (kind == MG_OPTION_RECORD_ROUTE) {
        if (length < 3 || !MG_REACH(p, view, at, 3) || p[2] < 4)
            return 0;
        return p[2] > length || p[2] + 3u <= length;
    }
    if (length < 4 || !MG_REACH(p, view, at, 4) || p[2] < 5)
        return 0;
    uint32_t flag = p[3] & 15;
    if (p[2] <= length)
        return p[2] + (flag == 1 || flag == 3 ? 7u : 3u) <= length;
    return flag == 3 || p[3] >> 4 != 15;
}

/* The length of the IPv4 option at `at` with `left` bytes to the end of the header, 0 at the end of all options, and
 * above the lowest byte why it is refused, or MG_ENTRY_ROUTE or MG_ENTRY_STAMP: options that come but once. */
#define MG_ENTRY_REFUSED(reason) ((uint32_t)(reason) << 8)
#define MG_ENTRY_ROUTE 0x10000u
#define MG_ENTRY_STAMP 0x20000u
mg_rare uint32_t mg_option_entry(MG_VIEW, uint32_t at, uint32_t left)
{
    MG_OPEN();
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 1))
        return MG_ENTRY_REFUSED(MG_BAD_OPTION);
    uint8_t kind = p[0];
    if (kind < 2)
        return kind;
    if (left < 2 || !MG_REACH(p, view, at, 2))
        return MG_ENTRY_REFUSED(MG_BAD_OPTION);
    uint32_t length = p[1];
    if (length < 2 || length > left)
        return MG_ENTRY_REFUSED(MG_BAD_OPTION);
    if (kind == MG_OPTION_LSRR || kind == MG_OPTION_SSRR)
        return MG_ENTRY_REFUSED(MG_SOURCE_ROUTE);
    if (kind == MG_OPTION_CIPSO || (kind == MG_OPTION_ALERT && length < 4))
        return MG_ENTRY_REFUSED(MG_BAD_OPTION);
    if (kind != MG_OPTION_RECORD_ROUTE && kind != MG_OPTION_TIMESTAMP)
        return length;
    if (!mg_has_room(view, at, kind, length))
        return MG_ENTRY_REFUSED(MG_BAD_OPTION);
    return length | (kind == MG_OPTION_TIMESTAMP ? MG_ENTRY_STAMP : MG_ENTRY_ROUTE);
}

/* Why `size` bytes of IPv4 options (at most 40, all captured) are refused; MG_READ if they are not. */
mg_rare uint8_t mg_bad_option(MG_VIEW, uint32_t at, uint32_t size)
{
    MG_OPEN();
    uint32_t i = 0, seen = 0;
    for (uint32_t step = 0; step < 40 && i < size; step++) {
        MG_FORGET(seen);
        uint32_t entry = mg_option_entry(MG_PASS(view), at + i, size - i), once = entry & (MG_ENTRY_ROUTE | MG_ENTRY_STAMP);
        if (entry == 0)
            return MG_READ;
        if (entry & 0xFF00)
            return (uint8_t)(entry >> 8);
        if (seen & once)
            return MG_BAD_OPTION;
        seen |= once;
        i += entry & 0xFF;
        MG_FORGET(i);
    }
    return MG_READ;
}

/* Whether a hop-by-hop option leaves its packet to be forwarded. */
mg_hot int mg_forwarded(uint8_t kind, uint32_t length)
{
    return !(kind >> 6) && kind != 7 && (kind != 5 || length == 4);
}

/* Whether `length` bytes of padding at `at`, at most MG_MAX_PADDING, are as they should be: zero. */
mg_hot int mg_blank(const struct mg_view *view, uint32_t at, uint32_t length)
{
    const uint8_t *p;
    for (uint32_t i = 2; i < MG_MAX_PADDING; i++) {
        if (i < length && (!MG_REACH(p, view, at + i, 1) || p[0]))
            return 0;
    }
    return 1;
}

/* The length of the hop-by-hop option at `at` with `left` bytes to the end of its header, and MG_ENTRY_PADDING if it
 * is padding; 0 if it is refused. */
#define MG_ENTRY_PADDING 0x10000u
mg_rare uint32_t mg_hop_entry(MG_VIEW, uint32_t at, uint32_t left)
{
    MG_OPEN();
    const uint8_t *p;
    if (!MG_REACH(p, view, at, 1))
        return 0;
    uint8_t kind = p[0];
    if (kind == 0)
        return 1 | MG_ENTRY_PADDING;
    if (left < 2 || !MG_REACH(p, view, at, 2))
        return 0;
    uint32_t length = p[1] + 2u;
    if (length > left)
        return 0;
    if (kind == 1)
        return length <= MG_MAX_PADDING && mg_blank(view, at, length) ? length | MG_ENTRY_PADDING : 0;
    return mg_forwarded(kind, length) ? length : 0;
}

/* Why the hop-by-hop header at `at` of a packet that ends at `end` is refused; MG_READ if it is not. */
mg_rare uint8_t mg_bad_hop_options(MG_VIEW, uint32_t at, uint32_t end)
{
    MG_OPEN();
    const uint8_t *p;
    uint32_t size = MG_REACH(p, view, at, 2) ? (p[1] + 1u) * 8 : 8;
    uint32_t known = 0, padding = 0, i = 2;
    if (at + size > end)
        return MG_BAD_EXTENSION;
    if (at + size > view->captured)
        return mg_missing(view);
    /* Bounded: seven paddings at most around each option. */
    for (uint32_t step = 0; step < (MG_MAX_HOP_OPTIONS + 1) * (MG_MAX_PADDING + 1) && i < size; step++) {
        MG_FORGET(known);
        MG_FORGET(padding);
        uint32_t entry = mg_hop_entry(MG_PASS(view), at + i, size - i);
        if (entry == 0)
            return MG_BAD_EXTENSION;
        i += entry & 0xFFFF;
        MG_FORGET(i);
        if (entry & MG_ENTRY_PADDING) {
            padding += entry & 0xFFFF;
        } else {
            padding = 0;
            known++;
        }
        if (padding > MG_MAX_PADDING || known > MG_MAX_HOP_OPTIONS)
            return MG_BAD_EXTENSION;
    }
    return MG_READ;
}

/* What lies behind the extension headers: where the transport header starts and which it is, the field of the
 * fragment header, its id, and where the fragmented part starts (0: there is no fragment header). */
struct mg_behind {
    uint32_t start;
    uint32_t fragmented;
    uint32_t ident;
    uint16_t fragment;
    uint8_t protocol;
};

mg_hot int mg_is_extension(uint8_t protocol)
{
    return protocol == MG_NEXT_HOP || protocol == MG_NEXT_ROUTING || protocol == MG_NEXT_FRAGMENT ||
           protocol == MG_NEXT_AUTHENTICATION || protocol == MG_NEXT_OPTIONS;
}

/* Find it; `found->protocol` is that of the first header, at `at`. */
mg_large uint8_t mg_behind_extensions(MG_VIEW, uint32_t at, uint32_t end, struct mg_behind *found)
{
    MG_OPEN_FOR(found);
    const uint8_t *p;
    uint8_t protocol = found->protocol;
    found->fragmented = found->ident = 0;
    found->fragment = 0;
    for (uint32_t i = 0; i <= MG_MAX_EXTENSION_HEADERS; i++) {
        MG_FORGET(at);
        MG_FORGET(protocol);
        MG_FORGET(found->fragmented);
        MG_FORGET(found->fragment);
        MG_FORGET(found->ident);
        found->start = at;
        found->protocol = protocol;
        if (mg_likely(!mg_is_extension(protocol)))
            return MG_READ;
        if (at + 8 > end || (protocol == MG_NEXT_FRAGMENT && found->fragmented))
            return MG_BAD_EXTENSION;
        if (!MG_REACH(p, view, at, 8))
            return mg_missing(view);
        if (protocol == MG_NEXT_FRAGMENT) {
            found->fragment = mg_load16(p + 2);
            found->ident = mg_load32(p + 4);
            at += 8;
            found->fragmented = at;
            if (found->fragment & 0xFFF8) {
                found->start = at;
                found->protocol = p[0];
                return MG_READ;
            }
        } else {
            at += protocol == MG_NEXT_AUTHENTICATION ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8;
        }
        if (at > end)
            return MG_BAD_EXTENSION;
        protocol = p[0];
    }
    return MG_BAD_EXTENSION;
}

#endif
