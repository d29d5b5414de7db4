"""One packet as a JSON object: what `send` is told and a test writes down."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address  # noqa: TC003  (pydantic reads the annotations)
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from topology.traffic.tagging import TAG_BYTES, tag
from zones.errors import ConfigurationError

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58}
_VERSION_OF = {1: 4, 58: 6}
_FLAGS = re.compile(r"[FSRPAUEC]*")

Port = Annotated[int, Field(ge=0, le=65535)]
Byte = Annotated[int, Field(ge=0, le=255)]
Word = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]
Mac = Annotated[str, Field(pattern=r"^(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$")]


class Quote(BaseModel):
    """The start of the packet that an ICMP error is about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    src: IPv4Address | IPv6Address
    dst: IPv4Address | IPv6Address
    protocol: Literal["tcp", "udp"] = "udp"
    sport: Port
    dport: Port
    seq: Word = 0


class Description(BaseModel):
    """A packet to send. Nothing is forbidden that a hostile host could send; only what has no meaning is.

    `id` marks the packet: in the payload (`topology.traffic.tagging`) when `payload_len` has room for it,
    and always in the IPv4 identification (low 16 bits) or IPv6 flow label (low 20), the TCP sequence number,
    and identifier and sequence of an ICMP echo, unless those are given. `offset` counts units of 8 bytes
    and makes a packet without a transport header; `fragment_bytes` cuts a whole packet into fragments.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Word
    src: IPv4Address | IPv6Address
    dst: IPv4Address | IPv6Address
    protocol: Literal["tcp", "udp", "icmp", "icmp6"] | Byte
    sport: Port = 0
    dport: Port = 0
    flags: str = "S"
    seq: Word | None = None
    ack: Word = 0
    icmp_type: Byte | None = None
    icmp_code: Byte = 0
    quote: Quote | None = None
    ttl: Byte = 64
    ip_id: Word | None = None
    mf: bool = False
    offset: Annotated[int, Field(ge=0, le=8191)] = 0
    fragment_bytes: Annotated[int, Field(ge=8, le=1480, multiple_of=8)] | None = None
    payload_len: Annotated[int, Field(ge=0, le=9000)] | None = None
    corrupt: tuple[Literal["ip", "transport"], ...] = ()
    vlan: Annotated[int, Field(ge=0, le=4094)] | None = None
    src_mac: Mac | None = None
    dst_mac: Mac | None = None

    @property
    def version(self) -> int:
        """Return 4 or 6."""
        return self.src.version

    @property
    def number(self) -> int:
        """Return the protocol as IANA numbers it."""
        return PROTOCOLS[self.protocol] if isinstance(self.protocol, str) else self.protocol

    @property
    def payload(self) -> bytes:
        """Return the payload: the tag and zeros, or zeros alone where the tag has no room.

        By default a TCP packet has none (a handshake carries no data), every other one has just the tag.
        """
        length = self.payload_len
        if length is None:
            length = 0 if self.number == PROTOCOLS["tcp"] and not self.offset else TAG_BYTES
        return tag(self.id).ljust(length, b"\0") if length >= TAG_BYTES else bytes(length)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.src.version != self.dst.version:
            raise ValueError("src and dst are of different IP versions")
        if _VERSION_OF.get(self.number, self.version) != self.version:
            raise ValueError(f"{self.protocol} does not go with IPv{self.version}")
        if not _FLAGS.fullmatch(self.flags):
            raise ValueError("flags are letters of FSRPAUEC, or nothing")
        if self.quote is not None and self.quote.src.version != self.version:
            raise ValueError("the quoted packet is of another IP version")
        if self.fragment_bytes is not None and (self.mf or self.offset):
            raise ValueError("fragment_bytes cuts a whole packet: it goes with neither mf nor offset")
        if self.version == 4 and (self.ip_id or 0) > 0xFFFF:
            raise ValueError("an IPv4 identification has 16 bits")
        return self


def read_description(text: str | bytes, line: int) -> Description:
    """Return the packet that one line of JSON describes.

    Raises:
        ConfigurationError: `traffic-bad-line`, with the number of the line and everything wrong with it.
    """
    try:
        return Description.model_validate_json(text)
    except ValidationError as error:
        detail = "; ".join(_said(fault) for fault in error.errors(include_url=False, include_input=False))
        raise ConfigurationError("traffic-bad-line", line=line, detail=detail) from None


def _said(fault: object) -> str:
    location = ".".join(str(part) for part in fault["loc"])  # type: ignore[index]
    message = fault["msg"]  # type: ignore[index]
    return f"{location}: {message}" if location else str(message)
