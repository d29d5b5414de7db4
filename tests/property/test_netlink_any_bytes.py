"""Whatever the bytes are, the netlink readers end, and raise only what says so."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.conntrack import decode_entry
from gateway.kernel.netlink import (
    Answer,
    KernelRefused,
    MalformedNetlink,
    decode_attributes,
    decode_messages,
    encode_attribute,
    encode_message,
    encode_netfilter,
)
from gateway.kernel.nflog import Record, decode_record

# Random bytes seldom get past the first length: these do, and lie further in.
attributes = st.recursive(
    st.builds(encode_attribute, st.integers(0, 30), st.binary(max_size=24)),
    lambda inner: st.builds(
        lambda kind, parts: encode_attribute(kind, b"".join(parts)),
        st.integers(0, 30),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)
nearly = st.builds(
    lambda family, parts, cut: encode_netfilter(family, 5, parts)[
        : len(encode_netfilter(family, 5, parts)) - cut
    ],
    st.sampled_from([0, 2, 10]),
    st.lists(attributes, max_size=8),
    st.integers(0, 3),
)
bodies = st.one_of(st.binary(max_size=200), nearly)


@given(st.binary(max_size=400))
def test_any_datagram_is_messages_or_malformed(untrusted):
    try:
        messages = list(decode_messages(untrusted))
    except MalformedNetlink:
        return
    assert sum(len(message.body) + 16 for message in messages) <= len(untrusted)


@given(bodies)
def test_any_bytes_are_attributes_or_malformed(untrusted):
    try:
        found = decode_attributes(untrusted)
    except MalformedNetlink:
        return
    assert sum(len(value) + 4 for value in found.values()) <= len(untrusted)


@given(bodies)
def test_any_body_is_a_log_record_or_malformed(untrusted):
    try:
        record = decode_record(untrusted)
    except MalformedNetlink:
        return
    assert isinstance(record, Record)
    record.prefix.encode()


@given(bodies)
def test_any_body_is_a_connection_or_malformed(untrusted):
    try:
        decode_entry(untrusted)
    except MalformedNetlink:
        return


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                lambda kind, flags, value: encode_message(kind, flags, 1, struct.pack("=i", value)),
                st.sampled_from([1, 2, 3, 4, 0x100]),
                st.integers(0, 0xFFFF),
                st.integers(-5000, 5000),
            ),
        ),
        max_size=4,
    )
)
def test_any_datagrams_are_an_answer_or_an_error_of_ours(datagrams):
    answer = Answer(1, "ask")
    try:
        for datagram in datagrams:
            if answer.feed(datagram):
                break
    except (MalformedNetlink, KernelRefused):
        return


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=50), max_size=10))
def test_attributes_written_are_attributes_read(values):
    encoded = b"".join(encode_attribute(kind, value) for kind, value in values.items())
    assert decode_attributes(encoded) == values
