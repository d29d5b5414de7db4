"""Address lists read in one linear pass, and written again only where the syntax is beyond doubt.

`email.utils.getaddresses` recurses on nested comments and takes seconds on long lists. Ours tokenises the
bytes, so that a comma inside an encoded word or a kanji separates nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sanitizers.mail.clean import clean_line
from sanitizers.mail.links import defang
from sanitizers.mail.words import decode_words

if TYPE_CHECKING:
    from sanitizers.mail.limits import Ledger

MAX_NAME_CHARACTERS = 200
_TOKEN = re.compile(
    rb"(?P<jis>\x1b\$[@B](?:(?!\x1b\().){0,400}(?:\x1b\([BJ])?)"
    rb'|(?P<quoted>"(?:[^"\\]|\\.)*+"?)'
    rb"|(?P<comment>\()"
    rb"|(?P<angle><[^<>]*+>?)"
    rb"|(?P<separator>[,;])"
    rb"|(?P<colon>:)"
    rb'|(?P<text>[^\x1b"(<,;:]++|.)',
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT_EDGE = re.compile(rb"[()\\]")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+)*", re.ASCII)
_LOOSE_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}", re.ASCII)
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\]", re.ASCII)
_ADDRESS_IN_NAME = re.compile(r"[\w.+\-]{1,64}@((?:[\w\-]{1,63}\.)+[A-Za-z]{2,})")


class Address(NamedTuple):
    """A display name and an address; `local` is empty when the address itself cannot be written."""

    name: str
    local: str
    domain: str

    def spec(self) -> str:
        """Return `local@domain`, quoted where RFC 5322 asks for it.

        Japanese carriers gave out addresses such as `a..b.@…`: no dot-atom, yet in use, hence quoted.
        """
        local = self.local if _ATOM.fullmatch(self.local) else f'"{self.local}"'
        return f"{local}@{self.domain}"


def parse_addresses(untrusted: bytes, ledger: Ledger, where: str) -> list[Address]:
    """Return the addresses of a header value, group names left out; never raises but for the limit.

    Raises:
        LimitExceeded: more than `max_addresses` in the mail.
    """
    out: list[Address] = []
    entry = _Entry()
    in_group = b";" in untrusted
    at = 0
    while match := _TOKEN.match(untrusted, at):
        at = match.end()
        kind = match.lastgroup
        if kind == "comment":
            at = _comment_end(untrusted, at)
            entry.comment += untrusted[match.end() : at - 1]
        elif kind == "separator" or (kind == "colon" and in_group and not entry.angle):
            entry = _finish(entry if kind == "separator" else _Entry(), out, ledger, where)
        else:
            entry.take(str(kind), match[0])
    _finish(entry, out, ledger, where)
    return out


def claims_other_domain(address: Address) -> bool:
    """Tell whether a display name shows an address of another domain: the oldest trick with names."""
    shown = _ADDRESS_IN_NAME.search(address.name.replace("[.]", "."))
    return shown is not None and bool(address.domain) and shown[1].lower() != address.domain.lower()


class _Entry:
    """The pieces of one address while its end has not been seen."""

    def __init__(self) -> None:
        self.phrase = b""
        self.bare = b""
        self.angle = b""
        self.comment = b""

    def take(self, kind: str, raw: bytes) -> None:
        if kind == "angle" and not self.angle:
            self.angle = raw
            return
        self.bare += raw
        self.phrase += _QUOTED_PAIR.sub(rb"\1", raw.strip(b'"')) if kind == "quoted" else raw


def _comment_end(untrusted: bytes, at: int) -> int:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(untrusted, at):
        if untrusted[edge.start() - 1 : edge.start()] == b"\\" or edge[0] == b"\\":
            continue
        depth += 1 if edge[0] == b"(" else -1
        if depth == 0:
            return edge.end()
    return len(untrusted) + 1


def _finish(entry: _Entry, out: list[Address], ledger: Ledger, where: str) -> _Entry:
    raw = entry.angle.strip(b"<>") if entry.angle else entry.bare
    name = entry.phrase if entry.angle else entry.comment
    if not raw.strip() and not name.strip():
        return _Entry()
    ledger.spend("max_addresses")
    local, domain = _split(raw)
    if not local:
        ledger.note("mail-note-addresses")
        name = name or raw
    shown = clean_line(decode_words(name.strip(), ledger, where), ledger, MAX_NAME_CHARACTERS)
    out.append(Address(defang(shown, ledger).strip("\"' "), local, domain))
    return _Entry()


def _split(raw: bytes) -> tuple[str, str]:
    try:
        text = "".join(raw.decode("utf-8").split())
    except UnicodeDecodeError:
        return "", ""
    if text.startswith("@"):
        text = text.partition(":")[2]  # an obsolete source route (RFC 5322 section 4.4)
    local, _, domain = text.rpartition("@")
    if len(local) > 2 and local[0] == local[-1] == '"':
        local = local[1:-1]
    domain = _ascii_domain(domain)
    if _LOOSE_LOCAL.fullmatch(local) and (_DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain)):
        return local, domain
    return "", ""


def _ascii_domain(domain: str) -> str:
    if domain.isascii() or len(domain) > 253:
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
