"""Policy text → validated `Policy`: every problem in one run, each with its place and its cure.

The steps, in order: YAML tree (`source`), shape (`schema`), merge of the files, names (`resolve`),
meaning (`resolve`, `consistency`). A later step runs only on what the earlier ones understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zones import wording  # noqa: F401  (declares the words of the problems reported here)
from zones.errors import ConfigurationError, PolicyError
from zones.merge import Merged, merge
from zones.resolve import resolve
from zones.source import MAX_BYTES, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zones.errors import Problem
    from zones.model import Policy
    from zones.source import Document


def read_policy(path: Path) -> Policy:
    """Return the policy of a file, or of a directory (the merge of its `*.yaml`).

    Raises:
        ConfigurationError: there is no such file, or no policy in that directory.
        PolicyError: the policy has problems; all of them.
    """
    return load_policy(read_sources(path))


def read_sources(path: Path) -> dict[str, str]:
    """Return the text of each file of a policy by name.

    Raises:
        ConfigurationError: nothing to read there.
    """
    files = _files_of(path) if path.is_dir() else [path]
    sources: dict[str, str] = {}
    for file in files:
        try:
            if file.stat().st_size > MAX_BYTES:
                raise ConfigurationError("file-too-large", path=str(file), limit=MAX_BYTES)
            sources[str(file)] = file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                "file-unreadable", path=str(file), detail=error.strerror or ""
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigurationError("file-not-utf8", path=str(file), offset=error.start) from error
    return sources


def _files_of(directory: Path) -> list[Path]:
    try:
        files = sorted(directory.iterdir())
    except OSError as error:
        raise ConfigurationError(
            "file-unreadable", path=str(directory), detail=error.strerror or ""
        ) from error
    # A guard in a file that nobody reads guards nothing: what was surely meant to be read is not passed over.
    for file in files:
        if file.suffix.lower() in {".yml", ".yaml"} and file.suffix != ".yaml":
            raise ConfigurationError("policy-file-suffix", path=str(file), name=f"{file.stem}.yaml")
    chosen = [file for file in files if file.name.endswith(".yaml")]
    if not chosen:
        raise ConfigurationError("policy-empty-directory", path=str(directory))
    return chosen


def load_policy(sources: Mapping[str, str]) -> Policy:
    """Return the policy written in `sources` (file name → text).

    Raises:
        PolicyError: the policy has problems; all of them.
    """
    return load_written(sources)[0]


def load_written(sources: Mapping[str, str]) -> tuple[Policy, tuple[Document, ...]]:
    """Return the policy written in `sources`, and the files as read: they know where everything stands.

    Raises:
        PolicyError: the policy has problems; all of them.
    """
    merged = Merged([read_document(file, text) for file, text in sources.items()])
    for document in merged.documents:
        merged.problems += document.problems
        if document.root is not None:
            merge(merged, document)
    policy = resolve(merged)
    problems = sorted(
        set_of(merged.problems), key=lambda problem: (problem.file, problem.line, problem.column)
    )
    if policy is None or any(problem.severity == "error" for problem in problems):
        raise PolicyError(problems)
    return policy, tuple(merged.documents)


def set_of(problems: list[Problem]) -> list[Problem]:
    """Return the problems without repetitions, in the order they came."""
    seen: dict[tuple[Any, ...], Problem] = {}
    for problem in problems:
        # Two keys that are missing in one entry share everything but their names.
        params = tuple(sorted((name, str(value)) for name, value in problem.params.items()))
        seen.setdefault((problem.code, problem.file, problem.line, problem.column, params), problem)
    return list(seen.values())
