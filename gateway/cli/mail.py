"""`masugata mail`: look at the mails in the journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import gateway.mail.messages  # noqa: F401  (declares the words used below)
from gateway.cli.terminal import Terminal, shared_flags, words
from zones.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.journal.model import Job

_DEFAULT_STATE = Path("/var/lib/masugata/mail")

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=_DEFAULT_STATE,
    show_default=True,
    help=words("mail-option-state"),
)


@click.group("mail", help=words("verb-mail"))
def command() -> None:
    """Look at the mail journal."""


@command.command("queue", help=words("mail-help-queue"))
@state_option
@click.option("--all", "everything", is_flag=True, help=words("mail-option-all"))
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=1_000,
    show_default=True,
    help=words("mail-option-limit"),
)
@shared_flags
def queue(terminal: Terminal, *, state: Path, everything: bool, limit: int) -> None:
    """List mails, oldest first: those on their way, held, or given up."""
    from gateway.journal.lookup import list_jobs
    from gateway.journal.states import State

    states = frozenset() if everything else frozenset(State) - {State.DELIVERED}
    listing = list_jobs(state, states=states, limit=limit)
    for job in listing.jobs:
        if terminal.json_lines:
            terminal.data(_record(job))
        else:
            terminal.write(_line(terminal, job))
    if not listing.jobs:
        terminal.log("mail-queue-empty")
    if listing.more:
        terminal.log("mail-queue-more", limit=limit)


@command.command("show", help=words("mail-help-show"))
@click.argument("job_id", metavar="ID")
@state_option
@shared_flags
def show(terminal: Terminal, *, job_id: str, state: Path) -> None:
    """Show one mail; the beginning of its id is enough."""
    job = _the_one(state, job_id)
    if terminal.json_lines:
        terminal.data(_record(job))
        return
    for label, value in _details(terminal, job):
        terminal.write(f"{terminal.words(f'mail-field-{label}')}: {value}")
    for target in job.targets:
        outcome = terminal.words(f"mail-target-{target.state}")
        reply = f" ({target.reply_code or ''} {target.reply})".replace("( ", "(") if target.reply else ""
        terminal.write(f"{terminal.words('mail-field-recipient')}: {target.address}: {outcome}{reply}")


def _the_one(state: Path, job_id: str) -> Job:
    from gateway.journal.lookup import find_by_prefix

    found = find_by_prefix(state, job_id)
    if not found:
        raise ConfigurationError("mail-no-job", id=job_id)
    if len(found) > 1:
        raise ConfigurationError("mail-ambiguous-job", id=job_id, count=len(found))
    return found[0]


def _line(terminal: Terminal, job: Job) -> str:
    recipients = ", ".join(target.address for target in job.targets)
    reason = f" [{job.reason}]" if job.reason else ""
    state = terminal.words(f"mail-state-{job.state}")
    return f"{job.id}  {_time(job.created)}  {state}{reason}  <{job.meta.get('sender', '')}> → {recipients}"


def _details(terminal: Terminal, job: Job) -> list[tuple[str, str]]:
    meta = job.meta
    rows = [
        ("state", terminal.words(f"mail-state-{job.state}")),
        ("reason", job.reason),
        ("arrived", _time(job.created)),
        ("next", _time(job.not_before) if job.not_before else ""),
        ("attempts", str(job.attempts)),
        ("sender", f"<{meta.get('sender', '')}>"),
        ("message-id", str(meta.get("message_id", ""))),
        ("peer", _endpoint(meta.get("peer"))),
        ("destination", _endpoint(meta.get("destination"))),
        ("flow", str(meta.get("flow_id", ""))),
        ("original", f"{job.blob.sha256} ({job.blob.size:,} B)"),
        ("artefact", f"{job.artefact.sha256} ({job.artefact.size:,} B)" if job.artefact else ""),
    ]
    return [(label, value) for label, value in rows if value]


def _record(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "state": job.state.value,
        "reason": job.reason,
        "created": _time(job.created),
        "updated": _time(job.updated),
        "not_before": _time(job.not_before) if job.not_before else None,
        "attempts": job.attempts,
        "original": job.blob._asdict(),
        "artefact": job.artefact._asdict() if job.artefact else None,
        "recipients": [target._asdict() for target in job.targets],
        "envelope": dict(job.meta),
        "provenance": dict(job.provenance),
    }


def _endpoint(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else ""


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
