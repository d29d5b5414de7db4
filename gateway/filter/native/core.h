/* The words of the packet path in C: what a frame says, and the key that names a direction of a connection.
 *
 * The same values as gateway.filter.frames, in the same order: tests hold the two to each other. Nothing here
 * allocates, calls into the system or knows Python; parse and classify (mg_inline) also compile for BPF, where
 * the kernel's verifier proves that no byte outside the packet is read. */
#ifndef MASUGATA_CORE_H
#define MASUGATA_CORE_H

#ifdef __bpf__
#include <linux/types.h>
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef __s64 int64_t;
#define mg_inline static __attribute__((always_inline)) inline
#else
#include <stddef.h>
#include <stdint.h>
#define mg_inline static inline
#endif

#define mg_likely(x) __builtin_expect(!!(x), 1)
#define mg_unlikely(x) __builtin_expect(!!(x), 0)

/* gateway.filter.frames.Unparsed, in its order; MG_READ stands for a frame that was read. */
enum mg_unparsed {
    MG_READ = 0,
    MG_ARP,
    MG_NEIGHBOURS,
    MG_LLC,
    MG_PPP_CONTROL,
    MG_MPLS,
    MG_ETHERTYPE,
    MG_LINKTYPE,
    MG_UNKNOWN_INTERFACE,
    MG_TRUNCATED,
    MG_SHORT,
    MG_NESTED_TAGS,
    MG_BAD_VERSION,
    MG_BAD_IHL,
    MG_BAD_LENGTH,
    MG_BAD_CHECKSUM,
    MG_BAD_OPTION,
    MG_SOURCE_ROUTE,
    MG_BAD_EXTENSION,
    MG_BAD_FRAGMENT,
    MG_TINY_FRAGMENT,
    MG_BAD_TCP,
    MG_BAD_UDP,
};

enum mg_fragment { MG_WHOLE, MG_FIRST_FRAGMENT, MG_LATER_FRAGMENT };
enum mg_checksum { MG_CHECKSUM_RIGHT, MG_CHECKSUM_UNSET, MG_CHECKSUM_WRONG };

#define MG_NO_MAC UINT64_MAX
#define MG_NO_VLAN 0xFFFF

/* One direction of a connection. Addresses are host-order integers, high half first; IPv4 has its address in the
 * low half of `lo` and zero above. `tail` is the four bytes behind the addresses in Frame.key as a big-endian
 * number: source and destination port, or ICMP id (two bytes), type and code. */
struct mg_key {
    uint64_t src_hi, src_lo;
    uint64_t dst_hi, dst_lo;
    uint32_t tail;
    uint8_t protocol;
    uint8_t version; /* 4 or 6 */
    uint16_t zero;   /* always 0, so that keys compare as bytes */
};

/* What gateway.filter.frames.Frame holds, or `reason` why there is none (then nothing else is set). */
struct mg_frame {
    uint8_t reason;   /* enum mg_unparsed */
    uint8_t control;  /* TCP flags, or the type of the first SCTP chunk */
    uint8_t fragment; /* enum mg_fragment */
    uint8_t checksum; /* enum mg_checksum: of the IPv4 header */
    uint8_t truncated;
    uint8_t quotes; /* whether `quoted` is set */
    uint16_t vlan;
    uint16_t sport, dport; /* host order; of ICMP code and type */
    uint32_t offset;       /* of a later fragment, bytes */
    uint32_t payload;      /* bytes behind the network header */
    uint32_t ident;
    uint64_t src_mac; /* 48 bits, or MG_NO_MAC */
    struct mg_key key;
    struct mg_key quoted; /* of the packet inside an ICMP error */
};


#endif
