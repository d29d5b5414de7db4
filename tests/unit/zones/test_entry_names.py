"""The names of a policy stand in nftables text, log prefixes and terminals: only plain ones get there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zones.errors import PolicyError
from zones.load import load_policy

HOSTILE = [
    'z" { }\n}\ntable inet evil { chain f { type filter hook forward priority -500; accept; } }\n#',
    'z"; add rule inet x y accept #',
    "z\n",
    "z }",
    "\u202ez",
    "z\x1b]0;owned\x07",
    "z|allow|flow",
    "z/z",
    "ゾーン",
    "z" * 33,
    "",
]
SECTIONS = {
    "zones": {"interfaces": ["mn9"], "networks": ["10.9.0.0/16"]},
    "hosts": {"zone": "a", "ip": "10.1.0.1"},
    "groups": {"zone": "a", "networks": ["10.1.0.0/24"]},
    "services": ["tcp/443"],
    "names": {"hosts": ["x.example"]},
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("section", SECTIONS)
def test_a_name_that_could_be_read_as_more_than_a_name_is_refused(section: str, name: str) -> None:
    document: dict[str, Any] = {
        "schema": "1",
        "meta": {"name": "c"},
        "zones": {"a": {"interfaces": ["mn0"], "networks": ["10.1.0.0/16"]}},
    }
    document[section] = {**document.get(section, {}), name: SECTIONS[section]}
    with pytest.raises(PolicyError) as caught:
        load_policy({"city.yaml": json.dumps(document)})
    assert "bad-name" in {problem.code for problem in caught.value.problems}
