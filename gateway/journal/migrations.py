"""The journal's tables, by numbered steps: a step once released is never changed, only followed."""

from __future__ import annotations

# The database's user_version is the number of steps taken.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE job (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            state TEXT NOT NULL,
            reason TEXT NOT NULL,
            blob TEXT NOT NULL,
            blob_size INTEGER NOT NULL,
            artefact TEXT,
            artefact_size INTEGER,
            created REAL NOT NULL,
            updated REAL NOT NULL,
            not_before REAL NOT NULL,
            attempts INTEGER NOT NULL,
            lease TEXT,
            lease_until REAL NOT NULL,
            meta TEXT NOT NULL,
            provenance TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX job_due ON job (kind, state, not_before, created, id)",
        """
        CREATE TABLE target (
            job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            address TEXT NOT NULL,
            state TEXT NOT NULL,
            reply_code INTEGER NOT NULL,
            reply TEXT NOT NULL,
            PRIMARY KEY (job, position)
        ) STRICT, WITHOUT ROWID
        """,
    ),
)
