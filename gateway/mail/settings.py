"""The `mail:` section of gateway.yaml, with its defaults."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.mail.mailbox import parse_helo
from gateway.mail.protocol import SmtpLimits
from zones.messages import Language

Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, Field(ge=1_024, le=1 << 40)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Section):
    """Where redirected connections arrive. The redirect rule sends to this port of any address of ours."""

    addresses: tuple[IPv4Address | IPv6Address, ...] = (IPv4Address("0.0.0.0"), IPv6Address("::"))  # noqa: S104
    port: Annotated[int, Field(ge=0, le=65_535)] = 10_025
    backlog: Annotated[int, Field(ge=1, le=4_096)] = 128


class Retry(_Section):
    """How long the next host may be away: first wait, longest wait, and when we give up."""

    first_seconds: Seconds = 60.0
    ceiling_seconds: Seconds = 3_600.0
    give_up_seconds: Seconds = 432_000.0  # RFC 5321 4.5.4.1: at least 4 to 5 days


def _hostname() -> str:
    try:
        return parse_helo(socket.gethostname().encode("idna"))
    except ValueError:
        return "masugata.invalid"


class MailSettings(_Section):
    """What the mail service may be told. Sizes in bytes, times in seconds."""

    listen: Listen = Listen()
    hostname: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")] = Field(
        default_factory=_hostname
    )
    state: Path = Path("/var/lib/masugata/mail")
    language: Language = Language.JA

    max_bytes: Bytes = 52_428_800
    max_output_bytes: Bytes = 104_857_600
    max_recipients: Count = 100
    max_line_bytes: Bytes = 65_536
    max_header_bytes: Bytes = 1_048_576
    max_hops: Count = 50
    max_errors: Count = 10
    max_idle_commands: Count = 100
    max_connections: Count = 200
    max_connections_per_peer: Count = 50
    command_seconds: Seconds = 300.0
    content_seconds: Seconds = 300.0
    min_bytes_per_second: Count = 1_000
    session_seconds: Seconds = 3_600.0

    reserve_bytes: Bytes = 268_435_456
    max_queued: Count = 100_000
    retain_seconds: Seconds = 604_800.0

    sanitize_workers: Annotated[int, Field(ge=1, le=256)] = 2
    delivery_workers: Annotated[int, Field(ge=1, le=256)] = 20
    # Counts whatever ended our own process in the middle, a power cut included; a worker that dies is
    # quarantine at once.
    max_sanitize_attempts: Annotated[int, Field(ge=1, le=100)] = 10
    lease_seconds: Seconds = 300.0
    poll_seconds: Seconds = 1.0
    connect_seconds: Seconds = 30.0
    delivery_seconds: Seconds = 300.0
    drain_seconds: Seconds = 20.0
    retry: Retry = Retry()

    def smtp_limits(self) -> SmtpLimits:
        """Return what one SMTP session may cost."""
        return SmtpLimits(
            max_bytes=self.max_bytes,
            max_recipients=self.max_recipients,
            max_line_bytes=self.max_line_bytes,
            max_header_bytes=self.max_header_bytes,
            max_hops=self.max_hops,
            max_errors=self.max_errors,
            max_idle_commands=self.max_idle_commands,
            command_seconds=self.command_seconds,
            content_seconds=self.content_seconds,
            min_bytes_per_second=self.min_bytes_per_second,
            session_seconds=self.session_seconds,
        )
