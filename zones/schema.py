"""The shape of a policy file: keys, types and formats; names are resolved later (`zones.resolve`).

Every value arrives as text (see `zones.source`); the field here gives it its type. A validator raises
`PydanticCustomError(code, …)` with one of our message codes, so that a problem keeps its own words.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from zones.address import Network, parse_address, parse_network
from zones.address import host_network as one_address
from zones.expiry import FIRST_YEAR, LAST_YEAR
from zones.lint.codes import CODES
from zones.model import Action, Mode, ServiceTerm, ZoneClass
from zones.nearest import closest, full_width, half_width
from zones.services import parse_service

SCHEMA_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _checked(pattern: re.Pattern[str], code: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _misfit(value, code, pattern.fullmatch)
        return value

    return BeforeValidator(check)


def _parsed(parse: Any, code: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        try:
            if not isinstance(value, str):
                raise TypeError(value)
            return parse(value)
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise _misfit(value, code, parse) from error

    return BeforeValidator(check)


def _misfit(value: Any, code: str, accepts: Any) -> PydanticCustomError:
    """Return the error for a value that does not fit, or would fit if it were not typed in full width."""
    plain = half_width(value) if isinstance(value, str) else value
    if plain != value:
        try:
            fits = accepts(plain) is not None
        except (ValueError, TypeError, KeyError, OSError):
            fits = False
        if fits:
            context = {"value": value, "seen": full_width(value), "suggestion": plain}
            return PydanticCustomError("full-width", "{value}", context)
    return PydanticCustomError(code, "{value}", {"value": str(value)})


def _network(value: Any) -> Any:
    try:
        return parse_network(value)
    except (ValueError, TypeError) as error:
        slipped = _host_bits(value)
        if slipped is not None:
            raise PydanticCustomError("host-bits", "{value}", slipped) from error
        raise _misfit(value, "bad-network", parse_network) from error


def _host_bits(value: Any) -> dict[str, Any] | None:
    """Return what to write instead of a prefix with bits set beyond its length; None for anything else."""
    if not isinstance(value, str) or "/" not in value:
        return None
    try:
        meant = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None
    return {"value": value, "network": str(meant), "address": value.partition("/")[0]}


def _host_address(text: str) -> Network:
    return one_address(*parse_address(text))


def _lower_mac(text: str) -> str:
    mac = text.lower()
    if not _MAC.fullmatch(mac):
        raise ValueError(text)
    return mac


def _date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _in_range(value: Any) -> Any:
    """Refuse a year that no calendar arithmetic survives: people write 9999 for "never"."""
    if isinstance(value, date) and not FIRST_YEAR <= value.year <= LAST_YEAR:
        context = {"value": str(value), "first": FIRST_YEAR, "last": LAST_YEAR}
        raise PydanticCustomError("date-out-of-range", "{value}", context)
    return value


def _moment(text: str) -> date:
    """Return a day, or a moment of it (a datetime is a date too)."""
    return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else _date(text)


def _time(text: str) -> time:
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return time.fromisoformat(text)


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


def parse_days(text: str) -> frozenset[int]:
    """Return the weekdays of `mon-fri` or `mon,wed,sat` (0 = Monday).

    Raises:
        ValueError: not weekdays.
    """
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        low, high = _DAYS.index(first), _DAYS.index(last or first)
        days |= set(range(low, high + 1)) if low <= high else {*range(low, 7), *range(high + 1)}
    return frozenset(days)


def _lint_code(value: Any) -> Any:
    if not isinstance(value, str) or value not in CODES:
        context = {"value": str(value), "suggestion": ", ".join(closest(str(value), CODES))}
        raise PydanticCustomError("unknown-lint-code", "{value}", context)
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, _checked(_NAME, "bad-name")]
Interface = Annotated[str, _checked(_INTERFACE, "bad-interface")]
NetworkText = Annotated[Network, BeforeValidator(_network)]
AddressText = Annotated[Network, _parsed(_host_address, "bad-address")]
MacText = Annotated[str, _parsed(_lower_mac, "bad-mac")]
DateText = Annotated[date, AfterValidator(_in_range), _parsed(_date, "bad-date")]
MomentText = Annotated[datetime | date, AfterValidator(_in_range), _parsed(_moment, "bad-moment")]
TimeText = Annotated[time, _parsed(_time, "bad-time")]
Flag = Annotated[bool, _parsed(_flag, "bad-flag")]
Days = Annotated[frozenset[int], _parsed(parse_days, "bad-days")]
Term = Annotated[ServiceTerm, _parsed(parse_service, "bad-service")]
TimeZoneText = Annotated[ZoneInfo, _parsed(ZoneInfo, "bad-timezone")]
ActionText = Annotated[Action, _parsed(Action, "bad-action")]
ModeText = Annotated[Mode, _parsed(Mode, "bad-mode")]
ClassText = Annotated[ZoneClass, _parsed(ZoneClass, "bad-class")]
LintCode = Annotated[str, BeforeValidator(_lint_code)]
Because = Annotated[str, _checked(re.compile(r"[\s\S]*\S[\s\S]*"), "empty-reason")]
Count = Annotated[int, Field(ge=0, le=1_000_000), _checked(re.compile(r"0|[1-9][0-9]{0,6}"), "bad-count")]
Names = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
Texts = Annotated[list[str], BeforeValidator(_listed)]
Actions = Annotated[list[ActionText], BeforeValidator(_listed)]
Addresses = Annotated[list[AddressText], BeforeValidator(_listed), Field(min_length=1)]
Networks = Annotated[list[NetworkText], BeforeValidator(_listed)]


class _Entry(BaseModel):
    # `validate_by_name` stays off: `from` is the only spelling, `from_` is not.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @field_validator("*", mode="before")
    @classmethod
    def _not_left_empty(cls, value: Any) -> Any:
        """Refuse `expires:` with nothing behind it: a date that was forgotten would mean "for ever"."""
        if value is None:
            raise PydanticCustomError("empty-value", "{value}", {"value": ""})
        return value


class IgnoreEntry(_Entry):
    code: LintCode
    because: Because
    until: DateText | None = None


class LintEntry(_Entry):
    ignore: list[IgnoreEntry] = []


class MetaIgnoreEntry(IgnoreEntry):
    on: Texts = []


class MetaLintEntry(_Entry):
    ignore: list[MetaIgnoreEntry] = []


class EnforcementEntry(_Entry):
    audit_until: DateText | None = None


class MetaEntry(_Entry):
    name: Name
    model: Name = "custom"
    timezone: TimeZoneText = Field(default_factory=lambda: ZoneInfo("Asia/Tokyo"))
    description: str | None = None
    enforcement: EnforcementEntry = EnforcementEntry()
    lint: MetaLintEntry | None = None


class ZoneEntry(_Entry):
    interfaces: Annotated[list[Interface], BeforeValidator(_listed), Field(min_length=1)]
    networks: Annotated[list[NetworkText], BeforeValidator(_listed), Field(min_length=1)]
    zone_class: ClassText = Field(default=ZoneClass.OTHER, alias="class")
    gateway: Annotated[list[AddressText], BeforeValidator(_listed)] = []
    description: str | None = None
    lint: LintEntry | None = None


class ManagementEntry(_Entry):
    interface: Interface
    networks: Annotated[list[NetworkText], BeforeValidator(_listed), Field(min_length=1)]


class RelayEntry(_Entry):
    never: Flag
    because: Because


class HostEntry(_Entry):
    zone: str
    ip: Addresses
    mac: MacText | None = None
    relay: RelayEntry | None = None
    description: str | None = None
    lint: LintEntry | None = None


class GroupEntry(_Entry):
    zone: str
    networks: Networks = []
    hosts: Texts = []
    description: str | None = None
    lint: LintEntry | None = None


class NameEntry(_Entry):
    hosts: Texts = Field(min_length=1)
    zone: str | None = None
    tenant: str | None = None
    description: str | None = None
    lint: LintEntry | None = None


class ApprovalEntry(_Entry):
    people: Count
    max_minutes: Count


class WhenEntry(_Entry):
    days: Days = frozenset(range(7))
    opens: TimeText = Field(default=time(0, 0), alias="from")
    closes: TimeText | None = Field(default=None, alias="to")
    approval: ApprovalEntry | None = None

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> WhenEntry:
        if self.closes is not None and self.closes == self.opens:
            raise PydanticCustomError("no-hours", "{value}", {"value": f"{self.opens:%H:%M}"})
        return self


class WithEntry(_Entry):
    profile: str | None = None
    approvals: Count | None = None
    classification: str | None = None
    methods: Texts | None = None
    tenant: str | None = None


class GuardEntry(_Entry):
    id: Name
    sources: Names = Field(alias="from")
    destinations: Names = Field(alias="to")
    actions: Actions = []
    because: str | None = None
    basis: Texts = []
    lint: LintEntry | None = None


class FlowEntry(_Entry):
    id: Name
    sources: Names = Field(alias="from")
    destinations: Names = Field(alias="to")
    service: Names
    action: ActionText
    mode: ModeText = Mode.ENFORCE
    owner: str | None = None
    ticket: str | None = None
    expires: DateText | None = None
    when: WhenEntry | None = None
    justification: str | None = None
    basis: Texts = []
    options: WithEntry | None = Field(default=None, alias="with")
    lint: LintEntry | None = None


class NeverEntry(_Entry):
    sources: Names = Field(alias="from")
    destinations: Names = Field(alias="to")


class InvariantEntry(_Entry):
    id: Name
    never: NeverEntry | None = None
    sources: Texts | None = Field(default=None, alias="from")
    destinations: Texts | None = Field(default=None, alias="to")
    require_action: Actions = []
    transitive: Flag = False
    over: Actions = []
    exceptions: Texts = Field(default=[], alias="except")
    because: Because | None = None
    basis: Texts = []


class TestEntry(_Entry):
    packet: str
    expect: str
    by: str | None = None
    at: MomentText | None = None


class PolicyFile(_Entry):
    """One file; a policy may be several of them merged."""

    version: int | None = Field(default=None, alias="schema")
    meta: MetaEntry | None = None
    zones: dict[Name, ZoneEntry] = {}
    management: ManagementEntry | None = None
    hosts: dict[Name, HostEntry] = {}
    groups: dict[Name, GroupEntry] = {}
    services: dict[Name, Annotated[list[Term], BeforeValidator(_listed), Field(min_length=1)]] = {}
    names: dict[Name, NameEntry] = {}
    guards: list[GuardEntry] = []
    flows: list[FlowEntry] = []
    invariants: list[InvariantEntry] = []
    tests: list[TestEntry] = []


FLOW_KEYS = tuple(field.alias or name for name, field in FlowEntry.model_fields.items())
