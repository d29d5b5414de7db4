/* Records of capture files, found in a buffer: the plain ones, as fast as memory allows.
 *
 * What is odd (a length that lies, a block that is no packet, a record that is cut) stops the walk there, and the
 * reader in Python takes that one: gateway.replay.pcap and gateway.replay.pcapng say what everything means. */
#ifndef MASUGATA_WALK_H
#define MASUGATA_WALK_H

#include <string.h>

#include "core.h"

#define MG_PACKET_BYTES 262144u /* gateway.replay.packets.MAX_PACKET_BYTES */
#define MG_NOWHERE 0xFFFF
#define MG_LAST_NS (1LL << 62) /* gateway.replay.packets.LAST_NS */
#define MG_AHEAD 4096           /* bytes asked for before they are needed: memory, not arithmetic, is slow here */

enum mg_direction { MG_UNKNOWN_DIRECTION, MG_INBOUND, MG_OUTBOUND };

/* One packet of a capture. `data` points into the buffer that was walked. */
struct mg_record {
    const uint8_t *data;
    int64_t time_ns;
    uint32_t captured, wire;
    int32_t linktype; /* -1: the interface was never described */
    uint16_t ingress; /* number of a zone, MG_NOWHERE where nothing tells it */
    uint8_t direction;
    uint8_t zero;
};

/* How the records of a classic capture are laid out. */
struct mg_pcap {
    uint32_t swapped, extended;
    uint32_t tick_ns;
    int32_t linktype;
    uint16_t ingress;
    uint16_t zero;
};

/* One interface of a section: nanoseconds are ticks * multiply / divide + offset_ns. A `divide` of 0 says that its
 * clock is beyond these numbers. */
struct mg_interface {
    uint64_t multiply, divide;
    int64_t offset_ns;
    int32_t linktype;
    uint16_t ingress;
    uint16_t zero;
};

struct mg_section {
    uint32_t swapped;
    uint32_t interface_count;
    const struct mg_interface *interfaces;
};

mg_inline uint32_t mg_word(const uint8_t *at, uint32_t swapped)
{
    uint32_t word;
    memcpy(&word, at, 4);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    swapped = !swapped;
#endif
    return swapped ? __builtin_bswap32(word) : word;
}

mg_inline uint16_t mg_half(const uint8_t *at, uint32_t swapped)
{
    uint16_t half;
    memcpy(&half, at, 2);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    swapped = !swapped;
#endif
    return swapped ? __builtin_bswap16(half) : half;
}

mg_inline uint32_t mg_wire_length(uint32_t wire, uint32_t captured)
{
    wire = wire > captured ? wire : captured;
    return wire < MG_PACKET_BYTES ? wire : MG_PACKET_BYTES;
}

/* Fill `records` from the front of a buffer; returns how many, and in `*used` how many bytes they took. */
mg_inline uint32_t mg_walk_pcap(const struct mg_pcap *layout, const uint8_t *buffer, size_t length,
                                struct mg_record *records, uint32_t room, size_t *used)
{
    const uint32_t swapped = layout->swapped, header = layout->extended ? 24 : 16;
    size_t at = 0, asked = 0;
    uint32_t count = 0;

    while (count < room && length - at >= header) {
        uint32_t captured = mg_word(buffer + at + 8, swapped);
        if (mg_unlikely(captured > MG_PACKET_BYTES) || length - at - header < captured)
            break;
        for (; asked < at + MG_AHEAD; asked += 64)
            __builtin_prefetch(buffer + asked);
        struct mg_record *record = &records[count++];
        record->data = buffer + at + header;
        record->time_ns = (int64_t)((uint64_t)mg_word(buffer + at, swapped) * 1000000000u +
                                    (uint64_t)mg_word(buffer + at + 4, swapped) * layout->tick_ns);
        record->captured = captured;
        record->wire = mg_wire_length(mg_word(buffer + at + 12, swapped), captured);
        record->linktype = layout->linktype;
        record->ingress = layout->ingress;
        record->direction = MG_UNKNOWN_DIRECTION;
        if (layout->extended) {
            uint8_t type = buffer[at + 22]; /* behind the index of the interface and the protocol */
            record->direction = type == 4 ? MG_OUTBOUND : MG_INBOUND;
        }
        at += header + captured;
    }
    *used = at;
    return count;
}

/* The direction that the options of an enhanced packet block tell (epb_flags, option 2). */
mg_inline uint8_t mg_block_direction(const uint8_t *options, size_t length, uint32_t swapped)
{
    size_t at = 0;
    while (length - at >= 4) {
        uint16_t code = mg_half(options + at, swapped), size = mg_half(options + at + 2, swapped);
        if (code == 0 || (size_t)size > length - at - 4)
            break;
        if (code == 2) {
            uint32_t flags = size == 4 ? mg_word(options + at + 4, swapped) & 3 : 0;
            return flags == 1 ? MG_INBOUND : flags == 2 ? MG_OUTBOUND : MG_UNKNOWN_DIRECTION;
        }
        size_t step = 4 + (((size_t)size + 3) & ~(size_t)3);
        if (step > length - at)
            break;
        at += step;
    }
    return MG_UNKNOWN_DIRECTION;
}

/* As mg_walk_pcap, over the enhanced packet blocks of one section; any other block stops it. */
mg_inline uint32_t mg_walk_pcapng(const struct mg_section *section, const uint8_t *buffer, size_t length,
                                  struct mg_record *records, uint32_t room, size_t *used)
{
    const uint32_t swapped = section->swapped;
    size_t at = 0, asked = 0;
    uint32_t count = 0;

    while (count < room && length - at >= 32) {
        const uint8_t *block = buffer + at;
        uint32_t total = mg_word(block + 4, swapped);
        if (mg_word(block, swapped) != 6 || total < 32 || total % 4 || total > MG_PACKET_BYTES || total > length - at)
            break;
        uint32_t interface = mg_word(block + 8, swapped), captured = mg_word(block + 20, swapped);
        uint32_t padded = captured + (-captured & 3);
        if (captured > total - 32 || padded > total - 32 || interface >= section->interface_count ||
            mg_word(block + total - 4, swapped) != total || section->interfaces[interface].divide == 0)
            break;
        for (; asked < at + MG_AHEAD; asked += 64)
            __builtin_prefetch(buffer + asked);
        const struct mg_interface *from = &section->interfaces[interface];
        uint64_t ticks = (uint64_t)mg_word(block + 12, swapped) << 32 | mg_word(block + 16, swapped);
        __int128 time = (__int128)((unsigned __int128)ticks * from->multiply / from->divide) + from->offset_ns;
        struct mg_record *record = &records[count++];
        record->data = block + 28;
        record->time_ns = time < 0 ? 0 : time > MG_LAST_NS ? MG_LAST_NS : (int64_t)time;
        record->captured = captured;
        record->wire = mg_wire_length(mg_word(block + 24, swapped), captured);
        record->linktype = from->linktype;
        record->ingress = from->ingress;
        record->direction = mg_block_direction(block + 28 + padded, total - 32 - padded, swapped);
        at += total;
    }
    *used = at;
    return count;
}

#endif
