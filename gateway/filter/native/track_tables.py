"""Write `track_tables.h`: the tables of `gateway.filter.states` and `gateway.filter.frames`, in C.

Run as `python -m gateway.filter.native.track_tables > gateway/filter/native/track_tables.h`; a test
compares what is committed with what this makes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gateway.filter import states
from gateway.filter.frames import ICMP_QUERIES, reverse_key
from gateway.filter.states import NANO, SECONDS, SEGMENTS, STEPS, TCP_SECONDS, Last, Segment, Step, Tcp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ICMPS = (1, 58)
_NO_SEGMENT = 255
_GENERIC = (states.GENERIC_SECONDS, *SECONDS.values())
_HEAD = """\
/* Made by track_tables.py from gateway.filter.states and gateway.filter.frames: do not edit. */
#ifndef MASUGATA_TRACK_TABLES_H
#define MASUGATA_TRACK_TABLES_H

#include "core.h"
"""


def tables() -> str:
    """Return the text of `track_tables.h`."""
    return "\n".join([_HEAD, *_names(), "", *_tcp(), "", *_silence(), "", *_icmp(), "", "#endif"]) + "\n"


def _names() -> Iterator[str]:
    for kind in (Tcp, Segment, Step, Last):
        prefix = "MG_TCP" if kind is Tcp else f"MG_{kind.__name__.upper()}"
        yield f"enum {prefix.lower()} {{ {', '.join(f'{prefix}_{m.name} = {m.value}' for m in kind)} }};"
    yield f"#define MG_NO_SEGMENT {_NO_SEGMENT}"
    yield f"#define MG_UDP_STREAM_NS {states.UDP_STREAM_SECONDS * NANO}LL"
    yield f"#define MG_FRAGMENT_NS {states.FRAGMENT_SECONDS * NANO}LL"


def _tcp() -> Iterator[str]:
    yield "/* TCP flags -> kind of segment. */"
    yield f"static const uint8_t mg_segments[256] = {{\n{_rows(_segment_numbers())}\n}};"
    yield "/* [is a reply][segment][state] -> next state, or one of enum mg_step. */"
    yield f"static const int8_t mg_steps[2][{len(Segment)}][{len(Tcp)}] = {{"
    for table in STEPS:
        yield "    {" + ", ".join("{" + ", ".join(map(str, row)) + "}" for row in table) + "},"
    yield "};"
    yield "/* How long a TCP connection may stay silent, by state. */"
    silent = ", ".join(f"{TCP_SECONDS[state] * NANO}LL" for state in Tcp)
    yield f"static const int64_t mg_tcp_ns[{len(Tcp)}] = {{{silent}}};"


def _segment_numbers() -> Iterator[int]:
    for segment in SEGMENTS:
        yield _NO_SEGMENT if segment is None else int(segment)


def _silence() -> Iterator[str]:
    yield "/* Protocol -> row of mg_silence_ns; that holds the time before and after an answer. */"
    kinds = list(SECONDS)
    rows = (kinds.index(protocol) + 1 if protocol in SECONDS else 0 for protocol in range(256))
    yield f"static const uint8_t mg_silence_of[256] = {{\n{_rows(rows)}\n}};"
    pairs = ", ".join(f"{{{before * NANO}LL, {after * NANO}LL}}" for before, after in _GENERIC)
    yield f"static const int64_t mg_silence_ns[{len(_GENERIC)}][2] = {{{pairs}}};"


def _icmp() -> Iterator[str]:
    yield "/* [is ICMPv6][type] -> the type that answers it, or asks for it; itself where there is none. */"
    yield "static const uint8_t mg_icmp_answers[2][256] = {"
    for protocol in _ICMPS:
        answers = (reverse_key(bytes((*bytes(10), kind, 0, protocol)))[10] for kind in range(256))
        yield f"    {{\n{_rows(answers)}\n    }},"
    yield "};"
    yield "/* [is ICMPv6][type] -> whether it asks, and so may open a connection. */"
    yield "static const uint8_t mg_icmp_asks[2][256] = {"
    for protocol in _ICMPS:
        yield f"    {{\n{_rows(int(kind in ICMP_QUERIES[protocol]) for kind in range(256))}\n    }},"
    yield "};"


def _rows(numbers: Iterable[int], width: int = 32) -> str:
    words = list(map(str, numbers))
    return "\n".join("    " + ", ".join(words[at : at + width]) + "," for at in range(0, len(words), width))


if __name__ == "__main__":
    sys.stdout.write(tables())
