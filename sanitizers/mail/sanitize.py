"""The way of one mail: read, compose, write, verify. Pure: bytes and options in, a value out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from importlib import metadata
from platform import python_version
from typing import TYPE_CHECKING

from sanitizers.artefact import Artefact, Provenance, Refusal, Tool
from sanitizers.mail.clean import limit_lines, quote_imitations
from sanitizers.mail.compose import Composer
from sanitizers.mail.footer import footer
from sanitizers.mail.headers import fallback_id, regenerate
from sanitizers.mail.limits import Ledger
from sanitizers.mail.links import defang
from sanitizers.mail.reading import read_mail
from sanitizers.mail.verify import Unverified, verify_mail
from sanitizers.mail.voice import Voice
from sanitizers.mail.writer import write_mail
from zones.errors import InputError

if TYPE_CHECKING:
    from sanitizers.mail.options import MailOptions

KIND = "mail"
MEDIA_TYPE = "message/rfc822"
VERSION = "1"
_MAX_DETAIL = 500


def sanitize_mail(untrusted: bytes, options: MailOptions) -> Artefact | Refusal:
    """Return a fresh text/plain mail with its provenance, or a refusal that says why there is none.

    The same input and options give the same bytes. No input makes it raise: what cannot be read, is too
    large or is ambiguous comes back as a `Refusal` whose reason is a message code.
    """
    source_sha256 = hashlib.sha256(untrusted).hexdigest()
    if not options.provenance_id:
        options = replace(options, provenance_id=fallback_id(source_sha256, options.policy_revision))
    ledger = Ledger(limits=options.limits, voice=Voice(language=options.language))
    try:
        body = _rebuilt(untrusted, options, source_sha256, ledger)
        verify_mail(body)
    except InputError as error:
        detail = " ".join(f"{name}={value}" for name, value in error.params.items())
        return _refusal(error.code, detail, untrusted, source_sha256)
    except Unverified as error:
        return _refusal("mail-output-refused", str(error), untrusted, source_sha256)
    provenance = _provenance(untrusted, body, options, source_sha256, ledger)
    return Artefact(body=body, media_type=MEDIA_TYPE, provenance=provenance)


def _refusal(reason: str, detail: str, untrusted: bytes, source_sha256: str) -> Refusal:
    plain = "".join(character if character.isprintable() else "?" for character in detail[:_MAX_DETAIL])
    return Refusal(reason=reason, detail=plain, source_sha256=source_sha256, source_bytes=len(untrusted))


def _rebuilt(untrusted: bytes, options: MailOptions, source_sha256: str, ledger: Ledger) -> bytes:
    mail = read_mail(untrusted, ledger)
    headers = regenerate(mail, options, source_sha256, ledger)
    text = Composer(ledger=ledger).text_of(mail).strip("\n") or ledger.voice.mark("mail-mark-empty")
    text = "\n\n".join([*headers.remarks, text])
    text = limit_lines(defang(quote_imitations(text, ledger), ledger), ledger)
    ending = defang(footer(ledger, options.provenance_id), Ledger(limits=ledger.limits, voice=ledger.voice))
    return write_mail(headers, f"{text}\n\n{ending}\n", options.provenance_id)


def _provenance(
    untrusted: bytes, body: bytes, options: MailOptions, source_sha256: str, ledger: Ledger
) -> Provenance:
    return Provenance(
        kind=KIND,
        source_sha256=source_sha256,
        source_bytes=len(untrusted),
        output_sha256=hashlib.sha256(body).hexdigest(),
        output_bytes=len(body),
        declared=MEDIA_TYPE,
        detected=MEDIA_TYPE,
        policy_revision=options.policy_revision,
        provenance_id=options.provenance_id,
        removed=tuple(ledger.removed),
        notes=ledger.notes(),
        charsets=tuple(ledger.charsets),
        budgets=ledger.budgets(),
        tools=tools(),
    )


@cache
def tools() -> tuple[Tool, ...]:
    """Return what reads a mail, with versions: two runs are comparable only when these are equal."""
    return (
        Tool(name="masugata-mail", version=VERSION),
        Tool(name="python", version=python_version()),
        Tool(name="selectolax", version=metadata.version("selectolax")),
    )
