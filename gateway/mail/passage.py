"""What travels with a mail in the journal: envelope, peer, destination, flow; and what audit says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gateway.mail.content import Marker
from gateway.mail.mailbox import Mailbox, parse_mailbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.journal.model import Job
    from gateway.mail.content import Trace
    from gateway.mail.protocol import Envelope
    from zones.verdict import Verdict

KIND = "mail"


class Endpoint(NamedTuple):
    """An IP address in canonical form and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One mail's way: who sent it, where to, by which flow. Goes in and out of the journal as JSON."""

    sender: str
    helo: str
    esmtp: bool
    smtputf8: bool
    peer: Endpoint
    destination: Endpoint
    flow_id: str
    revision: str = ""
    source_zone: str = ""
    destination_zone: str = ""
    message_id: str = ""
    hops: int = 0
    markers: tuple[Marker, ...] = ()

    @classmethod
    def of(
        cls, envelope: Envelope, trace: Trace, verdict: Verdict, peer: Endpoint, destination: Endpoint
    ) -> Passage:
        """Return the passage of a message just taken in."""
        return cls(
            sender=str(envelope.sender),
            helo=envelope.helo,
            esmtp=envelope.esmtp,
            smtputf8=envelope.smtputf8,
            peer=peer,
            destination=destination,
            flow_id=verdict.decided_by or "",
            revision=verdict.revision,
            source_zone=verdict.source_zone or "",
            destination_zone=verdict.destination_zone or "",
            message_id=trace.message_id,
            hops=trace.hops,
            markers=trace.markers,
        )

    def to_json(self) -> Mapping[str, object]:
        """Return it as plain JSON values."""
        return {
            **vars(self),
            "peer": list(self.peer),
            "destination": list(self.destination),
            "markers": [str(marker) for marker in self.markers],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, object]) -> Passage:
        """Return the passage that `to_json` wrote.

        Raises:
            TypeError, ValueError, KeyError: it did not write this.
        """
        fields = dict(record)
        fields["peer"] = _endpoint(record["peer"])
        fields["destination"] = _endpoint(record["destination"])
        fields["markers"] = tuple(Marker.parse(str(text)) for text in _list(record["markers"]))
        return cls(**fields)  # type: ignore[arg-type]

    @property
    def sender_mailbox(self) -> Mailbox:
        """The envelope sender."""
        return parse_mailbox(self.sender) if self.sender else Mailbox("", "")

    def audit_fields(self) -> dict[str, object]:
        """Return what every audit event about this mail carries."""
        return {
            "sender": self.sender,
            "peer": self.peer.address,
            "peer_port": self.peer.port,
            "helo": self.helo,
            "remote": str(self.destination),
            "message_id": self.message_id or None,
            "decided_by": self.flow_id or None,
            "source_zone": self.source_zone or None,
            "destination_zone": self.destination_zone or None,
            "revision": self.revision,
        }


def job_fields(job: Job, passage: Passage) -> dict[str, object]:
    """Return the audit fields of a mail in the journal."""
    return {
        **passage.audit_fields(),
        "job": job.id,
        "recipients": [target.address for target in job.targets],
        "bytes": job.blob.size,
        "sha256": job.blob.sha256,
    }


def milliseconds(seconds: float) -> int:
    """Return a duration as the audit writes it: whole milliseconds, never negative."""
    return max(0, round(seconds * 1000))


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _endpoint(value: object) -> Endpoint:
    address, port = _list(value)
    if not isinstance(address, str) or not isinstance(port, int):
        raise TypeError("not an endpoint")
    return Endpoint(address, port)
