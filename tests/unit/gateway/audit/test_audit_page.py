"""The reference page names every kind with its fields, as the writer has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.audit.event import COMMON, FRAME, KINDS

pytestmark = pytest.mark.checkout

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "audit-log.md"


def rows() -> dict[str, str]:
    found = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    return dict(found)


def test_every_kind_has_its_row_and_every_row_its_kind():
    assert rows().keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_names_the_fields_and_marks_the_required_ones(kind):
    fields = {name: bool(bold) for bold, name in re.findall(r"(\*\*)?`([a-z_0-9]+)`", rows()[kind])}
    assert fields == {name: name in KINDS[kind].required for name in KINDS[kind].fields if name not in COMMON}


def test_the_frame_is_explained():
    text = PAGE.read_text()
    assert [name for name in FRAME if f"`{name}`" not in text] == []
