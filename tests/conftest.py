"""What every test run shares: hypothesis profiles, no silent skips in CI, a fixed language."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# What tests of several folders share: imported by its plain name.
sys.path.insert(0, str(Path(__file__).parent / "support"))

IN_CI = os.environ.get("CI") == "true"

# A skip in CI means that a tool or privilege is missing there: a test that never runs proves nothing.
# Reason (or a part of it) → why this one may be skipped in CI all the same. Empty, and meant to stay so.
SKIPS_ALLOWED_IN_CI: dict[str, str] = {}

# A shared runner is too uneven for per-example deadlines; pytest-timeout bounds every test as a whole.
hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=100, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=5000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one when this is CI."""
    report = yield
    return _refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module (`importorskip`) into a failed one when this is CI."""
    report = yield
    return _refuse_skip(report)


def _refuse_skip(report: Report) -> Report:
    if not IN_CI or not report.skipped or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(allowed in reason for allowed in SKIPS_ALLOWED_IN_CI):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be missing: {reason}"
    return report


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """Give every test, and what it starts, an English UTF-8 terminal, and take back `set_language`."""
    for name in ("MASUGATA_LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    yield
    from gateway.cli.terminal import choose_language, set_language

    set_language(choose_language([], {}))
