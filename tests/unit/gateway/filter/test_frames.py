"""A frame goes in; what it says, or the reason why it could not be read, comes out."""

from __future__ import annotations

import struct

import pytest
from scapy.all import (
    AH,
    ARP,
    GRE,
    ICMP,
    IP,
    LLC,
    PPP,
    SCTP,
    TCP,
    UDP,
    CookedLinux,
    CookedLinuxV2,
    Dot1AD,
    Dot1Q,
    Dot3,
    Ether,
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Loopback,
    PPPoE,
    Raw,
    SCTPChunkInit,
)

from gateway.filter.frames import (
    FIRST_FRAGMENT,
    LATER_FRAGMENT,
    MALFORMED,
    UNSET,
    WHOLE,
    WRONG,
    Frame,
    Unparsed,
    reverse_key,
)
from gateway.filter.link import leaves, parse_frame
from zones.address import parse_address

ETHER = Ether(src="02:00:0a:0a:05:0a", dst="02:00:00:00:00:01")
V4 = IP(src="10.10.5.10", dst="10.20.200.5")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
SYN = TCP(sport=40000, dport=443, flags="S")


def hop(options: bytes) -> IPv6:
    """Return a packet whose hop-by-hop header holds these options, as they are."""
    assert len(options) % 8 == 6
    return (
        IPv6(src="2001:db8::1", dst="2001:db8::2", nh=0) / Raw(bytes((6, len(options) // 8)) + options) / SYN
    )


def parsed(packet: object, linktype: int = 1, wire: int | None = None) -> Frame | Unparsed:
    data = bytes(packet)  # type: ignore[call-overload]
    return parse_frame(linktype, data, len(data) if wire is None else wire)


def frame(packet: object, linktype: int = 1) -> Frame:
    found = parsed(packet, linktype)
    assert isinstance(found, Frame), found
    return found


def test_a_tcp_segment_says_who_speaks_to_whom() -> None:
    found = frame(ETHER / V4 / SYN / b"hello")

    assert (found.version, found.src) == parse_address("10.10.5.10")
    assert found.dst == parse_address("10.20.200.5")[1]
    assert (found.protocol, found.sport, found.dport, found.control) == (6, 40000, 443, 0x02)
    assert found.src_mac == 0x02000A0A050A
    assert (found.fragment, found.truncated, found.vlan, found.payload) == (WHOLE, False, -1, 25)


@pytest.mark.parametrize(
    ("linktype", "packet"),
    [
        (1, ETHER / V4 / SYN),
        (1, ETHER / Dot1Q(vlan=7) / V4 / SYN),
        (1, ETHER / Dot1AD(vlan=9) / Dot1Q(vlan=7) / V4 / SYN),
        (1, ETHER / PPPoE(sessionid=3) / PPP(proto=0x21) / V4 / SYN),
        (9, PPP(proto=0x21) / V4 / SYN),
        (50, Raw(b"\xff\x03\x00\x21") / V4 / SYN),
        (9, Raw(b"\x21") / V4 / SYN),
        (51, PPPoE(sessionid=3) / PPP(proto=0x21) / V4 / SYN),
        (104, Raw(b"\x0f\x00\x08\x00") / V4 / SYN),
        (101, V4 / SYN),
        (12, V4 / SYN),
        (14, V4 / SYN),
        (228, V4 / SYN),
        (0, Loopback(type=2) / V4 / SYN),
        (0, Raw(struct.pack(">I", 2)) / V4 / SYN),
        (108, Raw(struct.pack(">I", 2)) / V4 / SYN),
        (113, CookedLinux(proto=0x0800) / V4 / SYN),
        (276, CookedLinuxV2(proto=0x0800) / V4 / SYN),
        (192, Raw(struct.pack("<BBHI", 0, 0, 8, 1)) / ETHER / V4 / SYN),
        (192, Raw(struct.pack("<BBHI", 0, 0, 12, 101) + b"\0\0\0\0") / V4 / SYN),
    ],
)
def test_the_same_packet_is_found_behind_every_link_layer(linktype: int, packet: object) -> None:
    found = frame(packet, linktype)

    assert found.key == frame(V4 / SYN, 101).key
    assert found.dport == 443


@pytest.mark.parametrize(
    ("linktype", "packet"),
    [
        (1, ETHER / V6 / SYN),
        (1, ETHER / PPPoE() / PPP(proto=0x57) / V6 / SYN),
        (101, V6 / SYN),
        (229, V6 / SYN),
        (0, Raw(struct.pack("<I", 30)) / V6 / SYN),
        (0, Raw(struct.pack("<I", 10)) / V6 / SYN),
        (113, CookedLinux(proto=0x86DD) / V6 / SYN),
        (1, ETHER / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / SYN),
        (1, ETHER / V6 / IPv6ExtHdrRouting() / SYN),
        (1, ETHER / V6 / AH(payloadlen=4, nh=6, icv=b"x" * 12) / SYN),
        (1, ETHER / V6 / IPv6ExtHdrFragment(offset=0, m=0, id=4) / SYN),
    ],
)
def test_ipv6_is_read_behind_links_and_extension_headers(linktype: int, packet: object) -> None:
    found = frame(packet, linktype)

    assert found.key == frame(V6 / SYN, 101).key
    assert (found.protocol, found.dport, found.fragment) == (6, 443, WHOLE)


@pytest.mark.parametrize(
    ("packet", "vlan"),
    [
        (ETHER / Dot1Q(vlan=7) / V4 / SYN, 7),
        (ETHER / Dot1AD(vlan=9) / Dot1Q(vlan=7) / V4 / SYN, 9),
        (ETHER / Dot1Q(vlan=0) / V4 / SYN, 0),
    ],
)
def test_the_outer_vlan_is_kept(packet: object, vlan: int) -> None:
    assert frame(packet).vlan == vlan


@pytest.mark.parametrize(
    ("layer", "protocol", "sport", "dport"),
    [
        (UDP(sport=5353, dport=53), 17, 5353, 53),
        (SCTP(sport=7, dport=9) / SCTPChunkInit(), 132, 7, 9),
        (ICMP(type=8, code=0, id=77), 1, 0, 8),
        (ICMP(type=3, code=13) / V4 / SYN, 1, 13, 3),
        (GRE(), 47, 0, 0),
    ],
)
def test_ports_and_icmp_types_of_each_protocol(layer: object, protocol: int, sport: int, dport: int) -> None:
    found = frame(ETHER / V4 / layer)

    assert (found.protocol, found.sport, found.dport) == (protocol, sport, dport)


def test_an_echo_and_its_answer_have_opposite_keys_and_other_ids_do_not() -> None:
    back = IP(src="10.20.200.5", dst="10.10.5.10")
    asked = frame(V4 / ICMP(type=8, id=77), 101)

    assert reverse_key(asked.key) == frame(back / ICMP(type=0, id=77), 101).key
    assert reverse_key(asked.key) != frame(back / ICMP(type=0, id=78), 101).key
    assert reverse_key(reverse_key(asked.key)) == asked.key


@pytest.mark.parametrize(
    ("error", "quoted"),
    [
        (V4 / ICMP(type=3, code=3) / V4 / SYN, V4 / SYN),
        (V4 / ICMP(type=11) / V4 / ICMP(type=8, id=5), V4 / ICMP(type=8, id=5)),
        (V6 / ICMPv6DestUnreach() / V6 / UDP(sport=1, dport=2), V6 / UDP(sport=1, dport=2)),
        (V6 / ICMPv6DestUnreach() / V6 / ICMPv6EchoRequest(id=9), V6 / ICMPv6EchoRequest(id=9)),
    ],
)
def test_an_icmp_error_tells_which_packet_it_is_about(error: object, quoted: object) -> None:
    assert frame(error, 101).quoted == frame(quoted, 101).key


@pytest.mark.parametrize(
    "inner",
    [b"", b"\x45", bytes(V4 / SYN)[:24], bytes(IP(frag=3, proto=6) / b"12345678"), b"\x60" + bytes(47)],
    ids=["nothing", "a byte", "no ports", "later fragment", "other version"],
)
def test_an_error_that_quotes_too_little_is_about_nothing(inner: bytes) -> None:
    assert frame(V4 / ICMP(type=3, code=1) / Raw(inner), 101).quoted is None


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (ETHER / ARP(), Unparsed.ARP),
        (Dot3(dst="01:80:c2:00:00:00") / LLC() / Raw(b"x" * 40), Unparsed.LLC),
        (Ether(type=0x8847) / Raw(b"x" * 40), Unparsed.MPLS),
        (Ether(type=0x88CC) / Raw(b"x" * 40), Unparsed.ETHERTYPE),
        (ETHER / PPPoE() / PPP(proto=0xC021) / Raw(b"x" * 20), Unparsed.PPP_CONTROL),
        (ETHER / IPv6(src="fe80::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(), Unparsed.NEIGHBOURS),
    ],
)
def test_what_never_crosses_a_router_is_named_and_not_judged(packet: object, reason: Unparsed) -> None:
    assert parsed(packet) is reason
    assert reason not in MALFORMED


def test_neighbour_discovery_to_a_routed_address_is_judged_like_any_packet() -> None:
    assert frame(ETHER / IPv6(src="2001:db8::1", dst="2001:db8::2") / ICMPv6ND_NS()).dport == 135


def test_more_tags_than_any_network_has_are_refused() -> None:
    data = bytes(ETHER)[:12] + b"\x81\x00\x00\x01" * 6 + b"\x08\x00" + bytes(V4 / SYN)

    assert parse_frame(1, data, len(data)) is Unparsed.NESTED_TAGS


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (Raw(b"\x55") / Raw(bytes(V4 / SYN)[1:]), Unparsed.BAD_VERSION),
        (IP(ihl=4) / SYN, Unparsed.BAD_IHL),
        (IP(len=2000) / SYN, Unparsed.BAD_LENGTH),
        (IP(len=19) / SYN, Unparsed.BAD_LENGTH),
        (IP(options=b"\x83\x07\x04\x0a\x00\x00\x01\x00") / SYN, Unparsed.SOURCE_ROUTE),
        (IP(options=b"\x89\x07\x04\x0a\x00\x00\x01\x00") / SYN, Unparsed.SOURCE_ROUTE),
        (IP(options=b"\x07\x20\x04\x00") / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x94\x01\x00\x00") / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x01\x01\x01\x07") / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x07\x04\x03\x00") / SYN, Unparsed.BAD_OPTION),
        # Record route: room for a part of an address; twice.
        (IP(options=b"\x07\x07\x05" + bytes(5)) / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x07\x07\x04" + bytes(4) + b"\x07\x07\x04" + bytes(6)) / SYN, Unparsed.BAD_OPTION),
        # Timestamp: no flags; entries of eight bytes in room for four; sixteen routers had no room.
        (IP(options=b"\x44\x03\x05\x01") / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x44\x08\x05\x01" + bytes(4)) / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x44\x08\x09\xf0" + bytes(4)) / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x94\x03\x00\x00") / SYN, Unparsed.BAD_OPTION),
        (IP(options=b"\x86\x0a\0\0\0\1\1\4\0\0" + bytes(2)) / SYN, Unparsed.BAD_OPTION),
        (V4 / TCP(dataofs=4), Unparsed.BAD_TCP),
        (V4 / TCP(dataofs=15), Unparsed.BAD_TCP),
        (V4 / UDP(len=7), Unparsed.BAD_UDP),
        (V4 / UDP(len=900), Unparsed.BAD_UDP),
        (IP(proto=6) / b"123456789", Unparsed.BAD_TCP),
        (IP(proto=17) / b"1234567", Unparsed.BAD_UDP),
        (IP(proto=1) / b"\x08\x00\x00", Unparsed.SHORT),
        (IP(proto=132) / bytes(12), Unparsed.SHORT),
        (IP(proto=6, flags="MF") / bytes(8), Unparsed.TINY_FRAGMENT),
        (IP(proto=17, flags="MF") / bytes(13), Unparsed.BAD_FRAGMENT),
        (IP(proto=17, frag=8190) / bytes(400), Unparsed.BAD_FRAGMENT),
        (IP(proto=17, frag=8188) / bytes(20), Unparsed.BAD_FRAGMENT),  # fits only without its header
        (IP(proto=132) / bytes(15), Unparsed.SHORT),
        (IPv6(plen=900) / SYN, Unparsed.BAD_LENGTH),
        (IPv6(nh=0, plen=0) / bytes(8), Unparsed.BAD_LENGTH),
        (IPv6(nh=60) / bytes([6, 9, 0, 0, 0, 0, 0, 0]) / SYN, Unparsed.BAD_EXTENSION),
        (IPv6(nh=60) / (bytes([60, 0, 0, 0, 0, 0, 0, 0]) * 17) / SYN, Unparsed.BAD_EXTENSION),
        (IPv6(nh=44) / bytes([44, 0, 0, 1, 0, 0, 0, 7, 17] + [0] * 7) / UDP(), Unparsed.BAD_EXTENSION),
        (IPv6(nh=60) / bytes([44] + [0] * 7 + [17, 0, 255, 232] + [0] * 20), Unparsed.BAD_FRAGMENT),
        # Hop-by-hop: an unknown option that forbids passing; a jumbo payload; a long alert; too much or
        # written-on padding; too many options; one that is cut off by the end of its header.
        (hop(b"\x5e\x04\0\0\0\0"), Unparsed.BAD_EXTENSION),
        (hop(b"\xc2\x04\0\1\0\0"), Unparsed.BAD_EXTENSION),
        (hop(b"\x05\x04\0\0\0\0"), Unparsed.BAD_EXTENSION),
        (hop(b"\x07\x08" + bytes(12)), Unparsed.BAD_EXTENSION),
        (hop(b"\1\0\1\4" + bytes(4) + b"\x1e\4" + bytes(4)), Unparsed.BAD_EXTENSION),
        (hop(b"\1\4\0\0\0\1"), Unparsed.BAD_EXTENSION),
        (hop(b"\x1e\0" * 9 + b"\1\2\0\0"), Unparsed.BAD_EXTENSION),
        (hop(b"\x1e\0" * 2 + b"\0\x1e"), Unparsed.BAD_EXTENSION),
        (hop(b"\x1e\x05" + bytes(4)), Unparsed.BAD_EXTENSION),
        (IPv6(nh=0) / bytes([6, 9, 1, 4, 0, 0, 0, 0]) / SYN, Unparsed.BAD_EXTENSION),
        (IPv6(nh=0) / bytes(7), Unparsed.BAD_EXTENSION),
        (Raw(b"\x45\x00"), Unparsed.SHORT),
        (Raw(b""), Unparsed.SHORT),
    ],
)
def test_what_the_kernel_would_drop_is_malformed(packet: object, reason: Unparsed) -> None:
    assert parsed(packet, 101) is reason
    assert reason in MALFORMED


def test_unknown_link_types_and_interfaces_are_named() -> None:
    assert parse_frame(127, b"x" * 60, 60) is Unparsed.LINKTYPE
    assert parse_frame(None, b"x" * 60, 60) is Unparsed.UNKNOWN_INTERFACE
    nested = struct.pack("<BBHI", 0, 0, 8, 192) * 2
    assert parse_frame(192, nested, len(nested)) is Unparsed.LINKTYPE


@pytest.mark.parametrize(
    "options",
    [
        b"\x1e\0" * 8 + b"\1\4\0\0\0\0",
        b"\x05\x02\0\0\1\0",
        b"\0\1\3\0\0\0\x1e\0\0\1\2\0\0\0",
    ],
    ids=["eight unknown ones that may be skipped", "router alert", "as much padding as may be, twice"],
)
def test_hop_by_hop_options_that_may_pass_are_stepped_over(options: bytes) -> None:
    assert frame(hop(options), 101).key == frame(V6 / SYN, 101).key


def test_sixteen_extension_headers_are_read() -> None:
    assert frame(
        V6.__class__(nh=60) / (bytes([60, 0, 1, 4, 0, 0, 0, 0]) * 15 + bytes([6] + [0] * 7)) / SYN, 101
    )


def test_a_pppoe_session_ends_where_its_header_says() -> None:
    inside = bytes(V4 / SYN)
    right = ETHER / PPPoE(len=2 + len(inside)) / PPP(proto=0x21) / inside / bytes(10)
    short = ETHER / PPPoE(len=1 + len(inside)) / PPP(proto=0x21) / inside / bytes(10)
    long = ETHER / PPPoE(len=3 + len(inside)) / PPP(proto=0x21) / inside

    assert frame(right).key == frame(V4 / SYN, 101).key
    assert parsed(short) is Unparsed.BAD_LENGTH
    assert parsed(long) is Unparsed.BAD_LENGTH


def test_an_error_does_not_quote_what_stands_behind_the_packet() -> None:
    """The padding of a frame is nobody's: a packet in it must not make the error part of a connection."""
    four = bytes(ETHER / IP(len=28, proto=1) / ICMP(type=3, code=1)) + bytes(V4 / SYN)
    six = bytes(ETHER / IPv6(plen=8, nh=58) / ICMPv6DestUnreach()) + bytes(V6 / SYN)
    for data in (four, six):
        found = parse_frame(1, data, len(data))
        assert isinstance(found, Frame)
        assert found.quoted is None


def test_extension_headers_of_a_first_fragment_count_as_fragmented() -> None:
    """A later fragment that begins inside them overlaps the first (RFC 5722)."""
    inside = bytes([17] + [0] * 7) + bytes(UDP(sport=1, dport=2, len=400)) + bytes(16)
    found = frame(V6 / IPv6ExtHdrFragment(nh=60, m=1, id=1) / Raw(inside), 101)

    assert (found.fragment, found.dport, found.payload) == (FIRST_FRAGMENT, 2, len(inside))


def test_benign_options_are_stepped_over() -> None:
    assert frame(IP(options=b"\x07\x07\x04" + bytes(5)) / SYN, 101).dport == 443
    assert frame(IP(options=b"\x07\x07\x08" + bytes(5)) / SYN, 101).dport == 443
    assert frame(IP(options=b"\x44\x08\x05\x00" + bytes(4)) / SYN, 101).dport == 443
    assert frame(IP(options=b"\x44\x0c\x05\x01" + bytes(8)) / SYN, 101).dport == 443
    assert frame(IP(options=b"\x44\x08\x09\xe0" + bytes(4)) / SYN, 101).dport == 443
    assert frame(IP(options=b"\x94\x04\x00\x00") / SYN, 101).dport == 443
    assert frame(IP(options=b"\x01\x01\x00\xff") / SYN, 101).dport == 443


@pytest.mark.parametrize(("checksum", "state"), [(0, UNSET), (0x1234, WRONG)])
def test_a_wrong_header_checksum_is_told_apart_from_one_left_to_the_card(checksum: int, state: int) -> None:
    assert frame(IP(chksum=checksum) / SYN, 101).checksum == state
    assert frame(IP(chksum=checksum, options=b"\x01\x01\x01\x01") / SYN, 101).checksum == state


def test_ethernet_padding_does_not_belong_to_the_packet() -> None:
    assert frame(ETHER / V4 / UDP(sport=1, dport=2) / Raw(b"") / Raw(b"")).payload == 8
    padded = bytes(ETHER / V4 / UDP(sport=1, dport=2)) + bytes(18)
    found = parse_frame(1, padded, len(padded))
    assert isinstance(found, Frame)
    assert found.payload == 8


def test_fragments_are_told_apart() -> None:
    first = frame(IP(id=9, flags="MF") / UDP(sport=1, dport=2, len=4000) / bytes(1472), 101)
    later = frame(IP(id=9, proto=17, flags="MF", frag=185) / bytes(1480), 101)
    six = frame(V6 / IPv6ExtHdrFragment(offset=100, m=1, id=70000, nh=17) / bytes(800), 101)

    assert (first.fragment, first.dport, first.ident) == (FIRST_FRAGMENT, 2, 9)
    assert (later.fragment, later.offset, later.dport) == (LATER_FRAGMENT, 1480, 0)
    assert (six.fragment, six.offset, six.ident) == (LATER_FRAGMENT, 800, 70000)


ALL = [
    (1, ETHER / Dot1Q(vlan=3) / V4 / SYN / b"data"),
    (1, ETHER / PPPoE() / PPP(proto=0x21) / V4 / UDP() / b"data"),
    (1, ETHER / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(m=1) / UDP(len=100) / bytes(32)),
    (1, ETHER / IP(options=b"\x94\x04\x00\x00") / ICMP(type=3) / V4 / SYN),
    (1, ETHER / V4 / SCTP() / SCTPChunkInit()),
    (113, CookedLinux(proto=0x86DD) / V6 / ICMPv6EchoRequest(id=4)),
    (276, CookedLinuxV2(proto=0x0800) / V4 / SYN),
    (192, Raw(struct.pack("<BBHI", 0, 0, 8, 0)) / Loopback() / V4 / SYN),
]


@pytest.mark.parametrize(("linktype", "packet"), ALL)
def test_cut_at_every_byte_by_the_capture_it_is_truncated_or_says_the_same(
    linktype: int, packet: object
) -> None:
    data = bytes(packet)  # type: ignore[call-overload]
    whole = frame(packet, linktype)
    readable = 0
    for end in range(len(data)):
        cut = parse_frame(linktype, data[:end], len(data))
        if isinstance(cut, Frame):
            readable += 1
            assert cut._replace(truncated=False, quoted=None) == whole._replace(quoted=None)
            assert cut.truncated
        else:
            assert cut is Unparsed.TRUNCATED
    assert readable < len(data)


@pytest.mark.parametrize(("linktype", "packet"), ALL)
def test_ended_at_every_byte_by_its_sender_it_is_refused(linktype: int, packet: object) -> None:
    data = bytes(packet)  # type: ignore[call-overload]
    for end in range(len(data)):
        found = parse_frame(linktype, data[:end], end)
        assert isinstance(found, Unparsed), end
        assert found in MALFORMED, (end, found)


def test_cooked_headers_tell_the_direction() -> None:
    assert leaves(113, bytes(CookedLinux(pkttype=4) / V4)) is True
    assert leaves(113, bytes(CookedLinux(pkttype=0) / V4)) is False
    assert leaves(276, bytes(CookedLinuxV2(pkttype=4) / V4)) is True
    assert leaves(1, bytes(ETHER / V4)) is None
    assert leaves(113, b"\0\x04") is None
