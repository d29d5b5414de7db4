"""gateway.yaml: where a gateway keeps its state, what it is called, and the settings of each role.

The policy says what may cross; this file says how this machine does it. Secrets are named by file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.mail.settings import MailSettings
from topology.private import private_base, private_directory
from zones.errors import BackendError, ConfigurationError, PolicyError
from zones.load import read_sources
from zones.messages import Language
from zones.shape import validate
from zones.source import read_document

if TYPE_CHECKING:
    from collections.abc import Mapping

# A unix socket's address has 108 bytes (unix(7)); the longest name we put below `run` is 24.
_MAX_RUN_BYTES = 80


class GatewaySettings(BaseModel):
    """A whole gateway.yaml. Relative paths are relative to the file that names them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(default=1, alias="schema")
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")] = "masugata"
    policy: Path | None = None
    state: Path = Path("/var/lib/masugata")
    run: Path | None = None
    language: Language = Language.JA
    mail: MailSettings = MailSettings()

    @property
    def run_directory(self) -> Path:
        """Where the unix sockets of the roles are."""
        return self.run or self.state / "run"

    @property
    def audit_directory(self) -> Path:
        """Where the audit chain is written."""
        return self.state / "audit"

    @property
    def mail_settings(self) -> MailSettings:
        """The mail section, its state below ours and its language ours unless it says otherwise."""
        given = self.mail.model_fields_set
        ours = {"state": self.state / "mail", "language": self.language}
        return self.mail.model_copy(update={name: value for name, value in ours.items() if name not in given})


def read_settings(
    path: Path | None, *, policy: Path | None = None, state: Path | None = None
) -> GatewaySettings:
    """Return the settings of a file (defaults without one); `policy` and `state` override what it says.

    Raises:
        ConfigurationError: no such file; no policy named anywhere; a `run:` that no socket fits in.
        PolicyError: the file has problems; all of them.
        BackendError: the directory that stands in for a `run` below a long `state` is not ours.
    """
    settings = GatewaySettings() if path is None else _read(path)
    base = path.parent if path is not None else Path()
    if policy is None and settings.policy is None:
        raise ConfigurationError("policy-not-named")
    mail = {"state": (base / settings.mail.state).absolute()} if _says(settings.mail, "state") else {}
    settings = settings.model_copy(
        update={
            "policy": policy or base / (settings.policy or ""),
            "state": (state or base / settings.state).absolute(),
            "run": None if settings.run is None else (base / settings.run).absolute(),
            "mail": settings.mail.model_copy(update=mail),
        }
    )
    if len(bytes(settings.run_directory)) <= _MAX_RUN_BYTES:
        return settings
    if settings.run is not None:
        raise ConfigurationError("run-path-too-long", path=str(settings.run), limit=_MAX_RUN_BYTES)
    return settings.model_copy(update={"run": _short_run(settings.state)})


def _says(section: BaseModel, field: str) -> bool:
    return field in section.model_fields_set


def _short_run(state: Path) -> Path:
    """Return the directory for sockets that stands in for a `run` below `state`, the same every time."""
    name = hashlib.sha256(bytes(state)).hexdigest()[:16]
    return private_directory(private_base() / f"run-{name}")


def freeze(settings: GatewaySettings, sources: Mapping[str, str], revision: str) -> Path:
    """Write down what this run goes by, and return the file the roles read.

    A role that is started again later must not pick up a policy that was edited meanwhile and that nobody
    applied: the roles read this copy, never the originals.

    Raises:
        BackendError: the state directory cannot be written.
    """
    try:
        policy = settings.state / "policy" / revision
        # One by one: the mode is that of the last directory only, parents are made open to all.
        for directory in (settings.state, policy.parent, policy, settings.run_directory):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for stale in policy.glob("*.yaml"):
            stale.unlink()  # an equal policy may have been written in more files
        for number, text in enumerate(sources.values()):
            (policy / f"{number:03d}.yaml").write_text(text, encoding="utf-8")
        chosen = settings.model_copy(update={"policy": policy, "run": settings.run_directory})
        # What nobody chose stays unsaid: `mail_settings` puts the mail's state below ours only then.
        text = chosen.model_dump_json(by_alias=True, exclude_unset=True)
        for stale in settings.run_directory.glob("settings-*.json"):
            stale.unlink()
        frozen = settings.run_directory / f"settings-{_digest(text)}.json"
        frozen.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BackendError(
            "state-unwritable", path=str(settings.state), detail=error.strerror or ""
        ) from error
    return frozen


def thaw(path: Path) -> GatewaySettings:
    """Return the settings a run was started with.

    The file is called by its digest, and the supervisor holds the name: whoever writes into the run
    directory cannot give a role that is started again other settings, and with them another policy.

    Raises:
        BackendError: it is gone, or does not hold what it is called by.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    if path.name != f"settings-{_digest(text)}.json":
        raise BackendError("settings-changed", path=str(path))
    return GatewaySettings.model_validate_json(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> GatewaySettings:
    ((name, text),) = read_sources(path).items()
    document = read_document(name, text)
    problems = list(document.problems)
    settings = validate(document, GatewaySettings, problems)
    if problems or settings is None:
        raise PolicyError(problems or [document.problem("not-a-mapping", (), key=path.name)])
    if settings.version != 1:
        raise PolicyError([document.problem("schema-version", ("schema",), seen=settings.version, known=1)])
    if settings.mail.listen.port == 0:
        # The ruleset turns mail to this port: it has to be known before the proxy is there.
        raise PolicyError([document.problem("mail-port-unknown", ("mail", "listen", "port"))])
    return settings
