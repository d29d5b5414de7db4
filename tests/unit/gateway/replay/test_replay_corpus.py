"""Cases from `tests/corpus/replay-*`: a capture, a policy, and what must come of every packet.

A case is a folder: capture.pcap or capture.pcapng, policy.yaml (or policy/ with the files of one),
expected.json, case.md (what it shows, where it is from). `masugata replay --save-case` writes such folders.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parents[3] / "corpus"
CASES = sorted(CORPUS.glob("replay-*"))


def test_the_corpus_is_there() -> None:
    assert len(CASES) >= 12
    for case in CASES:
        assert (case / "case.md").read_text().strip(), case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_of_the_corpus(case: Path, check_case: Callable[[Path], None]) -> None:
    check_case(case)
