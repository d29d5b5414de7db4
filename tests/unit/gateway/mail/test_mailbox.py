"""Addresses: what RFC 5321 and 6531 allow, what Japanese carriers gave out, and what attackers try."""

from __future__ import annotations

import pytest

from gateway.mail.mailbox import parse_helo, parse_mailbox, parse_path

GOOD = [
    "a@x.example",
    "first.last+tag@sub.x.example",
    "!#$%&'*+/=?^_`{|}~-@x.example",
    '"quoted local"@x.example',
    r'"with \" and \\"@x.example',
    '"a>b"@x.example',
    "a@[192.0.2.1]",
    "a@[IPv6:2001:db8::1]",
    "taro..yamada.@carrier.example",
    "山田太郎@例え.example",
    "a@xn--r8jz45g.example",
    "a" * 64 + "@x.example",
]
BAD = [
    "",
    "a",
    "a@",
    "@x.example",
    "a b@x.example",
    "a@x example",
    ".a@x.example",
    "a@x..example",
    "a@.example",
    "a@x.example.",
    "a@-x.example",
    "a@x-.example",
    "a@x_y.example",
    '"open@x.example',
    '"a"b@x.example',
    "a@[192.0.2]",
    "a@[192.0.2.1",
    "a@[IPv6:fe80::1%eth0]",
    "a@[evil]",
    "a" * 65 + "@x.example",
    "a@" + "b" * 64 + ".example",
    "a@" + "b." * 130 + "example",
    "a\r\nRCPT TO:<z@z>@x.example",
    "a\0@x.example",
    "a<b@x.example",
    "a@b@x.example",
    "a\u202eb@x.example",
    "a@x\u200d.example",
    "a@e\u0301.example",  # not in normal form
    "@hop.example:a@x.example",
    "a%b@c@x.example",
]


@pytest.mark.parametrize("text", GOOD)
def test_an_address_is_taken_as_it_is(text: str) -> None:
    assert str(parse_mailbox(text)) == text
    assert str(parse_path(b"<" + text.encode() + b">").mailbox) == text


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_mailbox(text)


@pytest.mark.parametrize("raw", [b"<>", b"<postmaster>"])
def test_special_paths_only_where_they_belong(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_path(raw)
    assert parse_path(raw, null_allowed=True, bare_postmaster=True)


def test_a_path_over_256_octets_is_refused() -> None:
    domain = ".".join(["b" * 60] * 3)
    assert parse_path(b"<" + b"a" * 60 + b"@" + domain.encode() + b">")
    with pytest.raises(ValueError):
        parse_path(b"<" + b"a" * 60 + b"@" + f"{domain}.{'c' * 60}".encode() + b">")


def test_a_quoted_bracket_does_not_end_the_path() -> None:
    path = parse_path(b'<"a>b"@x.example> SIZE=1')
    assert path.mailbox.local == '"a>b"'
    assert path.parameters == {"SIZE": "1"}


@pytest.mark.parametrize("raw", [b"host name", b"", b"-", b"h\xc3\xa9.example", b"[x]", b"a\tb", b"a" * 300])
def test_a_helo_that_could_harm_a_trace_line_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_helo(raw)
