"""Hold a document against its pydantic schema; what does not fit becomes problems with a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from zones.nearest import closest, full_width, half_width, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zones.errors import Problem
    from zones.source import Document

Model = TypeVar("Model", bound=BaseModel)

# pydantic's error types that have a sentence of ours; every other type is `bad-shape`.
_CODES = {
    "extra_forbidden": "unknown-key",
    "missing": "missing-key",
    "dict_type": "not-a-mapping",
    "model_type": "not-a-mapping",
    "model_attributes_type": "not-a-mapping",
    "list_type": "not-a-list",
    "string_type": "not-text",
    "int_parsing": "not-a-number",
    "int_type": "not-a-number",
    "too_short": "empty-list",
}
_MISSPELT = frozenset({"unknown-key", "full-width"})
_MAX_ROUNDS = 1000


def validate(document: Document, model: type[Model], problems: list[Problem]) -> Model | None:
    """Return the document as `model`, with what does not fit left out and reported.

    The rest is still validated and returned, so that one typing error does not hide the problems of the
    other entries; None when nothing is left.
    """
    if document.root is None:
        return None
    tree = document.root.plain()
    if tree is None:
        tree = {}
    kept = _Positions(tree)
    for _ in range(_MAX_ROUNDS):
        try:
            entries = model.model_validate(tree)
            document.order = kept.orders()
            return entries
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            found = [_problem(document, model, fault, kept.original(fault["loc"])) for fault in faults]
            problems += _without_consequences(found)
            if not _prune(tree, [fault["loc"] for fault in faults], kept):
                return None
    return None


class _Positions:
    """Remembers where list items were before others were pruned in front of them."""

    def __init__(self, tree: Any) -> None:
        self._index: dict[int, list[int]] = {}
        self._tree = tree

    def original(self, loc: Sequence[str | int]) -> list[str | int]:
        path: list[str | int] = []
        node = self._tree
        for step in loc:
            if isinstance(node, list) and isinstance(step, int):
                order = self._index.get(id(node))
                path.append(order[step] if order and step < len(order) else step)
                node = node[step] if step < len(node) else None
            else:
                path.append(step)
                node = node.get(step) if isinstance(node, dict) else None
        return path

    def orders(self) -> dict[str, list[int]]:
        """Return the original indices of every section from which entries were taken out."""
        sections = self._tree.items() if isinstance(self._tree, dict) else ()
        return {name: self._index[id(items)] for name, items in sections if id(items) in self._index}

    def drop(self, items: list[Any], index: int) -> None:
        order = self._index.setdefault(id(items), list(range(len(items))))
        del order[index], items[index]


def _prune(tree: Any, places: list[tuple[str | int, ...]], kept: _Positions) -> bool:
    """Take out the entries that do not fit: whole list items and whole named entries.

    Returns False when there is nothing smaller to take out than the document itself.
    """
    targets = {_entry(tree, place) for place in places}
    if () in targets:
        return False
    for target in sorted(targets, key=_deepest_last_first, reverse=True):
        node = tree
        for step in target[:-1]:
            node = node[step]
        last = target[-1]
        if isinstance(node, list) and isinstance(last, int):
            kept.drop(node, last)
        elif isinstance(node, dict):
            node.pop(last, None)
    return True


def _deepest_last_first(target: tuple[str | int, ...]) -> tuple[tuple[int, str], ...]:
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in target)


def _entry(tree: Any, place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the path of the entry (`flows[3]`, `hosts.renkei`, `meta`) that a fault at `place` spoils."""
    section = tree.get(place[0]) if isinstance(tree, dict) and place else None
    if isinstance(section, (dict, list)) and len(place) > 2 and place[0] not in ("meta", "management"):
        return place[:2]
    if isinstance(section, (dict, list)) and len(place) == 2 and place[0] not in ("meta", "management"):
        known = section if isinstance(section, dict) else range(len(section))
        return place[:2] if place[1] in known else place[:1]
    return place[:1] if isinstance(tree, dict) and place and place[0] in tree else ()


def _problem(document: Document, model: type[BaseModel], fault: Any, path: list[str | int]) -> Problem:
    kind = str(fault["type"])
    context = {name: str(value) for name, value in fault.get("ctx", {}).items() if name != "error"}
    code = _CODES.get(kind, kind if "_" not in kind else "bad-shape")
    # pydantic marks a bad dictionary key by a last step `[key]`.
    bad_key = bool(path) and path[-1] == "[key]"
    if bad_key:
        path = path[:-1]
    name = str(path[-1]) if path else ""
    if code == "unknown-key":
        known = known_keys(model, path[:-1])
        context["suggestion"] = ", ".join(closest(name, known))
        if full_width(name):
            # A full-width colon makes `from：a` one long key.
            key, _, rest = half_width(name).partition(":")
            if nearest(key, known) == key.strip():
                code, written = "full-width", f"{key.strip()}: {rest.strip()}".rstrip()
                context |= {"value": name, "seen": full_width(name), "suggestion": written}
                bad_key = True
    if code == "missing-key":
        path = path[:-1]
    if code == "bad-shape":
        context["detail"] = str(fault.get("msg", ""))
    return document.problem(code, path, at_key=bad_key or code == "unknown-key", **{"key": name, **context})


def _without_consequences(problems: list[Problem]) -> list[Problem]:
    """Return the problems without the missing keys that are there, but misspelt."""
    meant = {
        (problem.file, problem.path.rpartition(".")[0], key)
        for problem in problems
        if problem.code in _MISSPELT
        for key in [str(problem.params.get("suggestion", "")).partition(":")[0]]
    }
    return [
        problem
        for problem in problems
        if problem.code != "missing-key" or (problem.file, problem.path, problem.params["key"]) not in meant
    ]


def known_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the keys a file may use at `path`, as it spells them."""
    current: Any = model
    for step in path:
        if isinstance(step, int):
            continue
        field = _field(current, step) if _is_model(current) else None
        current = _inner(field.annotation) if field is not None else current
    return [field.alias or name for name, field in current.model_fields.items()] if _is_model(current) else []


def _field(model: type[BaseModel], key: str) -> Any:
    return next((f for name, f in model.model_fields.items() if (f.alias or name) == key), None)


def _inner(annotation: Any) -> Any:
    """Return the model inside `list[Model]`, `dict[str, Model]` or `Model | None`."""
    if _is_model(annotation):
        return annotation
    found = (_inner(argument) for argument in getattr(annotation, "__args__", ()))
    return next((inner for inner in found if _is_model(inner)), None)


def _is_model(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseModel)
