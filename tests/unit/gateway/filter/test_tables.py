"""Rules as tables: what is built, what is refused, and what the labels of an address say."""

from __future__ import annotations

import pytest

from gateway.filter._native import ffi, lib
from gateway.filter.tables import Box, Header, Match, Rule, Tables
from zones.address import Network, parse_address, parse_network
from zones.errors import ConfigurationError

KINDS = ("bit-vectors", "class-pairs")
HTTPS = (Box(6, dport_low=443, dport_high=443),)
ZONES = [(parse_network("10.0.0.0/8"), 1), (parse_network("10.20.0.0/16"), 2), (parse_network("fd00::/8"), 2)]


def header(source: str, destination: str, protocol: int = 6, sport: int = 40000, dport: int = 443) -> Header:
    version, one = parse_address(source)
    return Header(version, one, parse_address(destination)[1], protocol, sport, dport)


def rule_of(tables: Tables, asked: Header) -> int | None:
    return tables.classify([asked])[0].rule


@pytest.mark.parametrize("kind", KINDS)
class TestOneTable:
    def test_the_first_of_the_matching_rules_decides(self, kind):
        rules = [Rule(HTTPS, sources=(parse_network("10.20.0.0/16"),)), Rule(HTTPS), Rule()]
        tables = Tables.build([], [], rules, kind=kind)
        assert rule_of(tables, header("10.20.1.1", "198.51.100.1")) == 0
        assert rule_of(tables, header("10.30.1.1", "198.51.100.1")) == 1
        assert rule_of(tables, header("10.20.1.1", "198.51.100.1", dport=80)) == 2
        (found,) = tables.classify([header("10.20.1.1", "198.51.100.1")])
        assert tables.all_matches(*found[:3]) == [0, 1, 2]

    def test_the_longest_prefix_gives_an_address_its_label(self, kind):
        tables = Tables.build(ZONES, ZONES, [Rule(source_labels=frozenset({2}))], kind=kind)
        for source, label, rule in [
            ("10.20.255.255", 2, 0),
            ("10.21.0.0", 1, None),
            ("192.0.2.1", 0, None),
            ("fd12::1", 2, 0),
            ("2001:db8::1", 0, None),
        ]:
            (found,) = tables.classify([header(source, "::1" if ":" in source else "192.0.2.9")])
            assert (tables.source_labels[found.source], found.rule) == (label, rule)

    def test_a_rule_may_ask_for_label_and_prefix_together(self, kind):
        inside = Rule(HTTPS, frozenset({1}), (parse_network("10.16.0.0/12"),))
        tables = Tables.build(ZONES, [], [inside], kind=kind)
        assert rule_of(tables, header("10.21.0.1", "192.0.2.1")) == 0
        assert rule_of(tables, header("10.20.0.1", "192.0.2.1")) is None
        assert rule_of(tables, header("10.32.0.1", "192.0.2.1")) is None

    def test_an_icmp_type_is_asked_for_as_destination_port(self, kind):
        echo = Rule((Box(1, dport_low=8, dport_high=8),))
        tables = Tables.build([], [], [echo], kind=kind)
        assert rule_of(tables, header("10.0.0.1", "10.0.0.2", 1, sport=0, dport=8)) == 0
        assert rule_of(tables, header("10.0.0.1", "10.0.0.2", 1, sport=8, dport=0)) is None
        assert rule_of(tables, header("10.0.0.1", "10.0.0.2", 58, sport=0, dport=8)) is None

    def test_no_rules_match_nothing(self, kind):
        tables = Tables.build([], [], [], kind=kind)
        assert tables.classify([header("10.0.0.1", "10.0.0.2")]) == [Match(0, 0, 0, None)]
        assert tables.all_matches(0, 0, 0) == []
        with pytest.raises(IndexError):
            tables.all_matches(0, 0, 1)

    def test_empty_lists_match_nothing(self, kind):
        rules = [Rule(()), Rule(sources=()), Rule(destination_labels=frozenset())]
        assert rule_of(Tables.build([], [], rules, kind=kind), header("10.0.0.1", "10.0.0.2")) is None

    def test_batches_of_every_length_agree_with_single_questions(self, kind):
        nets = [Network(4, 10 << 24 | n << 8, 10 << 24 | n << 8 | 255, 24) for n in range(97)]
        tables = Tables.build([], [], [Rule(HTTPS, sources=(net,)) for net in nets], kind=kind)
        asked = [
            header(f"10.0.{n}.7" if n % 3 else f"fd00::{n}", "::1" if n % 3 == 0 else "192.0.2.1")
            for n in range(99)
        ]
        single = [tables.classify([one])[0] for one in asked]
        for count in (0, 1, 7, 8, 9, 63, 64, 65, 99):
            assert tables.classify(asked[:count]) == single[:count]

    def test_the_baseline_answers_as_the_best_instruction_set_does(self, kind):
        nets = [Network(4, n << 13, (n << 13) + 8191, 19) for n in range(200)]
        tables = Tables.build([], [], [Rule(HTTPS, destinations=(net,)) for net in nets], kind=kind)
        asked = [Header(4, n * 7919, n * 6007 + 4095, 6, n, 442 + n % 2) for n in range(300)]
        try:
            assert lib.mg_classify_level(1) == 1
            baseline = tables.classify(asked)
        finally:
            lib.mg_classify_level(0)
        assert tables.classify(asked) == baseline

    def test_tables_past_their_limit_are_an_error_and_not_an_attempt(self, kind):
        with pytest.raises(ConfigurationError) as refused:
            Tables.build(ZONES, ZONES, [Rule(HTTPS)], kind=kind, max_bytes=100_000)
        assert refused.value.code == "tables-too-large"

    def test_services_without_number_are_an_error(self, kind):
        one_port_each = tuple(
            Box(6, sport_low=n, sport_high=n, dport_low=n, dport_high=n) for n in range(8000)
        )
        with pytest.raises(ConfigurationError) as refused:
            Tables.build([], [], [Rule((box,)) for box in one_port_each], kind=kind)
        assert refused.value.code == "tables-too-large"


def test_the_kind_goes_by_size():
    few = [Rule(HTTPS, sources=(Network(4, n << 8, (n << 8) + 255, 24),)) for n in range(100)]
    assert Tables.build([], [], few).kind == "bit-vectors"


@pytest.mark.parametrize(
    ("labels", "rule", "error"),
    [
        ([(Network(5, 0, 0, 32), 1)], Rule(), "MG_BAD_PREFIX"),
        ([(Network(4, 0, 0, 33), 1)], Rule(), "MG_BAD_PREFIX"),
        ([(Network(4, 1, 1, 31), 1)], Rule(), "MG_BAD_PREFIX"),
        ([(Network(4, 1 << 32, 1 << 32, 32), 1)], Rule(), "MG_BAD_PREFIX"),
        ([(Network(6, 1, 1, 64), 1)], Rule(), "MG_BAD_PREFIX"),
        ([(Network(4, 0, 0, 32), 65536)], Rule(), "MG_BAD_LABEL"),
        ([(Network(4, 0, 0, 32), 1), (Network(4, 0, 0, 32), 2)], Rule(), "MG_BAD_LABEL"),
        ([], Rule(source_labels=frozenset({65536})), "MG_BAD_LABEL"),
        ([], Rule((Box(257),)), "MG_BAD_SERVICE"),
        ([], Rule((Box(6, 2, 1),)), "MG_BAD_SERVICE"),
        ([], Rule((Box(6, dport_low=2, dport_high=1),)), "MG_BAD_SERVICE"),
    ],
)
def test_what_is_no_rule_is_refused_by_name(labels, rule, error):
    with pytest.raises(ValueError, match=error):
        Tables.build(labels, [], [rule])


def test_references_to_sets_that_are_not_there_are_refused():
    offsets = ffi.new("uint32_t[]", [0])
    none = {"offsets": offsets, "count": 0, "items": 0}
    rules = ffi.new("struct mg_rule[]", [[lib.MG_ANY, 5, lib.MG_ANY, lib.MG_ANY, 0]])
    policy = ffi.new(
        "struct mg_policy *",
        {
            "prefix_sets": none,
            "label_sets": none,
            "service_sets": none,
            "rules": rules,
            "rule_count": 1,
            "max_bytes": 1 << 20,
        },
    )
    made = ffi.new("struct mg_tables **")
    assert lib.mg_tables_build(policy, made) == lib.MG_BAD_REFERENCE
    assert made[0] == ffi.NULL
