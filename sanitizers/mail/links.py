"""Links as text nobody can click by accident, and what is odd about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sanitizers.mail.clean import clean_line

if TYPE_CHECKING:
    from sanitizers.mail.limits import Ledger

MAX_LINK_CHARACTERS = 2_000
# Written out so that it is read, but inert: no program makes a link of `hxxps[:]//`.
_SCHEMES = {"http": "hxxp", "https": "hxxps", "ftp": "fxp"}
_MAX_SHOWN = 300
_WWW = re.compile(r"(?<![\w.\[])([wW]{3}\d{0,3})\.(?=[\w\-])")
# Outlook makes a link of \\server\share, and opening it sends the user's credentials there.
_UNC = re.compile(r"(?<![\\\]])\\\\(?=[\w\-.]+[\\@])")
_SHOWN_HOST = re.compile(
    r"(?:[a-z][a-z0-9+.\-]*://|//)?(?:[^\s/@]*@)?((?:[\w\-]+\.)+[^\W\d_]{2,})(?::\d+)?(?=[/?#\s]|$)",
    re.IGNORECASE,
)
_WEB = frozenset({"http", "https", "ftp"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")


def defang(text: str, ledger: Ledger) -> str:
    """Return the text without live links: `https://` becomes `hxxps[:]//`. Doing it twice changes nothing."""
    pieces = text.split("://")
    text = "[:]//".join([*map(_inert_scheme, pieces[:-1]), pieces[-1]])
    text, names = _WWW.subn(r"\1[.]", text)
    text, shares = _UNC.subn(r"\\[\\]", text)
    ledger.note("mail-note-links", len(pieces) - 1 + names + shares)
    return text


def describe_link(shown: str, href: str, ledger: Ledger) -> str:
    """Return what to write after the shown text of a link: its target if it says more than the text does.

    The result still holds `https://`; it is defanged with the rest of the body.
    """
    target = "".join(href.split())
    scheme = (_SCHEME.match(target) or ("", ""))[1].lower()
    if not target or target.startswith("#"):
        return ""
    if scheme == "mailto":
        address = target[7:].partition("?")[0]
        return "" if address.lower() in shown.lower() else f" <{address}>"
    if scheme == "tel":
        return ""
    if scheme not in _WEB and not target.startswith("//"):
        return _inert(scheme, target, ledger)
    return _web_link(shown, target, ledger)


def _inert_scheme(before: str) -> str:
    for scheme, inert in _SCHEMES.items():
        if before[-len(scheme) :].lower() == scheme and not before[-len(scheme) - 1 : -len(scheme)].isalnum():
            return before[: -len(scheme)] + inert
    return before


def _inert(scheme: str, target: str, ledger: Ledger) -> str:
    # javascript:, data:, file:, relative and UNC targets lead nowhere a reader of text could want to go.
    kind = scheme or ("unc" if target.startswith("\\\\") else "relative")
    ledger.note("mail-note-inert-links", 1, kind)
    return " " + ledger.voice.mark("mail-mark-inert-link", kind=kind)


def _web_link(shown: str, target: str, ledger: Ledger) -> str:
    host = _host(target)
    remarks = ""
    claimed = _SHOWN_HOST.match(shown.strip()[:_MAX_SHOWN])
    if claimed and _bare(claimed[1]) != _bare(host):
        ledger.note("mail-note-link-mismatch", 1, host)
        remarks += ledger.voice.mark("mail-mark-link-mismatch")
    other = clean_line(other_spelling(host), ledger, _MAX_SHOWN)
    if other:
        ledger.note("mail-note-idn-links", 1, host)
        remarks += ledger.voice.mark("mail-mark-idn-link", other=other)
    if not remarks and shown.strip().rstrip("/") == target.rstrip("/"):
        return ""
    return f" <{target[:MAX_LINK_CHARACTERS]}>{remarks}"


def other_spelling(host: str) -> str:
    """Return the Unicode form of an `xn--` host, the `xn--` form of a Unicode one, or "" for a plain one."""
    if len(host) > 253:
        return ""
    try:
        if not host.isascii():
            return host.encode("idna").decode("ascii")
        if "xn--" in host:
            return ".".join(_unicode_label(label) for label in host.split("."))
    except UnicodeError:
        return "?"
    return ""


def _unicode_label(label: str) -> str:
    # A label is at most 63 bytes: punycode is quadratic, and harmless at that length.
    if label.startswith("xn--") and len(label) <= 63:
        return label[4:].encode("ascii").decode("punycode")
    return label


def _host(target: str) -> str:
    try:
        return (urlsplit(target).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _bare(host: str) -> str:
    return host.lower().rstrip(".").removeprefix("www.")
