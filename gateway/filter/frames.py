"""What a frame says: the values the parser fills in, and the reasons why it could not.

A frame becomes a `Frame` or an `Unparsed` reason; no bytes raise anything. The checks are those that the
Linux kernel makes before a packet reaches its forward hook, so that what the kernel would drop is refused
here too. Transport checksums are not looked at: captures taken where they are offloaded never hold them.

Connections are looked up by `Frame.key`, a byte string: Python hashes those with a secret of the process
(SipHash), so nobody can write a capture whose packets all fall into one bucket, as integers would allow.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Unparsed(StrEnum):
    """Why a frame has no verdict by policy; stable strings for logs, JSON and tests."""

    # Not ours to judge: never crosses a router, or we do not read it.
    ARP = "arp"
    NEIGHBOURS = "neighbour-discovery"
    LLC = "llc"
    PPP_CONTROL = "ppp-control"
    MPLS = "mpls"
    ETHERTYPE = "ethertype-unsupported"
    LINKTYPE = "linktype-unsupported"
    UNKNOWN_INTERFACE = "unknown-interface"
    TRUNCATED = "truncated-header"
    # The kernel drops these: so do we.
    SHORT = "short-header"
    NESTED_TAGS = "too-many-tags"
    BAD_VERSION = "bad-ip-version"
    BAD_IHL = "bad-ihl"
    BAD_LENGTH = "bad-ip-length"
    BAD_CHECKSUM = "bad-ip-checksum"
    BAD_OPTION = "bad-ip-option"
    SOURCE_ROUTE = "source-route"
    BAD_EXTENSION = "bad-extension-header"
    BAD_FRAGMENT = "bad-fragment"
    TINY_FRAGMENT = "tiny-fragment"
    BAD_TCP = "bad-tcp-header"
    BAD_UDP = "bad-udp-length"


MALFORMED = frozenset(list(Unparsed)[list(Unparsed).index(Unparsed.SHORT) :])
"""The reasons for which a packet is refused as malformed; the others leave it without a verdict."""

UNREAD = frozenset({Unparsed.LINKTYPE, Unparsed.UNKNOWN_INTERFACE})
"""The reasons that are the capture's, not the packet's: what crossed there is not known."""

NO_MAC = -1
NO_VLAN = -1
WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT = 0, 1, 2
RIGHT, UNSET, WRONG = 0, 1, 2
"""An IPv4 header checksum: zero is what a sender leaves that has its network card fill it in."""


class Frame(NamedTuple):
    """One IP packet of a frame.

    `key` is source, destination, ports (or ICMP id, type, code) and protocol as bytes: the direction it
    travels in. For ICMP `dport` is the type and `sport` the code. `control` holds TCP flags, or the type
    of the first SCTP chunk. `quoted` is the key of the packet inside an ICMP error. `payload` counts the
    bytes behind the network header. A later fragment has no ports. `src_mac` and `vlan` (the outer tag;
    0 for priority tags) are -1 where there are none. `checksum` is left to the engine to act on: a capture
    made on the sending host never holds the right one. `truncated`: the capture holds less than the wire did.
    """

    version: int
    src: int
    dst: int
    protocol: int
    sport: int
    dport: int
    key: bytes
    control: int = 0
    ident: int = 0
    fragment: int = WHOLE
    offset: int = 0
    payload: int = 0
    truncated: bool = False
    src_mac: int = NO_MAC
    vlan: int = NO_VLAN
    quoted: bytes | None = None
    checksum: int = RIGHT


def missing(data: bytes, wire: int) -> Unparsed:
    """Return why a header is not all there: the capture cut it off, or the packet never had it."""
    return Unparsed.TRUNCATED if len(data) < wire else Unparsed.SHORT


def reverse_key(key: bytes) -> bytes:
    """Return the key of the packets that answer.

    >>> reverse_key(bytes([10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 53, 17])).hex()
    '0a0000020a0000010035040011'
    """
    size = (len(key) - 5) // 2
    ends = key[size : 2 * size] + key[:size]
    tail = key[2 * size :]
    protocol = tail[4]
    if protocol in _ANSWERS:
        # id, type, code: an answer keeps the id and the code and carries the type that answers.
        return ends + tail[:2] + bytes((_ANSWERS[protocol].get(tail[2], tail[2]), tail[3], protocol))
    return ends + tail[2:4] + tail[:2] + tail[4:]


# RFC 792 echo, timestamp, information; RFC 950 mask; RFC 4443 echo; RFC 4620 node information.
_ANSWERS: dict[int, dict[int, int]] = {
    1: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17},
    58: {128: 129, 129: 128, 139: 140, 140: 139},
}
ICMP_QUERIES: dict[int, frozenset[int]] = {1: frozenset({8, 13, 15, 17}), 58: frozenset({128, 139})}
"""ICMP types that ask, and so may open a connection of their own."""

ICMP_ANSWERS: dict[int, frozenset[int]] = {1: frozenset({0, 14, 16, 18}), 58: frozenset({129, 140})}
"""ICMP types that answer a query and carry its id."""

SEGMENT_TYPES = frozenset({130, 131, 132, 133, 134, 135, 136, 143})
"""ICMPv6 types that do what ARP and IGMP do for IPv4 (RFC 4861, RFC 2710, RFC 3810): for one segment only."""

ICMP_ERRORS: dict[int, frozenset[int]] = {1: frozenset({3, 4, 11, 12}), 58: frozenset({1, 2, 3, 4})}
"""ICMP types that report on another packet and quote it. A redirect is not one of them: it never passes."""
