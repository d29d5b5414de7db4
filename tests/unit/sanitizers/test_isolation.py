"""The isolation runner over real worker processes: what they cannot do, and what happens when they fail."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from sanitizers import sandbox
from sanitizers.artefact import Artefact, Refusal
from sanitizers.faults import FAULTS
from sanitizers.isolation import INPUT_FAULTS, Isolation, IsolationLimits
from sanitizers.mail import MailOptions, sanitize_mail, verify_mail
from sanitizers.registry import SANITIZERS
from zones.errors import IsolationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CORPUS = sorted((Path(__file__).parents[2] / "corpus").glob("mail-*/input.eml"))
OPTIONS = MailOptions(received_at=datetime(2024, 3, 5, tzinfo=UTC), policy_revision="r1", provenance_id="p1")
MAIL = b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n"


@pytest_asyncio.fixture
async def isolation() -> AsyncIterator[Isolation]:
    async with Isolation(sanitizers=[*SANITIZERS.values(), FAULTS]) as runner:
        yield runner


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def fault(runner: Isolation, name: str) -> str:
    with pytest.raises(IsolationError) as caught:
        await runner.sanitize("faults", b"x", {"fault": name})
    return caught.value.code


async def test_worker_cannot_open_connect_execute_fork_signal_or_trace(isolation: Isolation) -> None:
    outcome = await isolation.sanitize("faults", b"x", {})
    assert isinstance(outcome, Refusal)
    assert outcome.detail == "none"


async def test_required_layers_are_in_force_and_stand_in_provenance(isolation: Isolation) -> None:
    layers = await isolation.start()
    assert set(layers) >= sandbox.REQUIRED
    outcome = await isolation.sanitize("mail", MAIL, OPTIONS.to_mapping())
    assert isinstance(outcome, Artefact)
    assert outcome.provenance.layers == layers


async def test_worker_makes_the_same_of_every_mail_as_the_function(isolation: Isolation) -> None:
    for path in CORPUS:
        outcome = await isolation.sanitize("mail", path, OPTIONS.to_mapping())
        if isinstance(outcome, Artefact):
            outcome = replace(outcome, provenance=replace(outcome.provenance, layers=()))
        assert outcome == sanitize_mail(path.read_bytes(), OPTIONS), path


async def test_bytes_and_file_give_the_same(isolation: Isolation, tmp_path: Path) -> None:
    path = tmp_path / "mail"
    path.write_bytes(MAIL)
    from_file, from_bytes = await asyncio.gather(
        isolation.sanitize("mail", path, OPTIONS.to_mapping()),
        isolation.sanitize("mail", MAIL, OPTIONS.to_mapping()),
    )
    assert from_file == from_bytes
    assert isinstance(from_file, Artefact)
    assert verify_mail(from_file.body).startswith("hello\n")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("crash", "worker-died"),
        ("segfault", "worker-died"),
        ("half", "worker-died"),
        ("flood", "worker-lied"),
        ("trailing", "worker-lied"),
        ("raise", "worker-failed"),
        ("exhaust", "worker-failed"),
    ],
)
async def test_worker_that_fails_is_a_code_and_the_next_input_is_served(
    isolation: Isolation, name: str, code: str
) -> None:
    assert await fault(isolation, name) == code
    assert code in INPUT_FAULTS
    assert isinstance(await isolation.sanitize("mail", MAIL, OPTIONS.to_mapping()), Artefact)


async def test_worker_that_hangs_is_killed_when_its_time_is_over() -> None:
    limits = IsolationLimits(base_seconds=0.5)
    async with Isolation(sanitizers=[FAULTS], limits=limits) as runner:
        assert await fault(runner, "hang") == "worker-timed-out"


async def test_fault_of_one_input_does_not_touch_those_in_work_beside_it(isolation: Isolation) -> None:
    faults = [fault(isolation, "crash") for _ in range(3)]
    mails = [isolation.sanitize("mail", MAIL, OPTIONS.to_mapping()) for _ in range(10)]
    results = await asyncio.gather(*faults, *mails)
    assert results[:3] == ["worker-died"] * 3
    assert all(isinstance(outcome, Artefact) for outcome in results[3:])


async def test_worn_parent_is_replaced_between_inputs() -> None:
    async with Isolation(limits=IsolationLimits(jobs_per_parent=2)) as runner:
        outcomes = [await runner.sanitize("mail", MAIL, OPTIONS.to_mapping()) for _ in range(5)]
    assert all(isinstance(outcome, Artefact) for outcome in outcomes)


async def test_cancelled_caller_leaves_no_worker_and_no_descriptor() -> None:
    async with Isolation(sanitizers=[FAULTS]) as runner:
        before = open_descriptors()
        task = asyncio.create_task(runner.sanitize("faults", b"x", {"fault": "hang"}))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert open_descriptors() == before


async def test_unknown_kind_and_unreadable_file_are_the_callers(isolation: Isolation, tmp_path: Path) -> None:
    for kind, source, code in (
        ("nothing", MAIL, "worker-unknown-kind"),
        ("mail", tmp_path / "absent", "worker-input"),
        ("mail", tmp_path, "worker-input"),
    ):
        with pytest.raises(IsolationError) as caught:
            await isolation.sanitize(kind, source, OPTIONS.to_mapping())
        assert caught.value.code == code
        assert caught.value.code not in INPUT_FAULTS


async def test_wrong_options_are_a_fault_not_an_artefact(isolation: Isolation) -> None:
    with pytest.raises(IsolationError) as caught:
        await isolation.sanitize("mail", MAIL, {"language": "xx"})
    assert caught.value.code == "worker-failed"


async def test_sanitizer_that_cannot_load_is_a_start_failure() -> None:
    broken = replace(FAULTS, entry_module="sanitizers.absent")
    with pytest.raises(IsolationError) as caught:
        await Isolation(sanitizers=[broken]).start()
    assert caught.value.code == "worker-start-failed"
