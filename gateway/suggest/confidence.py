"""Confidence: how much the evidence of a proposal weighs, in one word."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.filter.engine import FRAGMENT, TRUNCATED, ZONE_INFERRED
from gateway.replay.records import ZONE_BY_ADDRESS

if TYPE_CHECKING:
    from gateway.suggest.evidence import Sightings

_MANY = 10
_DAYS = 2


class Confidence(StrEnum):
    """Strong: a working service, used on several days. Weak: never answered, or the zone is a guess."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"


def confidence(sightings: Sightings) -> Confidence:
    """Return the word for some evidence; what the gateway refuses is never answered, so at most fair."""
    if sightings.marks & (ZONE_INFERRED | ZONE_BY_ADDRESS | TRUNCATED | FRAGMENT):
        return Confidence.WEAK
    many = sightings.connections >= _MANY
    if not sightings.answered:
        return Confidence.FAIR if many else Confidence.WEAK
    return Confidence.STRONG if many and len(sightings.days) >= _DAYS else Confidence.FAIR
