"""Entries: what is added to a policy file, as text that `masugata fmt` would leave as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zones.format import scalar_text
from zones.written import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Field(NamedTuple):
    """One key of an entry: a scalar, or several (`many`: written as a list even if there is one)."""

    key: str
    value: str | tuple[str, ...]
    comment: str = ""
    many: bool = False

    @property
    def text(self) -> str:
        """The value as written on one line."""
        if isinstance(self.value, str):
            return _scalar(self.value)
        if len(self.value) == 1 and not self.many:
            return _scalar(self.value[0])
        return f"[{', '.join(map(_scalar, self.value))}]"

    @property
    def plain(self) -> str | list[str]:
        """The value as YAML reads it."""
        if isinstance(self.value, str):
            return self.value
        return self.value[0] if len(self.value) == 1 and not self.many else list(self.value)


class FlowEntry(NamedTuple):
    """One item of a list such as `flows`."""

    fields: tuple[Field, ...]

    def block(self) -> Iterator[str]:
        """Yield its lines, key by key, not indented."""
        for number, field in enumerate(self.fields):
            comment = f"  {field.comment}" if field.comment else ""
            yield f"{'  ' if number else '- '}{field.key}: {field.text}{comment}"

    def inline(self) -> str:
        """Return it between braces: comments have no place there."""
        return _braces(self.fields)

    @property
    def plain(self) -> dict[str, str | list[str]]:
        """The item as YAML reads it."""
        return {field.key: field.plain for field in self.fields}


class NamedEntry(NamedTuple):
    """One entry of a section by name, such as `hosts`."""

    name: str
    fields: tuple[Field, ...]
    comment: str = ""

    def block(self) -> Iterator[str]:
        """Yield its lines, not indented."""
        comment = f"  {self.comment}" if self.comment else ""
        yield f"{self.inline()}{comment}"

    def inline(self) -> str:
        """Return it on one line."""
        return f"{_scalar(self.name)}: {_braces(self.fields)}"

    @property
    def plain(self) -> dict[str, str | list[str]]:
        """The entry's value as YAML reads it."""
        return {field.key: field.plain for field in self.fields}


class Addition(NamedTuple):
    """Everything that is added for one proposal, or for several."""

    flows: tuple[FlowEntry, ...] = ()
    hosts: tuple[NamedEntry, ...] = ()
    groups: tuple[NamedEntry, ...] = ()


def combined(additions: Iterable[Addition]) -> Addition:
    """Return several additions as one; a host that several need is made once."""
    parts = list(additions)
    hosts = {host.name: host for part in parts for host in part.hosts}
    return Addition(
        flows=tuple(flow for part in parts for flow in part.flows),
        hosts=tuple(hosts.values()),
        groups=tuple(group for part in parts for group in part.groups),
    )


def _braces(fields: Iterable[Field]) -> str:
    return "{" + ", ".join(f"{field.key}: {field.text}" for field in fields) + "}"


def _scalar(text: str) -> str:
    # Dates and prefixes stay plain; an empty text is quoted, for nothing would read as null.
    return scalar_text(Value(text, None if text else '"', (0, 0), (0, 0)))
