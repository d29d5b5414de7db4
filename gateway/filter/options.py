"""Options of IPv4 and IPv6 headers: those the Linux kernel drops a packet for before it would forward it."""

from __future__ import annotations

from gateway.filter.frames import Unparsed, missing

_RECORD_ROUTE, _TIMESTAMP, _ALERT, _CIPSO = 7, 68, 148, 134
_POINTERS = {_RECORD_ROUTE: (3, 4), _TIMESTAMP: (4, 5)}  # smallest length, smallest pointer
_SOURCE_ROUTES = frozenset({131, 137})  # LSRR, SSRR: refused by every router that is asked to be safe
_PRESPECIFIED = 3
_WITH_ADDRESS = frozenset({1, _PRESPECIFIED})  # kinds of timestamp whose entries take eight bytes, not four


def bad_option(options: bytes) -> Unparsed | None:
    """Return why IPv4 options (RFC 791 3.1) are refused; what follows their end is not read."""
    at = 0
    seen = set()
    while at < len(options) and options[at] != 0:
        kind = options[at]
        if kind == 1:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            return Unparsed.BAD_OPTION
        if kind in _SOURCE_ROUTES:
            return Unparsed.SOURCE_ROUTE
        if kind in _POINTERS and (kind in seen or not _has_room(options[at : at + length])):
            return Unparsed.BAD_OPTION
        # RFC 2113 2.1; and a CIPSO label means nothing where no domain of interpretation is configured.
        if (kind == _ALERT and length < 4) or kind == _CIPSO:
            return Unparsed.BAD_OPTION
        seen.add(kind)
        at += length
    return None


def _has_room(option: bytes) -> bool:
    """Return whether a pointer is past the end of its option or leaves room for a whole entry."""
    smallest, first = _POINTERS[option[0]]
    if len(option) < smallest or option[2] < first:
        return False
    if option[2] <= len(option):
        entry = 8 if option[0] == _TIMESTAMP and option[3] & 15 in _WITH_ADDRESS else 4
        return option[2] + entry - 1 <= len(option)
    # A full timestamp counts the routers that had no room, to fifteen.
    return option[0] == _RECORD_ROUTE or option[3] & 15 == _PRESPECIFIED or option[3] >> 4 != 15


MAX_HOP_OPTIONS = 8
_PAD1, _PADN, _HOP_ALERT, _CALIPSO = 0, 1, 5, 7
_MAX_PADDING = 7  # RFC 4942 2.1.9.5: more than it takes to align a header may hide something


def bad_hop_options(data: bytes, at: int, end: int, wire: int) -> Unparsed | None:
    """Return why the hop-by-hop header (RFC 8200 4.3) at `at` of a packet that ends at `end` is refused."""
    size = (data[at + 1] + 1) * 8 if at + 1 < len(data) else 8
    if at + size > end:
        return Unparsed.BAD_EXTENSION
    if at + size > len(data):
        return missing(data, wire)
    return None if _may_pass(data[at + 2 : at + size]) else Unparsed.BAD_EXTENSION


def _may_pass(options: bytes) -> bool:
    at = known = padding = 0
    while at < len(options):
        kind = options[at]
        said = options[at + 1] if at + 1 < len(options) else 0xFF
        length = 1 if kind == _PAD1 else said + 2
        if at + length > len(options):
            return False
        if kind in (_PAD1, _PADN):
            padding += length
            if padding > _MAX_PADDING or any(options[at + 2 : at + length]):
                return False
        else:
            padding = 0
            known += 1
            if known > MAX_HOP_OPTIONS or not _forwarded(kind, length):
                return False
        at += length
    return True


def _forwarded(kind: int, length: int) -> bool:
    """Return whether a hop-by-hop option leaves its packet to be forwarded.

    RFC 8200 4.2: the two highest bits of an unknown kind say whether it may be skipped (they forbid a jumbo
    payload, RFC 2675, too: no link of ours has any). RFC 2711: an alert has two bytes. RFC 5570: a CALIPSO
    label means nothing where no domain of interpretation is configured.
    """
    return not kind >> 6 and kind != _CALIPSO and (kind != _HOP_ALERT or length == 4)
