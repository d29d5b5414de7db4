"""The documents keep their word: examples run as printed, links lead somewhere, both READMEs say the same.

Before every `console` block stands a comment, invisible to the reader:

    <!-- run -->            the commands run beside `examples/`, and print what the block shows
    <!-- run: exit 1 -->    the same, and the last command leaves with that code
    <!-- file: NAME -->     the block (of any language) is a file that the commands of the page find
    <!-- norun: reason -->  needs what a unit test has not (root, a running lab); the reason says what

In the expected output `…` stands for any text, and a line that is only `…` for any lines.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SHELL = {"console", "sh", "bash", "shell"}


class Block(NamedTuple):
    """A fenced block: where, its language, its lines, and the comment before it."""

    page: Path
    line: int
    language: str
    lines: tuple[str, ...]
    mark: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    mark, inside, language, start = "", None, "", 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.match(r"\s*```(\w*)\s*$", line)
        if fence and inside is None:
            inside, language, start = [], fence.group(1), number
        elif fence and inside is not None:
            found.append(Block(page, start, language, tuple(inside), mark))
            inside, mark = None, ""
        elif inside is not None:
            inside.append(line)
        elif line.strip():
            comment = re.fullmatch(r"\s*<!-- ((?:no)?run\b.*?|file: \S+) -->\s*", line)
            mark = comment.group(1) if comment else ""
    assert inside is None, f"{page}: a fence opened at line {start} is not closed"
    return found


ALL = [block for page in PAGES for block in blocks(page)]
SHELL_BLOCKS = [block for block in ALL if block.language in SHELL]
FILES = [block for block in ALL if block.mark.startswith("file: ")]
RUNNABLE = [block for block in SHELL_BLOCKS if block.mark.startswith("run")]


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Return each command of a block with the lines expected after it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        elif found:
            found[-1][1].append(line)
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds what the pages say the reader has: `examples/`, and the files they show."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "examples").symlink_to(ROOT / "examples")
    for block in FILES:
        file = folder / block.mark.removeprefix("file: ")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(block.lines) + "\n")
    return folder


def run(command: str, language: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "masugata", f"only masugata itself runs from a document: {command}"
    # Unbuffered: data and words come in the order in which a reader sees them on a terminal.
    environment = dict(os.environ, MASUGATA_LANG=language, COLUMNS="110", NO_COLOR="1", PYTHONUNBUFFERED="1")
    program = [str(Path(sys.executable).parent / "masugata"), *words[1:]]
    return subprocess.run(
        program,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=50,
        check=False,
    )


def pattern(expected: list[str]) -> re.Pattern[str]:
    lines = [
        "(?:.*\n)*?"
        if line.strip() == "…"
        else ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ ]*\n"
        for line in expected
    ]
    return re.compile("".join(lines))


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=lambda block: block.name)
def test_a_shell_example_runs_or_says_why_not(block: Block) -> None:
    assert re.fullmatch(r"run(: exit \d)?|norun: \S.*", block.mark), f"{block.name}: mark is {block.mark!r}"


@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.name)
def test_a_shell_example_prints_what_the_page_shows(block: Block, desk: Path) -> None:
    language = "ja" if block.page.name.endswith(".ja.md") else "en"
    code = int(block.mark.removeprefix("run: exit ")) if "exit" in block.mark else 0
    sequence = commands(block)
    assert sequence, "a block that runs begins its commands with `$ `"
    for position, (command, expected) in enumerate(sequence, 1):
        done = run(command, language, desk)
        assert done.returncode == (code if position == len(sequence) else 0), done.stdout
        if expected:
            assert pattern(expected).fullmatch(done.stdout.rstrip("\n") + "\n"), done.stdout


def test_the_comparison_can_fail() -> None:
    assert pattern(["a … c", "…", "end"]).fullmatch("a b c\nx\ny\nend\n")
    assert pattern(["…", "end"]).fullmatch("end\n")
    assert not pattern(["a … c", "end"]).fullmatch("a b c\nx\nend\n")
    assert not pattern(["a"]).fullmatch("b\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = page if not path else (page.parent / path).resolve()
        assert there.exists(), f"{page.relative_to(ROOT)} links to {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{page.relative_to(ROOT)} links to {target}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_every_page_of_docs_is_reached_from_the_index() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md", ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)\s#]+)", page.read_text())
        todo += [there for target in targets if (there := (page.parent / target).resolve()).is_file()]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page.parent != ROOT and page not in seen] == []


def test_both_readmes_have_the_same_shape() -> None:
    english, japanese = ROOT / "README.md", ROOT / "README.ja.md"
    assert levels(english) == levels(japanese)
    assert [shape(block) for block in blocks(english)] == [shape(block) for block in blocks(japanese)]


def levels(page: Path) -> list[int]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


def shape(block: Block) -> tuple[str, str, tuple[str, ...]]:
    """Return what must be equal in both languages: the commands of a shell block, all of any other."""
    lines = tuple(command for command, _ in commands(block)) if block.language in SHELL else block.lines
    return block.language, block.mark.split(":")[0], lines


def test_no_two_blocks_write_the_same_file() -> None:
    names = [block.mark for block in FILES]
    assert sorted(set(names)) == sorted(names)
