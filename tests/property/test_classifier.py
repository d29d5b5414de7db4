"""Both forms of filter tables equal a linear scan over the rules, whatever the rules are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.tables import Box, Header, Rule, Tables
from zones.address import Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BITS = {4: 32, 6: 128}


def network(version: int, address: int, length: int) -> Network:
    host = (1 << (BITS[version] - length)) - 1
    return Network(version, address & ~host, address | host, length)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Prefixes that nest, touch and repeat: few bits vary, and these lie at byte borders and elsewhere."""
    version = draw(st.sampled_from([4, 6]))
    bits = BITS[version]
    length = draw(st.one_of(st.integers(0, bits), st.sampled_from([0, 8, bits // 2, bits - 1, bits])))
    address = draw(st.sampled_from([0, 10 << (bits - 8), 0x20010DB8 << (bits - 32), (1 << bits) - 1]))
    for _ in range(draw(st.integers(0, 3))):
        address ^= 1 << draw(st.integers(0, bits - 1))
    return network(version, address, length)


def ranges(top: int) -> st.SearchStrategy[tuple[int, int]]:
    edges = st.one_of(st.sampled_from([0, 1, 80, 1023, 1024, top]), st.integers(0, top))
    return st.one_of(
        st.just((0, top)),
        edges.map(lambda one: (one, one)),
        st.tuples(edges, edges).map(lambda pair: (min(pair), max(pair))),
    )


boxes = st.builds(
    lambda protocol, sport, dport: Box(protocol, *sport, *dport),
    st.sampled_from([None, 0, 1, 6, 17, 58, 255]),
    ranges(65535),
    ranges(65535),
)
label_sets = st.one_of(st.none(), st.frozensets(st.sampled_from([0, 1, 2, 3, 65535]), max_size=3))
prefix_lists = st.one_of(st.none(), st.lists(networks(), max_size=4).map(tuple))
rule_lists = st.lists(
    st.builds(
        Rule,
        services=st.lists(boxes, max_size=3).map(tuple),
        source_labels=label_sets,
        sources=prefix_lists,
        destination_labels=label_sets,
        destinations=prefix_lists,
    ),
    max_size=12,
)
label_maps = st.dictionaries(networks(), st.sampled_from([1, 2, 3, 65535]), max_size=5).map(
    lambda labels: list(labels.items())
)


def label_of(labels: Iterable[tuple[Network, int]], version: int, address: int) -> int:
    holding = [(net.length, label) for net, label in labels if net.holds(version, address)]
    return max(holding)[1] if holding else 0


def matches(rule: Rule, header: Header, source_label: int, destination_label: int) -> bool:
    def end(labels: frozenset[int] | None, nets: Sequence[Network] | None, label: int, address: int) -> bool:
        return (labels is None or label in labels) and (
            nets is None or any(net.holds(header.version, address) for net in nets)
        )

    return (
        end(rule.source_labels, rule.sources, source_label, header.source)
        and end(rule.destination_labels, rule.destinations, destination_label, header.destination)
        and any(
            box.protocol in (None, header.protocol)
            and box.sport_low <= header.sport <= box.sport_high
            and box.dport_low <= header.dport <= box.dport_high
            for box in rule.services
        )
    )


def edges(nets: Iterable[Network]) -> set[tuple[int, int]]:
    """Return the addresses at and right outside the borders of the prefixes."""
    found = {(version, address) for version, bits in BITS.items() for address in (0, (1 << bits) - 1)}
    for net in nets:
        top = (1 << BITS[net.version]) - 1
        near = (net.first - 1, net.first, net.last, net.last + 1)
        found |= {(net.version, address) for address in near if 0 <= address <= top}
    return found


@st.composite
def cases(
    draw: st.DrawFn,
) -> tuple[list[tuple[Network, int]], list[tuple[Network, int]], list[Rule], list[Header]]:
    sources, destinations, rules = draw(label_maps), draw(label_maps), draw(rule_lists)
    at_source = edges([net for net, _ in sources] + [net for rule in rules for net in rule.sources or ()])
    at_destination = edges(
        [net for net, _ in destinations] + [net for rule in rules for net in rule.destinations or ()]
    )
    ports = {0, 65535, 443} | {
        port & 0xFFFF
        for rule in rules
        for box in rule.services
        for low in box[1:]
        for port in (low - 1, low, low + 1)
    }
    protocols = [0, 6, 17, 47, 255]
    headers = []
    for _ in range(40):
        version = draw(st.sampled_from([4, 6]))
        anywhere = st.integers(0, (1 << BITS[version]) - 1)
        source, destination = (
            draw(st.one_of(st.sampled_from(sorted(a for v, a in near if v == version)), anywhere))
            for near in (at_source, at_destination)
        )
        protocol = draw(st.sampled_from(protocols))
        sport, dport = draw(st.sampled_from(sorted(ports))), draw(st.sampled_from(sorted(ports)))
        headers.append(Header(version, source, destination, protocol, sport, dport))
    return sources, destinations, rules, headers


@pytest.mark.parametrize("kind", ["bit-vectors", "class-pairs"])
@given(case=cases())
def test_tables_answer_as_a_scan_over_the_rules_does(kind, case):
    sources, destinations, rules, headers = case
    tables = Tables.build(sources, destinations, rules, kind=kind)
    assert tables.kind == kind
    for header, found in zip(headers, tables.classify(headers), strict=True):
        source = label_of(sources, header.version, header.source)
        destination = label_of(destinations, header.version, header.destination)
        wanted = [i for i, rule in enumerate(rules) if matches(rule, header, source, destination)]
        assert found.rule == (wanted[0] if wanted else None)
        assert tables.source_labels[found.source] == source
        assert tables.destination_labels[found.destination] == destination
        # The classes alone say which rules match.
        assert tables.all_matches(found.source, found.destination, found.service) == wanted
