"""`masugata diff` as people call it: what two policies mean, not how they are written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from gateway.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = Path(__file__).resolve().parents[2] / "examples" / "sample-city"
AUTUMN = ("--now", "2026-10-05T10:00")


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["masugata", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        return Ended(int(ended.value.code or 0), seen.out, seen.err)

    return call


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., str]:
    """Return what writes the sample city with some keys of one entry changed (None takes a key out)."""

    def edit(section: str, entry: str, **changes: Any) -> str:
        folder = tmp_path / "edited"
        folder.mkdir()
        done = 0
        for path in CITY.glob("*.yaml"):
            # Text only, as our own reader sees it: 17:15 must not become a number.
            content = yaml.load(path.read_text(), yaml.BaseLoader)  # noqa: S506
            entries = content.get(section, {})
            named = entries.items() if isinstance(entries, dict) else ((one["id"], one) for one in entries)
            for name, values in named:
                if name == entry:
                    done += 1
                    values.update(changes)
                    for key in [key for key, value in values.items() if value is None]:
                        del values[key]
            (folder / path.name).write_text(json.dumps(content))
        assert done == 1
        return str(folder)

    return edit


def test_a_policy_does_not_differ_from_itself(run: Callable[..., Ended]) -> None:
    ended = run("diff", str(CITY), str(CITY), "--exit-code", "--all", *AUTUMN)

    assert ended.code == 0
    assert ended.out.startswith("0 change(s) in what crosses, 0 in replies, 0 only in reason, 0 only in flow")


def test_a_wider_service_shows_the_packets_it_opens(
    run: Callable[..., Ended], edited: Callable[..., str]
) -> None:
    after = edited("flows", "F040", service=["wsus", "ssh"])

    ended = run("diff", str(CITY), after, "--exit-code", *AUTUMN)

    assert ended.code == 1
    assert ended.out.splitlines()[:2] == [
        "lgwan → internet",
        "  deny (default-deny) → allow F040  e.g. lgwan:10.20.5.30 > 10.30.5.30 tcp/22",
    ]
    assert run("diff", str(CITY), after, *AUTUMN).code == 0


def test_written_in_two_lines_it_means_the_same(
    run: Callable[..., Ended], edited: Callable[..., str]
) -> None:
    after = edited("flows", "F040", service=["tcp/8530", "tcp/8531"])

    ended = run("diff", str(CITY), after, "--exit-code", "--all", *AUTUMN)

    assert (ended.code, len(ended.out.splitlines())) == (0, 1)


def test_a_guard_without_actions_stops_replies_too(
    run: Callable[..., Ended], edited: Callable[..., str]
) -> None:
    after = edited("guards", "G6", actions=None)

    records = run("diff", str(CITY), after, "--json", *AUTUMN).records

    (replies,) = [record for record in records if record.get("change") == "replies"]
    assert (replies["source_zone"], replies["destination_zone"]) == ("lgwan", "mynumber")
    assert (replies["before"]["outcome"], replies["after"]["decided_by"]) == ("allow", "G6")
    assert replies["opened"].startswith("mynumber:10.10.")


def test_another_fixed_mac_is_a_difference(run: Callable[..., Ended], edited: Callable[..., str]) -> None:
    after = edited("hosts", "renkei", mac="02:00:0a:0a:05:aa")

    ended = run("diff", str(CITY), after, *AUTUMN)

    assert "→ deny (spoofed-source)  e.g. mynumber:10.10.5.10" in ended.out
    assert "mac=02:00:0a:0a:05:0a" in ended.out


def test_a_day_later_is_another_policy(run: Callable[..., Ended], edited: Callable[..., str]) -> None:
    after = edited("flows", "F081", when={"days": "sat"})

    on_monday = run("diff", str(CITY), after, "--exit-code", *AUTUMN)
    at_night = run("diff", str(CITY), after, "--exit-code", "--now", "2026-10-05T23:00")

    assert (on_monday.code, at_night.code) == (1, 1)
    assert "F081: when\n0 change(s) in what crosses" in at_night.out
    assert "allow F081 → deny (outside-hours) F081" in on_monday.out


def test_out_of_time_is_no_answer(run: Callable[..., Ended], edited: Callable[..., str]) -> None:
    after = edited("flows", "F040", service="any")

    assert run("diff", str(CITY), after, "--timeout", "0", *AUTUMN).code == 4
