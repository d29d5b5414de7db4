"""What the caller decides about one mail: language, clock, names, limits. Crosses to a worker as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from sanitizers.mail.limits import MailLimits
from zones.messages import Language

_IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]{0,100}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class MailOptions:
    """The caller's part in the output; equal options and equal input give equal bytes.

    `received_at` (with a UTC offset) stands in for a missing or invalid Date. `gateway_name` is the right
    side of Message-IDs we make. An empty `provenance_id` is replaced by one made from input and policy.

    Raises:
        ValueError: a value that could not stand in a header, or a time without an offset.
    """

    received_at: datetime
    language: Language = Language.JA
    policy_revision: str = ""
    gateway_name: str = "masugata.invalid"
    provenance_id: str = ""
    limits: MailLimits = field(default_factory=MailLimits)

    def __post_init__(self) -> None:
        if self.received_at.utcoffset() is None:
            raise ValueError("received_at has no UTC offset")
        if not _IDENTIFIER.fullmatch(self.provenance_id) or not _IDENTIFIER.fullmatch(self.policy_revision):
            raise ValueError("provenance_id and policy_revision are letters, digits and ._:-")
        if not _HOST.fullmatch(self.gateway_name):
            raise ValueError("gateway_name is a host name")
        object.__setattr__(self, "language", Language(self.language))

    def to_mapping(self) -> dict[str, object]:
        """Return the options as JSON values."""
        return {
            "received_at": self.received_at.isoformat(),
            "language": self.language.value,
            "policy_revision": self.policy_revision,
            "gateway_name": self.gateway_name,
            "provenance_id": self.provenance_id,
            "limits": asdict(self.limits),
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> MailOptions:
        """Return the options that `to_mapping` wrote; missing ones take their defaults.

        Raises:
            ValueError: an unknown name or a value of another kind.
        """
        values = dict(mapping)
        unknown = values.keys() - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
        limits = values.pop("limits", {})
        if not isinstance(limits, Mapping) or any(
            type(limit) is not int or limit < 0 for limit in limits.values()
        ):
            raise ValueError("limits are whole numbers by name")
        if not all(isinstance(value, str) for value in values.values()) or "received_at" not in values:
            raise ValueError("options are text, and received_at is among them")
        received_at = datetime.fromisoformat(str(values.pop("received_at")))
        try:
            return cls(received_at=received_at, limits=MailLimits(**limits), **values)  # type: ignore[arg-type]
        except TypeError as error:
            raise ValueError(str(error)) from None
