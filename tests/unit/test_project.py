"""House rules a machine can check: the layout, the locks, the words, the size of files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("zones", "sanitizers", "topology", "gateway")
MINORS = ("3.11", "3.12", "3.13")
MOST_LINES = 450
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".c", ".h", ".json", ".svg", ".nft", ""}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def committed_text() -> list[Path]:
    """Return the text files people write: the packages, and everything beside them that is not made."""
    folders = [*PACKAGES, "tests", "docs", "examples", "make", "requirements", "bench", ".ci"]
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in folders:
        found += [
            path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
    return sorted(path for path in found if path.suffix in TEXT)


def test_the_four_packages_are_flat_and_typed() -> None:
    for package in PACKAGES:
        assert (ROOT / package / "__init__.py").is_file()
        assert (ROOT / package / "py.typed").is_file()


def test_every_package_folder_with_code_has_an_init() -> None:
    # Without one, setuptools would leave the folder out of the wheel and the checkout would still work.
    folders = {path.parent for path in sources()}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_tests_hold_no_init_that_would_shadow_a_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_import_contracts_cover_all_packages_in_one_direction() -> None:
    linter = project()["tool"]["importlinter"]
    assert linter["root_packages"] == list(PACKAGES)
    layers = [contract["layers"] for contract in linter["contracts"] if contract["type"] == "layers"]
    assert layers == [["gateway", "sanitizers | topology", "zones"]]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_read_in_one_sitting(path: Path) -> None:
    if path.name not in {"messages.py", "wording.py"}:  # tables of words
        assert len(path.read_text().splitlines()) <= MOST_LINES


def test_no_doctest_is_skipped() -> None:
    mark = "doctest: " + "+SKIP"
    assert [str(path) for path in sources() if mark in path.read_text()] == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    personal = re.compile(r"(?<![\w.~-])/(?:work|home|Users)/\w")
    found = [str(path.relative_to(ROOT)) for path in committed_text() if personal.search(path.read_text())]
    assert found == []


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"py{name}.txt").read_text()


def locked_versions(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock(name), re.MULTILINE))


@pytest.mark.parametrize("name", [*MINORS, *(f"{minor}-runtime" for minor in MINORS)])
def test_a_lock_holds_exact_versions_with_hashes_and_nothing_else(name: str) -> None:
    # So it names no index, no address, no local path and no option.
    for entry in lock(name).replace("\\\n", " ").strip().splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[^ :;/@]+( +--hash=sha256:[0-9a-f]{64})+ *", entry), entry[:80]


@pytest.mark.parametrize("minor", MINORS)
def test_everything_pyproject_asks_for_is_locked_at_a_version_it_allows(minor: str) -> None:
    metadata = project()["project"]
    wanted = [*metadata["dependencies"], *project()["build-system"]["requires"]]
    wanted += [line for extra in metadata["optional-dependencies"].values() for line in extra]
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name != "masugata":
            assert requirement.specifier.contains(locked_versions(minor)[name]), requirement


@pytest.mark.parametrize("minor", MINORS)
def test_what_the_image_installs_is_part_of_what_was_tested(minor: str) -> None:
    runtime, tested = locked_versions(f"{minor}-runtime"), locked_versions(minor)
    assert runtime.items() < tested.items()
    assert {"pytest", "mypy", "ruff"} & set(runtime) == set()
