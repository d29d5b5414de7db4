"""A mail service of its own process, for tests that kill it: real sockets, real disk, real delivery.

What the enforcer and the policy would say is fixed here: every connection is admitted, and its destination
is the sink. Arguments: one JSON object on the command line. Audit events go to a file, one JSON line each.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

from gateway.audit.event import make_draft
from gateway.journal.blobs import FolderBlobStore
from gateway.journal.sqlite import SqliteJournal
from gateway.mail.passage import Endpoint
from gateway.mail.service import MailService
from gateway.mail.settings import Listen, MailSettings, Retry
from sanitizers.artefact import Artefact, Provenance, Refusal
from sanitizers.isolation import Isolation
from zones.verdict import Outcome, Reason, Verdict

REVISION = "0" * 64


class FileAudit:
    """Writes events to a file at once, checked against the audit's own table of kinds and fields."""

    def __init__(self, place: Path) -> None:
        self._file = place.open("a", buffering=1)

    def emit(self, kind: str, **fields: object) -> None:
        revision = str(fields.pop("revision", ""))
        draft = make_draft(kind, fields, actor="mail", revision=revision)
        self._file.write(json.dumps({"kind": kind, **draft.fields}) + "\n")

    async def emit_durable(self, kind: str, /, **fields: object) -> None:
        self.emit(kind, **fields)


class Rewriter:
    """Stands in for the sanitizer where durability is the subject: writes a new mail with the same id."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def sanitize(self, *, kind: str, untrusted: Path | bytes, options: object) -> Artefact | Refusal:
        content = untrusted if isinstance(untrusted, bytes) else await asyncio.to_thread(untrusted.read_bytes)
        await asyncio.sleep(self._seconds)
        if b"\r\nX-Hostile:" in content[:4096]:
            return Refusal(reason="test-hostile", detail="the test asked for it")
        kept = [
            line
            for line in content.split(b"\r\n\r\n")[0].split(b"\r\n")
            if line.lower().startswith(b"message-id:")
        ]
        body = b"\r\n".join([*kept, b"Subject: rewritten", b"", b"text of our own", b".", b"..", b""])
        provenance = Provenance(
            kind=kind,
            source_sha256=hashlib.sha256(content).hexdigest(),
            source_bytes=len(content),
            output_sha256=hashlib.sha256(body).hexdigest(),
            output_bytes=len(body),
        )
        return Artefact(body=body, media_type="message/rfc822", provenance=provenance)


class Admitted:
    def decide_connection(self, peer: tuple[str, int], destination: tuple[str, int]) -> Verdict:
        return Verdict(
            Outcome.SANITIZE_MAIL, Reason.FLOW, "test-flow", "internet", "lgwan", revision=REVISION
        )


class Direct:
    async def connect(self, flow_id: str, destination: tuple[str, int]) -> socket.socket:
        assert flow_id == "test-flow"
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, destination)
        except BaseException:
            sock.close()
            raise
        return sock


async def serve(given: dict[str, object]) -> None:
    state = Path(str(given["state"]))
    settings = MailSettings(
        listen=Listen(addresses=("127.0.0.1",), port=0),
        hostname="gw.test.example",
        state=state,
        retry=Retry(first_seconds=0.2, ceiling_seconds=1.0),
        poll_seconds=0.1,
        reserve_bytes=1024,
        drain_seconds=3.0,
        **given.get("settings", {}),  # type: ignore[arg-type]
    )
    journal, blobs = SqliteJournal(state), FolderBlobStore(state / "blobs")
    sink = Endpoint("127.0.0.1", int(str(given["sink"])))
    isolation = Isolation() if given.get("isolated") else None
    service = MailService(
        settings=settings,
        journal=journal,
        blobs=blobs,
        sanitizer=isolation or Rewriter(float(str(given.get("sanitize_seconds", 0)))),
        admission=Admitted(),
        connector=Direct(),
        audit=FileAudit(state / "audit.jsonl"),
        resolver=lambda sock, port: sink,
        clock=time.time,
    )
    await service.start()
    if limit := given.get("file_bytes"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(str(limit)), resource.RLIM_INFINITY))
    # Written complete or not at all: the test may look at any moment.
    ready = state / "port.new"
    ready.write_text(str(service.addresses[0].port))
    ready.rename(state / "port")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await service.stop()
    if isolation is not None:
        await isolation.close()
    await journal.close()
    await blobs.close()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
    os._exit(0)
