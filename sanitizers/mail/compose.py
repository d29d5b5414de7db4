"""A tree of parts to one text: what each kind of part becomes, as a table.

Text and HTML become text; mails inside stand quoted; everything else is listed with its name, size and
digest, and does not cross. Encrypted mails and pieces of mails are refused: nobody can say what is in them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sanitizers.artefact import Removed
from sanitizers.mail.calendar import calendar_to_text
from sanitizers.mail.charset import canonical_charset, decode_text
from sanitizers.mail.clean import clean_line, clean_text
from sanitizers.mail.difference import is_material
from sanitizers.mail.embedded import MAX_NAME_CHARACTERS, take_embedded_files
from sanitizers.mail.html import html_to_text
from sanitizers.mail.words import decode_words
from zones.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sanitizers.mail.limits import Ledger
    from sanitizers.mail.reading import Part

_QUOTED_HEADERS = ("from", "to", "cc", "date", "subject")
_MAX_HEADER_CHARACTERS = 2_000
_PGP = re.compile(r"^-----BEGIN PGP MESSAGE-----\s*$", re.MULTILINE)
_DANGEROUS = re.compile(
    r"\.(?:exe|scr|com|pif|bat|cmd|cpl|msi|jar|js|jse|vbs|vbe|wsf|wsh|ps1|hta|lnk|url|reg|dll|iso|img|vhd|one"
    r"|docm|xlsm|pptm|xlam|xlsb|chm|html?|svg)$",
    re.IGNORECASE,
)


@dataclass(kw_only=True)
class Composer:
    """Turns parts into text; the ledger records the rest."""

    ledger: Ledger

    def text_of(self, part: Part) -> str:
        """Return the text of a part and all below it.

        Raises:
            Unreadable: encrypted, or a piece of a mail that is elsewhere.
            LimitExceeded: more text than `max_text_bytes`.
        """
        if part.disposition.value == "attachment" and not part.media_type.startswith("multipart/"):
            _refuse_encrypted_attachment(part)
            return self._listed(part)
        render = _RENDER.get(part.media_type)
        if render is None:
            render = _RENDER_MAJOR.get(part.media_type.partition("/")[0], Composer._listed)
        text = render(self, part)
        self.ledger.require("max_text_bytes", len(text.encode("utf-8", "replace")))
        return text

    def _decoded(self, part: Part) -> str:
        if not part.is_decoded and not part.content.isascii():
            return self._listed(part)
        declared = clean_line(part.content_type.first("charset"), self.ledger, 60)
        decoded = decode_text(part.content, declared)
        if declared and not canonical_charset(declared):
            self.ledger.note("mail-note-unknown-charset", 1, declared)
        self.ledger.record_charset(part.media_type, declared, decoded)
        if decoded.replaced:
            self.ledger.note("mail-note-damaged-text", decoded.replaced)
        return decoded.text

    def _plain(self, part: Part) -> str:
        text = take_embedded_files(clean_text(self._decoded(part), self.ledger), self.ledger)
        if _PGP.search(text):
            raise Unreadable("mail-encrypted", detail="PGP")
        return text.rstrip("\n")

    def _html(self, part: Part) -> str:
        self.ledger.note("mail-note-html")
        return take_embedded_files(html_to_text(self._decoded(part), self.ledger), self.ledger)

    def _calendar(self, part: Part) -> str:
        summary = calendar_to_text(self._decoded(part), self.ledger)
        return "\n".join(filter(None, (summary, self._listed(part))))

    def _mixed(self, part: Part) -> str:
        return "\n\n".join(filter(None, (self.text_of(child) for child in part.children)))

    def _alternative(self, part: Part) -> str:
        """Return the plain text; beside it whatever says something else (threat: one shown, one scanned)."""
        texts = [(child, self.text_of(child)) for child in part.children]
        plain = next((text for child, text in texts if child.media_type == "text/plain" and text.strip()), "")
        if not plain:
            return "\n\n".join(text for _, text in texts if text.strip())
        out = [plain]
        for child, text in texts:
            if child.media_type == "text/plain" or not text.strip():
                out += [text] if text.strip() and text != plain else []
            elif child.media_type == "text/calendar":
                out.append(text)
            elif is_material(plain, text):
                self.ledger.note("mail-note-alternative-differs")
                out += [self.ledger.voice.mark("mail-mark-alternative"), text]
        return "\n\n".join(out)

    def _related(self, part: Part) -> str:
        # RFC 2387: the root is the part named by `start`, or the first; the others are its pictures.
        start = part.content_type.first("start").strip("<> ")
        named = (child for child in part.children if start and _content_id(child) == start)
        return self._first_then_rest(part, next(named, None))

    def _signed(self, part: Part) -> str:
        self.ledger.note("mail-note-signature")
        return self._first_then_rest(part, None)

    def _first_then_rest(self, part: Part, root: Part | None) -> str:
        root = root or (part.children[0] if part.children else None)
        if root is None:
            return ""
        rest = (self.text_of(child) for child in part.children if child is not root)
        return "\n\n".join(filter(None, (self.text_of(root), *rest)))

    def _message(self, part: Part) -> str:
        if not part.children:
            return self._listed(part)
        quoted = [self._quoted_message(child) for child in part.children]
        return "\n\n".join([self.ledger.voice.mark("mail-mark-message"), *quoted])

    def _quoted_message(self, message: Part) -> str:
        lines = [f"{label}: {text}" for label, text in self._shown_headers(message)]
        lines += ["", *self.text_of(message).split("\n")]
        return "\n".join(f"> {line}".rstrip() for line in lines)

    def _shown_headers(self, message: Part) -> list[tuple[str, str]]:
        found = ((name, message.header(name)) for name in _QUOTED_HEADERS)
        return [(name.capitalize(), self._header_text(name, value)) for name, value in found if value]

    def _header_text(self, name: str, value: bytes) -> str:
        return clean_line(decode_words(value, self.ledger, name), self.ledger, _MAX_HEADER_CHARACTERS)

    def _report(self, part: Part) -> str:
        """Return the fields of a delivery status or disposition notification (RFC 3464, RFC 8098)."""
        groups = []
        for child in part.children:
            fields = [f"{name.title()}: {self._header_text(name, value)}" for name, value in child.headers]
            rest = clean_text(decode_text(child.content).text, self.ledger).strip()
            groups.append("\n".join(filter(None, (*fields, rest))))
        return "\n\n".join(filter(None, groups))

    def _encrypted(self, part: Part) -> str:
        raise Unreadable("mail-encrypted", detail=part.media_type)

    def _piece(self, part: Part) -> str:
        raise Unreadable("mail-refused-type", detail=part.media_type)

    def _listed(self, part: Part) -> str:
        """List a part and all below it; nothing of it crosses."""
        content = part.content
        if part.children:
            # Its bytes are gone with the reading: count and hash what its parts hold.
            content = b"".join(_all_content(part))
        names = part.names()
        if len(names) > 1:
            self.ledger.note("mail-note-names-differ", 1, clean_line(" / ".join(names), self.ledger, 200))
        self.ledger.remove(
            Removed(
                kind="attachment",
                name=self._safe_name(names),
                media_type=part.media_type,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                reason="mail-removed-attachment",
            )
        )
        return ""

    def _safe_name(self, names: tuple[str, ...]) -> str:
        # Where readings differ, the most dangerous one counts: some reader will choose it.
        dangerous = (name for name in names if _DANGEROUS.search(name.rstrip(". ")))
        chosen = next(dangerous, next(iter(names), ""))
        line = clean_line(chosen, self.ledger, 10_000).replace("/", "_").replace("\\", "_")
        if len(line) <= MAX_NAME_CHARACTERS:
            return line
        stem, dot, extension = line.rpartition(".")
        ending = dot + extension if stem and len(extension) <= 10 else ""
        return line[: MAX_NAME_CHARACTERS - len(ending) - 1] + "…" + ending


def _refuse_encrypted_attachment(part: Part) -> None:
    if part.media_type in _ENCRYPTED:
        raise Unreadable("mail-encrypted", detail=part.media_type)


def _content_id(part: Part) -> str:
    return part.header("content-id").decode("latin-1").strip("<> ")


def _all_content(part: Part) -> list[bytes]:
    return [part.content, *(content for child in part.children for content in _all_content(child))]


# An opaque signature (smime-type=signed-data) wraps the whole text in DER: unread, it is as closed as a
# cipher, and refused like one.
_ENCRYPTED = frozenset(
    {
        "application/pkcs7-mime",
        "application/x-pkcs7-mime",
        "application/pgp-encrypted",
        "multipart/encrypted",
    }
)
_RENDER: Mapping[str, Callable[[Composer, Part], str]] = {
    "text/plain": Composer._plain,
    "text/html": Composer._html,
    "text/calendar": Composer._calendar,
    "text/rfc822-headers": Composer._plain,
    "multipart/alternative": Composer._alternative,
    "multipart/related": Composer._related,
    "multipart/signed": Composer._signed,
    "message/rfc822": Composer._message,
    "message/global": Composer._message,
    "message/news": Composer._message,
    "message/delivery-status": Composer._report,
    "message/global-delivery-status": Composer._report,
    "message/disposition-notification": Composer._report,
    "message/global-disposition-notification": Composer._report,
    "message/feedback-report": Composer._report,
    "message/partial": Composer._piece,
    "message/external-body": Composer._piece,
    **dict.fromkeys(_ENCRYPTED, Composer._encrypted),
}
_RENDER_MAJOR: Mapping[str, Callable[[Composer, Part], str]] = {"multipart": Composer._mixed}
