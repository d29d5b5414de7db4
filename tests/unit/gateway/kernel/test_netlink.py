"""Netlink bytes made by hand → messages, attributes, errors; a length that lies is refused."""

from __future__ import annotations

import errno
import struct

import pytest

from gateway.kernel import netlink
from gateway.kernel.netlink import (
    DONE,
    DUMP_INTERRUPTED,
    ERROR,
    Answer,
    KernelRefused,
    MalformedNetlink,
    Message,
    decode_attributes,
    decode_messages,
    decode_netfilter,
    encode_attribute,
    encode_message,
    encode_nested,
    encode_netfilter,
    error_number,
    number,
)
from zones.errors import BackendError


def header(length: int, kind: int = 16, flags: int = 0, sequence: int = 1) -> bytes:
    return struct.pack("=IHHII", length, kind, flags, sequence, 0)


def test_a_datagram_holds_several_messages_each_aligned_to_four():
    datagram = header(17) + b"a" + bytes(3) + header(16, kind=17)
    assert list(decode_messages(datagram)) == [Message(16, 0, 1, 0, b"a"), Message(17, 0, 1, 0, b"")]


def test_the_last_message_needs_no_padding():
    assert [message.body for message in decode_messages(header(17) + b"a")] == [b"a"]


@pytest.mark.parametrize("length", [0, 15, 18, 0xFFFFFFFF])
def test_a_message_length_that_does_not_fit_is_refused(length):
    with pytest.raises(MalformedNetlink):
        list(decode_messages(header(length) + b"a"))


def test_bytes_behind_the_last_message_are_refused():
    with pytest.raises(MalformedNetlink):
        list(decode_messages(header(16) + b"abc"))


def test_what_we_encode_reads_back():
    body = encode_netfilter(2, 5, [encode_attribute(1, b"abc"), encode_nested(2, [encode_attribute(3, b"")])])
    (message,) = decode_messages(encode_message(0x401, 5, 9, body))
    assert (message.kind, message.flags, message.sequence) == (0x401, 5, 9)
    family, resource, attributes = decode_netfilter(message.body)
    assert (family, resource) == (2, 5)
    assert attributes[1] == b"abc"
    assert decode_attributes(attributes[2]) == {3: b""}


def test_an_attribute_is_laid_out_as_the_kernel_expects():
    assert encode_attribute(1, b"\xff") == struct.pack("=HH", 5, 1) + b"\xff\0\0\0"
    assert encode_netfilter(10, 0x0102) == b"\x0a\x00\x01\x02"


@pytest.mark.parametrize(
    "untrusted",
    [
        b"\x04",
        b"\x04\0\0",
        struct.pack("=HH", 3, 1),
        struct.pack("=HH", 5, 1),
        struct.pack("=HH", 0, 0),
        encode_attribute(1, b"a") + b"\0",
        encode_attribute(1, b"a") + encode_attribute(1, b"b"),
        encode_attribute(1, b"a") + encode_nested(1, []),
    ],
)
def test_attributes_that_do_not_fit_or_come_twice_are_refused(untrusted):
    with pytest.raises(MalformedNetlink):
        decode_attributes(untrusted)


@pytest.mark.parametrize("untrusted", [b"", b"\2\0\0", b"\2\1\0\0"])
def test_a_netfilter_body_that_is_short_or_of_another_version_is_refused(untrusted):
    with pytest.raises(MalformedNetlink):
        decode_netfilter(untrusted)


def test_integers_are_big_endian_and_of_one_size():
    assert number(b"\1\2", 2) == 0x102
    assert number(None, 2) is None
    with pytest.raises(MalformedNetlink):
        number(b"\1", 2)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (ERROR, struct.pack("=i", 0), 0),
        (ERROR, struct.pack("=i", -errno.EPERM) + bytes(16), errno.EPERM),
        (DONE, b"", 0),
        (DONE, struct.pack("=i", 0), 0),
    ],
)
def test_an_error_message_holds_the_errno_negated(kind, body, expected):
    assert error_number(Message(kind, 0, 1, 0, body)) == expected


@pytest.mark.parametrize("body", [b"", b"\0\0\0", struct.pack("=i", 1), struct.pack("=i", -4096)])
def test_an_error_message_with_another_number_is_refused(body):
    with pytest.raises(MalformedNetlink):
        error_number(Message(ERROR, 0, 1, 0, body))


def acknowledgement(value: int = 0, sequence: int = 1) -> bytes:
    return header(20, kind=ERROR, sequence=sequence) + struct.pack("=i", value)


def test_an_answer_is_complete_at_its_acknowledgement():
    answer = Answer(1, "ask")
    assert not answer.feed(header(16, kind=0x100))
    assert answer.feed(acknowledgement())
    assert [message.kind for message in answer.messages] == [0x100]


def test_an_answer_to_another_question_is_passed_over():
    answer = Answer(2, "ask")
    assert not answer.feed(acknowledgement(-errno.EPERM, sequence=1))
    assert answer.feed(acknowledgement(sequence=2))


def test_a_refusal_names_the_operation_and_the_errno():
    with pytest.raises(KernelRefused) as refused:
        Answer(1, "flush").feed(acknowledgement(-errno.EPERM))
    assert refused.value.number == errno.EPERM
    assert isinstance(refused.value, BackendError)
    assert refused.value.params["operation"] == "flush"


def test_a_dump_that_was_interrupted_says_so():
    answer = Answer(1, "dump")
    assert not answer.feed(header(16, kind=0x100, flags=DUMP_INTERRUPTED))
    assert answer.feed(header(20, kind=DONE) + bytes(4))
    assert answer.interrupted


def test_an_overrun_is_not_an_answer():
    with pytest.raises(MalformedNetlink):
        Answer(1, "dump").feed(header(16, kind=netlink.OVERRUN))
