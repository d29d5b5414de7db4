"""The shape of a lab file: which keys there are, and what each may hold."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# A name becomes a namespace (a file) and an interface of the switch (IFNAMSIZ: 15 characters and NUL).
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,14}")
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
# Only the network's own switches, which are per namespace; no path may climb out of /proc/sys/net.
_SYSCTL = re.compile(r"net(\.[a-z0-9_-]+)+")
_SYSCTL_VALUE = re.compile(r"[0-9a-z \t-]{1,64}")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def _refuse(code: str, value: object) -> NoReturn:
    raise PydanticCustomError(code, "refused", {"value": str(value)[:80]})


def _address(value: object) -> Address:
    try:
        address = ip_address(str(value))
    except ValueError:
        _refuse("lab-bad-address", value)
    if (
        getattr(address, "scope_id", None)
        or address.is_multicast
        or address.is_unspecified
        or address.is_loopback
    ):
        _refuse("lab-bad-address", value)
    return address


def _network(value: object) -> Network:
    try:
        return ip_network(str(value), strict=True)
    except ValueError:
        _refuse("lab-bad-network", value)


def _mac(value: object) -> str:
    text = str(value).lower()
    if not _MAC.fullmatch(text) or int(text[:2], 16) & 1 or text == "00:00:00:00:00:00":
        _refuse("lab-bad-mac", value)
    return text


def _port(value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        _refuse("lab-bad-port", value)
    return int(text)


def _name(value: object) -> str:
    return _matching("lab-bad-name", _NAME, value)


def _color(value: object) -> str:
    return _matching("lab-bad-color", _COLOR, value)


def _matching(code: str, pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        _refuse(code, value)
    return value


def _sysctls(value: object) -> object:
    for key, setting in value.items() if isinstance(value, dict) else ():
        if not _SYSCTL.fullmatch(key) or not _SYSCTL_VALUE.fullmatch(str(setting)):
            _refuse("lab-bad-sysctl", f"{key}={setting}")
    return value


def _version(value: object) -> str:
    return _matching("lab-bad-schema", re.compile("1"), value)


def _route(value: object) -> object:
    if value in ("gateway", "none"):
        return value
    if not isinstance(value, list):
        _refuse("lab-bad-route", value)
    return [_address(item) for item in value]


AddressText = Annotated[Address, BeforeValidator(_address)]
NetworkText = Annotated[Network, BeforeValidator(_network)]
MacText = Annotated[str, BeforeValidator(_mac)]
NameText = Annotated[str, BeforeValidator(_name)]


class Shape(BaseModel):
    """Unknown keys are errors: a misspelt key must never be a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelShape(Shape):
    """What people call it, in both languages."""

    en: str = ""
    ja: str = ""


class ServiceShape(Shape):
    """Something that listens on a node; who runs the lab decides what a name means."""

    name: NameText
    port: Annotated[int, BeforeValidator(_port)]
    protocol: Literal["tcp", "udp"] = "tcp"


class SegmentShape(Shape):
    """One wire: every host on it hears every other without asking the gateway."""

    networks: list[NetworkText] = Field(min_length=1)
    label: LabelShape = LabelShape()
    color: Annotated[str, BeforeValidator(_color)] = "#5b6770"


class NodeShape(Shape):
    """What hosts and the gateway have in common."""

    extra_addresses: list[NetworkText] = []
    services: list[ServiceShape] = []
    sysctls: Annotated[dict[str, str], BeforeValidator(_sysctls)] = {}
    label: LabelShape = LabelShape()


class InterfaceShape(Shape):
    """One foot of the gateway."""

    segment: NameText
    addresses: list[AddressText] = Field(min_length=1)
    mac: MacText | None = None


class GatewayShape(NodeShape):
    """The node that stands between the segments."""

    interfaces: dict[str, InterfaceShape] = {}
    default_route: list[AddressText] = []


class HostShape(NodeShape):
    """A machine with one interface, `eth0`.

    `default_route` is `gateway` (the gateway's address on the host's segment), `none`, or addresses.
    """

    segment: NameText
    addresses: list[AddressText] = Field(min_length=1)
    mac: MacText | None = None
    default_route: Annotated[Any, BeforeValidator(_route)] = "gateway"


class LabShape(Shape):
    """A whole lab file. What must not be missing is checked in `topology.checks`, which knows its place."""

    schema_: Annotated[str, BeforeValidator(_version)] = Field(alias="schema", default="1")
    name: NameText = "lab"
    label: LabelShape = LabelShape()
    segments: dict[str, SegmentShape] = {}
    gateway: GatewayShape | None = None
    hosts: dict[str, HostShape] = {}
