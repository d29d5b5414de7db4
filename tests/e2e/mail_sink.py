"""A real SMTP server (aiosmtpd) in a process of its own that keeps every mail as a file.

Arguments: a folder for mails and answers, a port (0: any). `answers.json` in the folder, if there, holds
replies by recipient for RCPT, and under "data" one for the content; it is read again for every mail.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP


class Keeper:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = len(list(folder.glob("*.mail")))

    def _answers(self) -> dict[str, str]:
        place = self._folder / "answers.json"
        return json.loads(place.read_text()) if place.exists() else {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        answer = self._answers().get(address)
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answers = self._answers()
        await asyncio.sleep(float(answers.get("seconds", 0)))
        if answers.get("data"):
            return answers["data"]
        self._count += 1
        record = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("latin-1"),
        }
        fresh = self._folder / f"{self._count}.new"
        fresh.write_text(json.dumps(record))
        fresh.rename(self._folder / f"{self._count}.mail")
        return "250 kept"


async def main() -> None:
    folder = Path(sys.argv[1])
    loop = asyncio.get_running_loop()
    keeper = Keeper(folder)
    server = await loop.create_server(
        lambda: SMTP(keeper, enable_SMTPUTF8=True, data_size_limit=1 << 28, loop=loop),
        "127.0.0.1",
        int(sys.argv[2]),
    )
    (folder / "port.new").write_text(str(server.sockets[0].getsockname()[1]))
    (folder / "port.new").rename(folder / "port")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
