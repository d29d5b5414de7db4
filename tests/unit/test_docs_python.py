"""The Python guide keeps its word: its examples run as printed, and its test guards a policy."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "python-api.md"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample city, as the page calls it and as a repository of one's own would."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "policy").symlink_to(ROOT / "examples" / "sample-city")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_of_the_guide_print_what_it_shows(desk: Path) -> None:
    examples = doctest.DocTestParser().get_doctest(GUIDE.read_text(), {}, "python-api.md", str(GUIDE), 0)
    said: list[str] = []

    outcome = doctest.DocTestRunner().run(examples, out=said.append)

    assert outcome.attempted > 20
    assert outcome.failed == 0, "".join(said)


def run_the_test_of_the_guide(desk: Path) -> subprocess.CompletedProcess[str]:
    found = re.search(r"<!-- file: test_our_policy.py -->\n```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found
    (desk / "test_our_policy.py").write_text(found.group(1))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_our_policy.py"]
    return subprocess.run(command, cwd=desk, capture_output=True, text=True, timeout=50, check=False)


def test_the_test_of_the_guide_passes_on_the_sample_city(desk: Path) -> None:
    done = run_the_test_of_the_guide(desk)

    assert (done.returncode, "5 passed" in done.stdout) == (0, True), done.stdout


def test_the_test_of_the_guide_fails_when_somebody_opens_a_way(desk: Path) -> None:
    (desk / "policy").unlink()
    (desk / "policy").mkdir()
    for file in (ROOT / "examples" / "sample-city").glob("*.yaml"):
        text = file.read_text().replace(
            "from: mynumber\n    to: [internet, outside]\n", "from: mynumber\n    to: [outside]\n"
        )
        (desk / "policy" / file.name).write_text(text)
    opened = "flows: [{id: F999, from: mn-pcs, to: in-pcs, service: https, action: allow, owner: x}]\n"
    (desk / "policy" / "99-more.yaml").write_text(opened)

    done = run_the_test_of_the_guide(desk)

    assert (done.returncode, "3 failed, 2 passed" in done.stdout) == (1, True), done.stdout
