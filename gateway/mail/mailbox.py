"""Addresses of an envelope: RFC 5321 section 4.1.2 and RFC 6531, read strictly.

What is taken goes out again in commands to the next host, so nothing is passed on that we did not
understand: no source routes (RFC 5321 appendix F.2, once a way around relay rules), no control characters,
no parameters that nobody asked for. One kindness: consecutive and trailing dots in the local part, which
Japanese mobile carriers gave out for years (`foo..bar.@example.ne.jp`) and people still use.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import NamedTuple

MAX_LOCAL_BYTES = 64  # RFC 5321 4.5.3.1.1
MAX_DOMAIN_BYTES = 255  # RFC 5321 4.5.3.1.2
MAX_PATH_BYTES = 256  # RFC 5321 4.5.3.1.3, with the angle brackets
MAX_LABEL_BYTES = 63  # RFC 1035 2.3.4

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_DOT_STRING = re.compile(rf"[{_ATEXT}\u0080-\U0010ffff][{_ATEXT}.\u0080-\U0010ffff]*\Z")
_QUOTED_STRING = re.compile(r'"(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*"\Z')
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-\xff]+))?\Z")
# Helo names in the wild hold underscores; they go into our trace line, so nothing wilder may.
_HELO = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9.])?\Z")

# Unicode general categories of a host label (letters, marks, digits): PRECIS would allow little more.
_LABEL_CATEGORIES = frozenset({"Ll", "Lu", "Lo", "Lm", "Mn", "Mc", "Nd", "Pd"})
_BARRED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})


class Mailbox(NamedTuple):
    """A local part and a domain; both empty for the null sender `<>`, no domain for `<postmaster>`."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def is_null(self) -> bool:
        """Whether this is the null reverse-path: nobody may be told of what becomes of it."""
        return not self.local

    @property
    def needs_utf8(self) -> bool:
        """Whether only a host with SMTPUTF8 can be given this address."""
        return not str(self).isascii()


class Path(NamedTuple):
    """What MAIL FROM: or RCPT TO: carried: a mailbox and the parameters after it, names in upper case."""

    mailbox: Mailbox
    parameters: dict[str, str | None]


def parse_path(untrusted: bytes, *, null_allowed: bool = False, bare_postmaster: bool = False) -> Path:
    """Return the path and parameters of a MAIL or RCPT command, after its colon.

    Raises:
        ValueError: not a path of RFC 5321, over a limit of its section 4.5.3.1, or a repeated parameter.

    >>> parse_path(b"<a@city.example> SIZE=10 SMTPUTF8")
    Path(mailbox=Mailbox(local='a', domain='city.example'), parameters={'SIZE': '10', 'SMTPUTF8': None})
    """
    text, rest = _split_path(untrusted.lstrip(b" "))
    if len(text) + 2 > MAX_PATH_BYTES:
        raise ValueError("path too long")
    return Path(_mailbox(text, null_allowed, bare_postmaster), _parameters(rest))


def parse_mailbox(text: str) -> Mailbox:
    """Return an address written `local@domain`.

    Raises:
        ValueError: it is none.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        raise ValueError("no @")
    return Mailbox(_local(local), _domain(domain))


def parse_helo(untrusted: bytes) -> str:
    """Return the name a client gives itself: a host name or an address literal.

    Raises:
        ValueError: neither.
    """
    text = untrusted.decode("ascii")
    if text.startswith("["):
        return _domain(text)
    if not _HELO.match(text):
        raise ValueError("not a host name")
    return text


def _split_path(untrusted: bytes) -> tuple[bytes, bytes]:
    """Cut at the `>` that ends the path: one inside a quoted local part does not."""
    if not untrusted.startswith(b"<"):
        raise ValueError("no <")
    quoted = escaped = False
    for position, byte in enumerate(untrusted):
        if escaped:
            escaped = False
        elif byte == 0x5C and quoted:
            escaped = True
        elif byte == 0x22:
            quoted = not quoted
        elif byte == 0x3E and not quoted:
            return untrusted[1:position], untrusted[position + 1 :]
    raise ValueError("no >")


def _mailbox(untrusted: bytes, null_allowed: bool, bare_postmaster: bool) -> Mailbox:
    text = untrusted.decode("utf-8")
    if not text and null_allowed:
        return Mailbox("", "")
    # RFC 5321 4.1.1.3: the one address without a domain.
    if bare_postmaster and text.lower() == "postmaster":
        return Mailbox(text, "")
    return parse_mailbox(text)


def _local(text: str) -> str:
    if not text or len(text.encode()) > MAX_LOCAL_BYTES:
        raise ValueError("local part empty or too long")
    if not (_QUOTED_STRING if text.startswith('"') else _DOT_STRING).match(text):
        raise ValueError("not a local part")
    if any(unicodedata.category(c) in _BARRED_CATEGORIES for c in text if not c.isascii()):
        raise ValueError("invisible characters in the local part")
    return text


def _domain(text: str) -> str:
    if text.startswith("["):
        return _literal(text)
    if not text or len(text.encode()) > MAX_DOMAIN_BYTES:
        raise ValueError("domain empty or too long")
    for label in text.split("."):
        _check_label(label)
    return text


def _check_label(label: str) -> None:
    if label.isascii():
        if not _LABEL.match(label) or len(label) > MAX_LABEL_BYTES:
            raise ValueError("not a host label")
        return
    if len(label.encode()) > MAX_LABEL_BYTES or unicodedata.normalize("NFC", label) != label:
        raise ValueError("label too long, or not in normal form")
    if any(unicodedata.category(c) not in _LABEL_CATEGORIES for c in label):
        raise ValueError("characters that no host label holds")


def _literal(text: str) -> str:
    if not text.endswith("]"):
        raise ValueError("no ]")
    inner = text[1:-1]
    if inner[:5].lower() == "ipv6:":
        if "%" in inner:
            raise ValueError("scoped address")
        ipaddress.IPv6Address(inner[5:])
    else:
        ipaddress.IPv4Address(inner)
    return text


def _parameters(untrusted: bytes) -> dict[str, str | None]:
    if untrusted and not untrusted.startswith(b" "):
        raise ValueError("no space after the path")
    parameters: dict[str, str | None] = {}
    for word in untrusted.split():
        match = _PARAMETER.match(word)
        if not match:
            raise ValueError("not a parameter")
        name = match[1].decode("ascii").upper()
        if name in parameters:
            raise ValueError("parameter given twice")
        parameters[name] = None if match[2] is None else match[2].decode("utf-8")
    return parameters
