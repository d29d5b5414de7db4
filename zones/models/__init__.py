"""Cities to begin with: the α, α', β and β' layouts of a municipal network, as files of a policy.

What all layouts share lies in `common`, what makes each what it is in its own folder; the same work has the
same flow id in all of them, so that the difference between two layouts reads as a plan for moving.
"""

from __future__ import annotations

from datetime import date, timedelta
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

MODELS = {"alpha": "alpha", "alpha-prime": "alpha_prime", "beta": "beta", "beta-prime": "beta_prime"}
"""Name of the layout → folder of its files."""

CITY = "my-city"
"""The name that the files carry until a city has its own."""

_YEAR_END = "@year-end@"
_MIN_OPEN = timedelta(days=90)


def city_files(model: str, *, today: date, name: str = CITY) -> dict[str, str]:
    """Return the files of a new city: file name → text. Its flows end with the fiscal year.

    Raises:
        KeyError: no layout is called `model`.

    >>> sorted(city_files("alpha", today=date(2026, 10, 5)))[0]
    '00-zones.yaml'
    """
    end = fiscal_year_end(today).isoformat()
    files: dict[str, str] = {}
    for folder in ("common", MODELS[model]):
        for file in _yaml_files(resources.files(__name__).joinpath(folder)):
            text = file.read_text(encoding="utf-8")
            files[file.name] = text.replace(_YEAR_END, end).replace(CITY, name)
    return files


def _yaml_files(folder: Traversable) -> list[Traversable]:
    files = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
    return sorted(files, key=lambda file: file.name)


def fiscal_year_end(today: date) -> date:
    """Return the next 31 March that is at least 90 days away.

    >>> fiscal_year_end(date(2027, 2, 1))
    datetime.date(2028, 3, 31)
    """
    end = date(today.year, 3, 31)
    return end if end - today >= _MIN_OPEN else date(today.year + 1, 3, 31)
