"""What every check is given: the policy, its places, the moment, and what is worked out once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from zones.lint.codes import CODES
from zones.lint.cover import Cover, cover_of
from zones.lint.finding import Finding, Subject, flow_subject
from zones.lint.regions import Regions
from zones.model import Action, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zones.lint.codes import Severity
    from zones.lint.places import Places
    from zones.model import Flow, Policy


class Context:
    """One policy at one moment, as the checks see it."""

    def __init__(self, policy: Policy, places: Places, now: float) -> None:
        self.policy = policy
        self.places = places
        self.now = now
        self.regions = Regions(policy)

    def finding(
        self,
        code: str,
        subject: Subject,
        *keys: str | int,
        related: Iterable[Subject] = (),
        severity: Severity | None = None,
        at: Subject | None = None,
        aspect: str | None = None,
        variant: str = "",
        **params: object,
    ) -> Finding:
        """Return a finding about `subject`, at the value `keys` of it (or of the entry `at`)."""
        return Finding(
            code=code,
            severity=severity or CODES[code],
            subject=subject,
            place=self.places.of(at or subject, *keys),
            aspect=".".join(map(str, keys)) if aspect is None else aspect,
            variant=variant,
            params={"name": subject.name, **params},
            related=tuple((other, self.places.of(other)) for other in related),
        )

    def about(
        self,
        code: str,
        flow: Flow,
        *keys: str | int,
        others: Iterable[Flow] = (),
        variant: str = "",
        **params: object,
    ) -> Finding:
        """Return a finding about a flow, with the flows it has to do with."""
        related = [flow_subject(other) for other in others]
        found = self.finding(code, flow_subject(flow), *keys, related=related, variant=variant)
        return replace(found, params={**found.params, **params})

    def expired(self, flow: Flow) -> bool:
        """Whether `expires` of a flow has passed."""
        return flow.expires_at is not None and self.now >= flow.expires_at

    @cached_property
    def cover(self) -> Cover:
        """How the flows cover each other."""
        return cover_of(self)

    @cached_property
    def opening(self) -> tuple[Flow, ...]:
        """The flows that may open something now or at some hour: enforced, allowing, not expired."""
        return tuple(
            flow
            for flow in self.policy.flows
            if flow.mode is Mode.ENFORCE and flow.allowing and not self.expired(flow)
        )

    @cached_property
    def _shut(self) -> Mapping[tuple[str, str], frozenset[Action] | None]:
        shut: dict[tuple[str, str], frozenset[Action] | None] = {}
        for guard in self.policy.guards:
            for pair in ((one, other) for one in guard.sources for other in guard.destinations):
                barred = shut.get(pair, frozenset())
                if not guard.actions or barred is None:
                    shut[pair] = None
                else:
                    shut[pair] = barred | frozenset(guard.actions)
        return shut

    def shut(self, source: str, destination: str, action: Action | None = None) -> bool:
        """Whether guards close a direction: for everything, or (with `action`) for new connections by it."""
        barred = self._shut.get((source, destination), frozenset())
        return barred is None or action in barred

    def raw_pairs(self, flow: Flow) -> list[tuple[str, str]]:
        """Return the pairs of zones that a flow of action `allow` really opens."""
        if flow.action is not Action.ALLOW:
            return []
        return sorted(
            {
                (one.zone, other.zone)
                for one in flow.sources
                for other in flow.destinations
                if other.name is None and not self.shut(one.zone, other.zone, Action.ALLOW)
            }
        )
