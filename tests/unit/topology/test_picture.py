from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from topology.picture import draw
from topology.plan import EXAMPLE, LabPlan, load_plan, read_plan
from zones.messages import Language

pytestmark = pytest.mark.checkout

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).resolve().parents[3]
CITY = read_plan(ROOT / "examples/sample-city/lab/city.yaml")
PLANS = {"city": CITY, "example": load_plan(EXAMPLE, "example.yaml")}


def words(plan: LabPlan, language: Language) -> list[str]:
    root = ElementTree.fromstring(draw(plan, language))  # noqa: S314  (our own output)
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_everything_in_the_plan_is_in_the_picture(plan: LabPlan) -> None:
    said = words(plan, Language.EN)
    for node in plan.nodes.values():
        assert any(node.name in text for text in said)
        assert all(any(str(address.ip) in text for text in said) for address in node.addresses)
    for segment in plan.segments:
        assert any(text.startswith(f"{segment.name} · ") for text in said)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_nothing_lies_outside_the_canvas(plan: LabPlan) -> None:
    root = ElementTree.fromstring(draw(plan))  # noqa: S314
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for box in root.iter(f"{SVG}rect"):
        assert float(box.get("x", 0)) + float(box.attrib["width"]) <= width
        assert float(box.get("y", 0)) + float(box.attrib["height"]) <= height


def test_labels_follow_the_language() -> None:
    assert "マイナンバー利用事務系" in words(CITY, Language.JA)
    assert "My Number zone" in words(CITY, Language.EN)


def test_a_label_cannot_write_markup() -> None:
    hostile = EXAMPLE.replace("[192.0.2.1]", '[192.0.2.1], label: {en: "</text><script>&"}')
    picture = draw(load_plan(hostile, "lab.yaml"))
    assert "<script" not in picture
    assert any("<script>&" in text for text in words(load_plan(hostile, "lab.yaml"), Language.EN))


def test_the_picture_in_the_guide_is_the_one_of_the_sample_city() -> None:
    """After a change: masugata lab plan --svg docs/guides/lab.svg."""
    assert (ROOT / "docs/guides/lab.svg").read_text(encoding="utf-8") == draw(CITY)
