"""gateway.yaml: every problem with its place, paths beside the file, and a copy the roles can trust."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.settings import GatewaySettings, freeze, read_settings, thaw
from zones.errors import BackendError, ConfigurationError, PolicyError
from zones.load import load_policy, read_sources
from zones.messages import Language, say

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[3] / "examples/sample-city/gateway/gateway.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A directory with so short a name that sockets fit below it."""
    short = Path(f"/tmp/mg-{os.getpid()}")
    short.symlink_to(tmp_path)
    yield short
    short.unlink()


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[tuple[str, int, int, str]]:
    with pytest.raises(PolicyError) as refused:
        read_settings(written(folder, text))
    for problem in refused.value.problems:
        assert say(problem.code, problem.params, Language.JA)
    return [(p.code, p.line, p.column, p.path) for p in refused.value.problems]


def test_without_a_file_only_the_policy_must_be_named() -> None:
    settings = read_settings(None, policy=Path("p.yaml"))
    assert settings.policy == Path("p.yaml")
    assert settings.state == Path("/var/lib/masugata")
    assert settings.run_directory == Path("/var/lib/masugata/run")
    assert settings.audit_directory == Path("/var/lib/masugata/audit")
    assert settings.mail_settings.state == Path("/var/lib/masugata/mail")
    with pytest.raises(ConfigurationError) as refused:
        read_settings(None)
    assert refused.value.code == "policy-not-named"


def test_paths_are_beside_the_file_that_names_them(folder: Path) -> None:
    path = written(folder, "schema: 1\npolicy: city\nstate: s\nrun: r\nmail: {state: m}\n")
    settings = read_settings(path)
    assert settings.policy == folder / "city"
    assert settings.state == folder / "s"
    assert settings.run_directory == folder / "r"
    assert settings.mail_settings.state == folder / "m"


def test_the_command_line_says_more_than_the_file_and_mails_move_with_the_state(folder: Path) -> None:
    path = written(folder, "schema: 1\npolicy: city\nstate: s\n")
    settings = read_settings(path, policy=Path("other"), state=folder / "elsewhere")
    assert settings.policy == Path("other")
    assert settings.mail_settings.state == folder / "elsewhere/mail"
    assert settings.run_directory == folder / "elsewhere/run"


def test_the_language_is_the_mails_too_unless_it_says_another(folder: Path) -> None:
    ours = read_settings(written(folder, "schema: 1\npolicy: c\nlanguage: en\n"))
    assert ours.mail_settings.language is Language.EN
    own = read_settings(written(folder, "schema: 1\npolicy: c\nlanguage: en\nmail: {language: ja}\n"))
    assert own.mail_settings.language is Language.JA


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("schema: 1\npolicy: c\nstat: x\n", [("unknown-key", 3, 1)]),
        ("schema: 2\npolicy: c\n", [("schema-version", 1, 9)]),
        ("schema: 1\nid: 'a b'\n", [(None, 2, 5)]),
        ("schema: 1\nid: ''\nlanguage: fr\n", [(None, 2, 5), (None, 3, 11)]),
        (
            "schema: 1\nmail:\n  listen: {port: 99999}\n  max_bites: 1\n",
            [(None, 3, 18), ("unknown-key", 4, 3)],
        ),
        ("schema: 1\nmail:\n  listen: {port: 0}\n", [("mail-port-unknown", 3, 18)]),
        ("schema: 1\nmail: {max_bytes: none}\n", [(None, 2, 19)]),
        ("schema: 1\nschema: 1\n", [("duplicate-key", 2, 1)]),
        ("- 1\n", [(None, 1, 1)]),
        ("", [(None, None, None)]),
        ("a: [\n", [(None, 2, 1)]),
    ],
)
def test_every_problem_is_told_with_its_place(
    folder: Path, text: str, found: list[tuple[str | None, int | None, int | None]]
) -> None:
    said = problems(folder, text)
    assert len(said) == len(found)
    for (code, line, column, _), wanted in zip(said, found, strict=True):
        assert all(want in (None, seen) for want, seen in zip(wanted, (code, line, column), strict=True))


def test_a_file_that_is_not_there_is_the_operators_problem(folder: Path) -> None:
    with pytest.raises(ConfigurationError):
        read_settings(folder / "no.yaml")


def test_a_long_state_path_has_its_sockets_in_a_short_private_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = folder / "rt"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    state = tmp_path / ("deep" * 20) / "state"
    settings = read_settings(None, policy=Path("p"), state=state)
    assert settings.state == state
    assert settings.run_directory.parent == runtime / "masugata"
    assert len(bytes(settings.run_directory / "recorder.sock")) < 108
    assert stat.S_IMODE(settings.run_directory.stat().st_mode) == 0o700
    # The same place for the same state, for whoever asks; another for another.
    assert read_settings(None, policy=Path("q"), state=state).run_directory == settings.run_directory
    other = read_settings(None, policy=Path("p"), state=state / "x").run_directory
    assert other != settings.run_directory
    # Somebody else could wait there for our roles.
    settings.run_directory.chmod(0o755)
    with pytest.raises(BackendError):
        read_settings(None, policy=Path("p"), state=state)


def test_a_run_directory_that_was_chosen_too_long_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(written(folder, f"schema: 1\npolicy: c\nrun: {'x' * 90}\n"))
    assert refused.value.code == "run-path-too-long"


POLICY = "schema: 1\nmeta: {name: x}\nzones: {a: {interfaces: [a0], networks: [10.1.0.0/16]}}\n"


@pytest.fixture
def frozen(folder: Path) -> tuple[GatewaySettings, Path]:
    (folder / "p.yaml").write_text(POLICY, encoding="utf-8")
    settings = read_settings(
        written(folder, "schema: 1\npolicy: p.yaml\nstate: s\nmail: {max_bytes: 4096}\n")
    )
    sources = read_sources(folder / "p.yaml")
    return settings, freeze(settings, sources, load_policy(sources).revision)


def test_what_is_frozen_is_what_the_roles_read(folder: Path, frozen: tuple[GatewaySettings, Path]) -> None:
    settings, path = frozen
    roles = thaw(path)
    revision = load_policy(read_sources(folder / "p.yaml")).revision
    assert roles.policy == folder / "s/policy" / revision
    assert load_policy(read_sources(roles.policy)).revision == revision
    assert roles.run_directory == settings.run_directory
    assert roles.mail_settings.max_bytes == 4096
    assert roles.mail_settings.state == folder / "s/mail"
    for directory in (settings.state, roles.policy, roles.policy.parent, settings.run_directory):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_settings_somebody_wrote_into_are_refused(frozen: tuple[GatewaySettings, Path]) -> None:
    _, path = frozen
    text = path.read_text()
    for changed in (text.replace("4096", "8192"), text + " ", "", "{}"):
        path.write_text(changed)
        with pytest.raises(BackendError) as refused:
            thaw(path)
        assert refused.value.code == "settings-changed"
    path.unlink()
    with pytest.raises(BackendError):
        thaw(path)


def test_freezing_again_leaves_no_file_of_the_policy_before(
    folder: Path, frozen: tuple[GatewaySettings, Path]
) -> None:
    settings, path = frozen
    more = {"a.yaml": POLICY.replace("zones", "#"), "b.yaml": POLICY}
    again = freeze(settings, more, load_policy({"p.yaml": POLICY}).revision)
    assert len(list(thaw(again).policy.glob("*.yaml"))) == 2
    freeze(settings, {"p.yaml": POLICY}, load_policy({"p.yaml": POLICY}).revision)
    assert len(list(thaw(again).policy.glob("*.yaml"))) == 1
    assert [p.name for p in settings.run_directory.glob("settings-*")] == [path.name]


def test_a_state_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "file").write_text("")
    settings = read_settings(None, policy=Path("p"), state=folder / "file")
    with pytest.raises(BackendError) as refused:
        freeze(settings, {"p.yaml": POLICY}, "r")
    assert (refused.value.code, refused.value.params["path"]) == ("state-unwritable", str(folder / "file"))


@pytest.mark.checkout
def test_the_example_is_what_it_says() -> None:
    settings = read_settings(EXAMPLE)
    assert settings.id == "gw-main-1"
    assert settings.run_directory == Path("/run/masugata")
    assert settings.mail_settings.hostname == "gw.city.example.lg.jp"
    assert settings.policy is not None
    assert settings.policy.resolve() == EXAMPLE.parents[1]
    assert load_policy(read_sources(settings.policy)).name == "sample-city"
    # Every key it shows is said in both languages.
    comments = [
        line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("#")
    ]
    assert sum(any(ord(c) > 0x3000 for c in line) for line in comments) >= 12
