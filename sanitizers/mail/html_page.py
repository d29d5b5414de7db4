"""Lay text out in lines: paragraphs, prefixes of lists and quotes, cells. Knows nothing of HTML or mail."""

from __future__ import annotations

import re

_MAX_PREFIX_LEVELS = 20  # deeper quotes and lists keep their text; only the prefix stops growing
_WIDE = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
# A line end of the source between two wide characters is no space to a Japanese reader.
_SOFT_BREAK = re.compile(rf"(?<=[{_WIDE}])[ \t]*\n\s*(?=[{_WIDE}])")
_SPACE = re.compile(r"[ \t\n]+")


class Page:
    """Lines under construction."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._prefixes: list[str] = []
        self._first_prefix = ""
        self._blank_levels = -1  # of how many prefixes the wanted empty line is; none wanted below zero
        self._cell_wanted = False
        self._space_wanted = False

    def push(self, prefix: str) -> None:
        """Begin a block whose lines all start with `prefix`."""
        self.end_line()
        self._prefixes.append(prefix)

    def pop(self) -> None:
        """End the innermost block."""
        self.end_line()
        self._prefixes.pop()
        self._first_prefix = ""

    def bullet(self, mark: str) -> None:
        """Write `mark` in place of the innermost prefix, on the next line only."""
        self._first_prefix = mark

    def blank(self) -> None:
        """Ask for one empty line before the next text."""
        self.end_line()
        if self._lines:
            levels = len(self._prefixes)
            self._blank_levels = min(levels, self._blank_levels) if self._blank_levels >= 0 else levels

    def cell(self) -> None:
        """Ask for a separator before the next text of this line, if there is any."""
        self._cell_wanted = bool(self._line)

    def text(self, run: str) -> None:
        """Add running text: white space is one space, and none at the start of a line."""
        flowing = _SPACE.sub(" ", _SOFT_BREAK.sub("", run))
        core = flowing.strip(" ")
        if not core:
            self._space_wanted = self._space_wanted or (bool(flowing) and bool(self._line))
            return
        self._start(leading_space=flowing.startswith(" "))
        self._line.append(core)
        self._space_wanted = flowing.endswith(" ")

    def preformatted(self, run: str) -> None:
        """Add text as it is; a line end ends the line."""
        first, *others = run.split("\n")
        if first:
            self._start(leading_space=False)
            self._line.append(first)
        for line in others:
            self.break_line()
            if line:
                self._start(leading_space=False)
                self._line.append(line)

    def end_line(self) -> None:
        """End the line if anything is on it."""
        if self._line:
            self._write("".join(self._line).rstrip())
        self._line = []
        self._space_wanted = self._cell_wanted = False

    def break_line(self) -> None:
        """End the line even if it is empty."""
        if self._line:
            self.end_line()
        elif self._lines:
            self._write("")

    def finish(self) -> str:
        """Return the whole text, with at most one empty line in a row and none at either end."""
        self.end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")

    def _start(self, *, leading_space: bool) -> None:
        if self._line:
            if self._cell_wanted:
                self._line.append(" | ")
            elif leading_space or self._space_wanted:
                self._line.append(" ")
        elif self._blank_levels >= 0:
            levels = min(self._blank_levels, _MAX_PREFIX_LEVELS)
            self._lines.append("".join(self._prefixes[:levels]).rstrip())
            self._blank_levels = -1
        self._cell_wanted = self._space_wanted = False

    def _write(self, line: str) -> None:
        prefixes = self._prefixes[:_MAX_PREFIX_LEVELS]
        if self._first_prefix and prefixes:
            prefixes = [*prefixes[:-1], self._first_prefix]
            self._first_prefix = ""
        self._lines.append(("".join(prefixes) + line).rstrip())
