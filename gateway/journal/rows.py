"""How a job is written into table rows and read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.journal.model import Blob, Job, Lease, Target
from gateway.journal.states import State, TargetState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

INSERT_JOB = """
    INSERT INTO job (id, kind, state, reason, blob, blob_size, created, updated, not_before, attempts,
                     lease_until, meta, provenance)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)
"""
INSERT_TARGET = (
    "INSERT INTO target (job, position, address, state, reply_code, reply) VALUES (?, ?, ?, ?, ?, ?)"
)
UPDATE_TARGET = "UPDATE target SET state = ?, reply_code = ?, reply = ? WHERE job = ? AND address = ?"


def dump(value: object) -> str:
    """Return canonical JSON: equal values are equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def write_job(connection: sqlite3.Connection, job: Job) -> None:
    """Insert a job with its targets."""
    connection.execute(
        INSERT_JOB,
        (
            job.id,
            job.kind,
            job.state.value,
            job.reason,
            job.blob.sha256,
            job.blob.size,
            job.created,
            job.updated or job.created,
            job.not_before,
            job.attempts,
            dump(dict(job.meta)),
            dump(dict(job.provenance)),
        ),
    )
    connection.executemany(
        INSERT_TARGET,
        [
            (job.id, position, target.address, target.state.value, target.reply_code, target.reply)
            for position, target in enumerate(job.targets)
        ],
    )


def write_targets(connection: sqlite3.Connection, job_id: str, targets: Sequence[Target]) -> None:
    """Update what became of some recipients."""
    connection.executemany(
        UPDATE_TARGET,
        [(target.state.value, target.reply_code, target.reply, job_id, target.address) for target in targets],
    )


def read_job(connection: sqlite3.Connection, job_id: str) -> Job | None:
    """Return one job, or None."""
    row = connection.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else _job(row, _targets(connection, job_id))


def _targets(connection: sqlite3.Connection, job_id: str) -> tuple[Target, ...]:
    rows = connection.execute(
        "SELECT address, state, reply_code, reply FROM target WHERE job = ? ORDER BY position", (job_id,)
    )
    return tuple(Target(row[0], TargetState(row[1]), row[2], row[3]) for row in rows)


def _job(row: sqlite3.Row, targets: tuple[Target, ...]) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        state=State(row["state"]),
        reason=row["reason"],
        blob=Blob(row["blob"], row["blob_size"]),
        artefact=None if row["artefact"] is None else Blob(row["artefact"], row["artefact_size"]),
        created=row["created"],
        updated=row["updated"],
        not_before=row["not_before"],
        attempts=row["attempts"],
        lease=None if row["lease"] is None else Lease(row["id"], row["lease"], row["lease_until"]),
        meta=json.loads(row["meta"]),
        provenance=json.loads(row["provenance"]),
        targets=targets,
    )
