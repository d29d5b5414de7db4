"""Flows or exchanges as a Parquet file, written in row groups: memory does not grow with the capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.replay.compressed import library
from gateway.replay.lines import exchange_line, flow_line
from zones.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from gateway.replay.exchanges import Exchange
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord

GROUP_ROWS = 65_536
_TEXT, _COUNT, _SMALL, _TIME, _LIST = "string", "int64", "int32", "timestamp", "list"
FLOW_COLUMNS: dict[str, str] = {
    "flow": _COUNT,
    "connection": _COUNT,
    "first": _TIME,
    "last": _TIME,
    "first_packet": _TEXT,
    "packets": _COUNT,
    "bytes": _COUNT,
    "answers": _COUNT,
    "answer_bytes": _COUNT,
    "denied_packets": _COUNT,
    "initiator": _TEXT,
    "src": _TEXT,
    "dst": _TEXT,
    "protocol": _TEXT,
    "sport": _SMALL,
    "dport": _SMALL,
    "icmp_type": _SMALL,
    "icmp_code": _SMALL,
    "source_zone": _TEXT,
    "destination_zone": _TEXT,
    "outcome": _TEXT,
    "reason": _TEXT,
    "decided_by": _TEXT,
    "state": _TEXT,
    "marks": _LIST,
}
EXCHANGE_COLUMNS: dict[str, str] = {
    "source_zone": _TEXT,
    "destination_zone": _TEXT,
    "src": _TEXT,
    "dst": _TEXT,
    "protocol": _TEXT,
    "port": _SMALL,
    "outcome": _TEXT,
    "reason": _TEXT,
    "decided_by": _TEXT,
    "packets": _COUNT,
    "bytes": _COUNT,
    "answers": _COUNT,
    "answer_bytes": _COUNT,
    "flows": _COUNT,
    "first": _TIME,
    "last": _TIME,
    "first_packet": _TEXT,
}
"""The columns: the keys of a flow or exchange line, with the same meaning; times are nanoseconds in UTC."""


class ParquetWriter:
    """A sink that writes flows, or takes exchanges at the end; use it as a context, or the file has no end.

    Policy name, revision and engine are in the file's metadata.

    Raises:
        BackendError: pyarrow is not installed.
        ConfigurationError: the file cannot be written.
    """

    wants_packets = False

    def __init__(
        self,
        path: Path,
        metadata: dict[str, str],
        *,
        flows: bool = True,
        group_rows: int = GROUP_ROWS,
    ) -> None:
        self.wants_flows = flows
        self._arrow: Any = library("pyarrow", "--parquet")
        self._columns = FLOW_COLUMNS if flows else EXCHANGE_COLUMNS
        self._schema = _schema(self._arrow, self._columns, metadata)
        self._rows: list[dict[str, Any]] = []
        self._group_rows = group_rows
        try:
            self._writer: Any = library("pyarrow.parquet", "--parquet").ParquetWriter(
                str(path), self._schema, compression="zstd"
            )
        except OSError as error:
            detail = error.strerror or str(error)
            raise ConfigurationError("replay-not-written", file=str(path), detail=detail) from None

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write_group()
        self._writer.close()

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Take no packets: rows are flows."""

    def flow(self, record: FlowRecord) -> None:
        """Take one finished flow."""
        if self.wants_flows:
            line = flow_line(record)
            line |= {"first": record.first_ns, "last": record.last_ns}
            self._add(line | {"answers": record.answers, "answer_bytes": record.answer_bytes})

    def exchanges(self, rows: Iterable[Exchange]) -> None:
        """Take the exchanges of a whole replay."""
        for row in rows:
            self._add(exchange_line(row) | {"first": row.first_ns, "last": row.last_ns})

    def _add(self, line: dict[str, Any]) -> None:
        self._rows.append(line)
        if len(self._rows) >= self._group_rows:
            self._write_group()

    def _write_group(self) -> None:
        if self._rows:
            columns = {name: [row[name] for row in self._rows] for name in self._columns}
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
            self._rows = []


def _schema(arrow: Any, columns: Mapping[str, str], metadata: dict[str, str]) -> Any:
    kinds = {
        _TEXT: arrow.string(),
        _COUNT: arrow.int64(),
        _SMALL: arrow.int32(),
        _TIME: arrow.timestamp("ns", tz="UTC"),
        _LIST: arrow.list_(arrow.string()),
    }
    fields = [(name, kinds[kind]) for name, kind in columns.items()]
    return arrow.schema(fields, metadata={f"masugata.{key}": value for key, value in metadata.items()})
