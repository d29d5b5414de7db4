/* Bytes of a captured frame, read in one way by a program and by a BPF program.
 *
 * Every header is reached by MG_REACH, which gives a pointer only to bytes that are there. It has two
 * expansions. A program compares offsets with the captured length. For BPF the pointer that was compared with
 * data_end must be the very one that is read from, and its offset must be bounded, or the kernel's verifier
 * refuses the program: empty assembly keeps the compiler from computing either of them anew. */
#ifndef MASUGATA_BYTES_H
#define MASUGATA_BYTES_H

#include "core.h"

#ifndef __bpf__
#include <string.h>
#endif

/* Inlined where a common packet passes; what is rare stays out of its way. In BPF both the rare and the large are
 * global functions, which the verifier proves one by one: in one piece, the ways through them multiply. */
#define mg_hot static __attribute__((always_inline, unused)) inline
#ifdef __bpf__
#define mg_rare __attribute__((noinline))
#define mg_large mg_rare
#define mg_apart mg_hot /* too many arguments for BPF */
#else
#define mg_rare static __attribute__((noinline, cold, unused))
#define mg_large mg_hot
#define mg_apart mg_rare
#endif

/* One frame: `captured` of its `wire` bytes are at `data`. In BPF, no more than MG_MOST_BYTES. */
struct mg_view {
    const uint8_t *data;
#ifdef __bpf__
    const uint8_t *end;
    struct xdp_md *context;
#endif
    uint32_t captured;
    uint32_t wire;
};

/* How a view is passed to a rare or large function: one of BPF takes five arguments, the packet as its context,
 * and believes no pointer to be set. */
#ifdef __bpf__
#define MG_VIEW struct xdp_md *context, uint32_t wire
#define MG_PASS(view) (view)->context, (view)->wire
#define MG_OPEN()                                      \
    struct mg_view opened = mg_view_of(context, wire); \
    const struct mg_view *view = &opened
#define MG_OPEN_FOR(pointer) \
    if (!(pointer))          \
        return MG_LINKTYPE;  \
    MG_OPEN()
mg_hot struct mg_view mg_view_of(struct xdp_md *context, uint32_t wire)
{
    const uint8_t *data = (const uint8_t *)(long)context->data, *end = (const uint8_t *)(long)context->data_end;
    struct mg_view view = {data, end, context, (uint32_t)(end - data), wire};
    return view;
}
#else
#define MG_VIEW const struct mg_view *view
#define MG_PASS(view) (view)
#define MG_OPEN() ((void)0)
#define MG_OPEN_FOR(pointer) ((void)0)
#endif

#ifdef __bpf__
#define MG_MOST_BYTES 0x3F00u
/* All offsets that are looked at are below: a header is at most 60 bytes behind a byte of the packet. */
#define MG_BOUND(at) __asm__ volatile("%0 &= 0x3fff" : "+r"(at))
/* Swapped twice a number is the same, but the verifier no longer follows how it came about: without, it walks
 * every way through every turn of a loop and gives up. */
#define MG_FORGET(value)                                                              \
    do {                                                                              \
        uint64_t mg_number = (value);                                                 \
        __asm__ volatile("%0 = be64 %0\n%0 = be64 %0" : "+r"(mg_number));             \
        (value) = (__typeof__(value))mg_number;                                       \
    } while (0)
#define MG_REACH(p, view, at, count)                     \
    ({                                                   \
        uint64_t mg_offset = (at);                       \
        MG_BOUND(mg_offset);                             \
        (p) = (view)->data + mg_offset;                  \
        __asm__ volatile("" : "+r"(p));                  \
        (p) + (count) <= (view)->end;                    \
    })
#else
#define MG_FORGET(value) ((void)0)
#define MG_REACH(p, view, at, count) \
    (mg_likely((at) + (count) <= (view)->captured) ? ((p) = (view)->data + (at), 1) : 0)
#endif

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MG_BIG16(x) (x)
#define MG_BIG32(x) (x)
#define MG_BIG64(x) (x)
#define MG_LITTLE16(x) __builtin_bswap16(x)
#define MG_LITTLE32(x) __builtin_bswap32(x)
#else
#define MG_BIG16(x) __builtin_bswap16(x)
#define MG_BIG32(x) __builtin_bswap32(x)
#define MG_BIG64(x) __builtin_bswap64(x)
#define MG_LITTLE16(x) (x)
#define MG_LITTLE32(x) (x)
#endif

/* Numbers as they stand in the frame, in the order of this machine. */
#ifdef __bpf__
#define MG_AS_IT_STANDS(bits) return *(const uint##bits##_t *)p
#else
#define MG_AS_IT_STANDS(bits)           \
    uint##bits##_t value;               \
    memcpy(&value, p, sizeof value);    \
    return value
#endif
mg_hot uint16_t mg_raw16(const uint8_t *p) { MG_AS_IT_STANDS(16); }
mg_hot uint32_t mg_raw32(const uint8_t *p) { MG_AS_IT_STANDS(32); }
mg_hot uint64_t mg_raw64(const uint8_t *p) { MG_AS_IT_STANDS(64); }

/* Numbers in network order. */
mg_hot uint16_t mg_load16(const uint8_t *p) { return MG_BIG16(mg_raw16(p)); }
mg_hot uint32_t mg_load32(const uint8_t *p) { return MG_BIG32(mg_raw32(p)); }
mg_hot uint64_t mg_load64(const uint8_t *p) { return MG_BIG64(mg_raw64(p)); }
mg_hot uint64_t mg_load48(const uint8_t *p) { return (uint64_t)mg_load16(p) << 32 | mg_load32(p + 2); }

/* Why a header is not all there: the capture cut it off, or the packet never had it. */
mg_hot uint8_t mg_missing(const struct mg_view *view)
{
    return view->captured < view->wire ? MG_TRUNCATED : MG_SHORT;
}

#endif
