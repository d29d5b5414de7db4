"""What every journal promises, run over each implementation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.journal.memory import MemoryJournal
from gateway.journal.model import Blob, Job, Journal, LeaseLost, Step, Target
from gateway.journal.sqlite import SqliteJournal
from gateway.journal.states import ACTIVE, FINAL, LEASED, TRANSITIONS, Stage, State, TargetState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    made: Journal = MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path)
    yield made
    await made.close()


def job(name: str = "j1", *, created: float = 100.0, **changes: object) -> Job:
    made = Job(
        id=name,
        kind="mail",
        blob=Blob("ab" * 32, 5),
        created=created,
        meta={"sender": "山田@例え.example", "peer": ["192.0.2.1", 25]},
        targets=(Target("a@x.example"), Target("b@x.example")),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def take(journal: Journal, stage: Stage, now: float, seconds: float = 10) -> Job:
    taken = await journal.lease(stage, kind="mail", seconds=seconds, now=now)
    assert taken is not None
    assert taken.lease is not None
    return taken


async def test_a_job_comes_back_as_it_was_given(journal: Journal) -> None:
    await journal.add(job())
    got = await journal.get("j1")
    assert got == replace(job(), updated=100.0)
    assert await journal.get("other") is None


async def test_oldest_first_and_each_to_one_worker_only(journal: Journal) -> None:
    await journal.add(job("j2", created=200.0))
    await journal.add(job("j1", created=100.0))
    first, second = await take(journal, Stage.SANITIZE, 300), await take(journal, Stage.SANITIZE, 300)
    assert [first.id, second.id] == ["j1", "j2"]
    assert first.state is State.PARSING
    assert first.attempts == 1
    assert await journal.lease(Stage.SANITIZE, kind="mail", seconds=10, now=300) is None


async def test_other_kinds_and_stages_are_left_alone(journal: Journal) -> None:
    await journal.add(job())
    assert await journal.lease(Stage.DELIVER, kind="mail", seconds=10, now=300) is None
    assert await journal.lease(Stage.SANITIZE, kind="file", seconds=10, now=300) is None


async def test_a_lease_that_ran_out_is_given_again_and_fences_off_its_first_holder(journal: Journal) -> None:
    await journal.add(job())
    first = await take(journal, Stage.SANITIZE, 300, seconds=10)
    assert await journal.lease(Stage.SANITIZE, kind="mail", seconds=10, now=309.9) is None
    second = await take(journal, Stage.SANITIZE, 310)
    assert second.attempts == 2
    with pytest.raises(LeaseLost):
        await journal.advance(first.lease, Step(state=State.QUARANTINED), now=311)
    with pytest.raises(LeaseLost):
        await journal.extend(first.lease, until=400)
    assert (await journal.get("j1")).state is State.PARSING
    await journal.advance(second.lease, Step(state=State.VERIFIED), now=311)


async def test_a_late_holder_may_finish_if_nobody_took_over(journal: Journal) -> None:
    await journal.add(job())
    held = await take(journal, Stage.SANITIZE, 300, seconds=10)
    done = await journal.advance(held.lease, Step(state=State.VERIFIED), now=999)
    assert done.state is State.VERIFIED


async def test_an_extended_lease_holds_longer(journal: Journal) -> None:
    await journal.add(job())
    held = await take(journal, Stage.SANITIZE, 300, seconds=10)
    longer = await journal.extend(held.lease, until=400)
    assert await journal.lease(Stage.SANITIZE, kind="mail", seconds=10, now=399) is None
    await journal.advance(longer, Step(state=State.VERIFIED), now=399)


async def test_what_a_step_says_is_kept_and_the_rest_stays(journal: Journal) -> None:
    await journal.add(job())
    held = await take(journal, Stage.SANITIZE, 300)
    artefact = Blob("cd" * 32, 9)
    await journal.advance(
        held.lease, Step(state=State.VERIFIED, artefact=artefact, provenance={"tools": ["x"]}), now=301
    )
    held = await take(journal, Stage.DELIVER, 302)
    assert held.attempts == 1  # counted anew in the new stage
    told = (Target("b@x.example", TargetState.DELIVERED, 250, "kept 山"),)
    after = await journal.advance(
        held.lease,
        Step(state=State.VERIFIED, reason="recipient-refused", not_before=400, targets=told),
        now=303,
    )
    assert after == await journal.get("j1")
    assert after.artefact == artefact
    assert after.provenance == {"tools": ["x"]}
    assert after.targets == (Target("a@x.example"), told[0])
    assert (after.reason, after.not_before, after.lease) == ("recipient-refused", 400, None)
    assert await journal.lease(Stage.DELIVER, kind="mail", seconds=10, now=399) is None
    assert (await take(journal, Stage.DELIVER, 400)).attempts == 2


async def test_only_transitions_of_the_table_are_written(journal: Journal) -> None:
    for number, after in enumerate(State):
        await journal.add(job(f"j{number}", created=float(number)))
        held = await take(journal, Stage.SANITIZE, 300, seconds=1000)
        if after in TRANSITIONS[State.PARSING]:
            assert (await journal.advance(held.lease, Step(state=after), now=301)).state is after
        else:
            with pytest.raises(ValueError, match="may not follow"):
                await journal.advance(held.lease, Step(state=after), now=301)
            assert (await journal.get(held.id)).state is State.PARSING
        if after is State.SPOOLED:
            await take(journal, Stage.SANITIZE, 301, seconds=1000)


async def test_at_start_every_lease_is_ended(journal: Journal) -> None:
    await journal.add(job("j1"))
    await journal.add(job("j2"))
    await take(journal, Stage.SANITIZE, 300)
    held = await take(journal, Stage.SANITIZE, 300)
    await journal.advance(held.lease, Step(state=State.VERIFIED), now=300)
    await take(journal, Stage.DELIVER, 300)
    assert await journal.interrupt(now=301) == 2
    assert await journal.count() == {State.SPOOLED: 1, State.VERIFIED: 1}
    assert (await take(journal, Stage.SANITIZE, 301)).attempts == 2
    assert (await take(journal, Stage.DELIVER, 301)).attempts == 2


async def test_when_the_next_job_is_due(journal: Journal) -> None:
    assert await journal.next_due(Stage.SANITIZE, kind="mail") is None
    await journal.add(job(not_before=50.0))
    assert await journal.next_due(Stage.SANITIZE, kind="mail") == 50.0
    await take(journal, Stage.SANITIZE, 300, seconds=7)
    assert await journal.next_due(Stage.SANITIZE, kind="mail") == 307.0
    assert await journal.next_due(Stage.DELIVER, kind="mail") is None


async def test_finding_counting_and_forgetting(journal: Journal) -> None:
    for number in range(3):
        await journal.add(job(f"j{number}", created=float(number), blob=Blob(f"{number:064x}", 1)))
    held = await take(journal, Stage.SANITIZE, 300)
    await journal.advance(held.lease, Step(state=State.QUARANTINED, reason="r"), now=300)
    assert [j.id for j in await journal.find(states={State.SPOOLED})] == ["j1", "j2"]
    assert [j.id for j in await journal.find()] == ["j0", "j1", "j2"]
    assert [j.id for j in await journal.find(limit=1)] == ["j0"]
    assert await journal.count() == {State.QUARANTINED: 1, State.SPOOLED: 2}
    assert await journal.blobs() == {f"{number:064x}" for number in range(3)}
    assert await journal.forget(states={State.QUARANTINED}, before=300) == 0
    assert await journal.forget(states={State.QUARANTINED}, before=301) == 1
    assert await journal.get("j0") is None
    assert await journal.blobs() == {f"{number:064x}" for number in (1, 2)}


def test_the_tables_of_states_agree() -> None:
    assert {State.DELIVERED, State.DEAD} == FINAL
    assert {State.PARSING, State.RENDERING, State.DELIVERING} == LEASED
    assert State.QUARANTINED not in ACTIVE
    assert set(TRANSITIONS) == set(State)
    reached, edge = {State.SPOOLED}, {State.SPOOLED}
    while edge:
        edge = {after for state in edge for after in TRANSITIONS[state]} - reached
        reached |= edge
    assert reached == set(State)
