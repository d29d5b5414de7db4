"""What the gateway demands of its host: every interface and address named, every setting as it must be."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gateway.kernel import host
from gateway.kernel.host import (
    DEMANDED,
    Interface,
    check_interfaces,
    demand_settings,
    demanded_settings,
    interfaces,
    load_ruleset,
    put_in_force,
    read_sysctl,
    run_tool,
    set_forwarding,
    unmet_settings,
    write_sysctl,
)
from gateway.kernel.staging import CLOSED_TABLE, TABLES, Ruleset
from zones.address import parse_address
from zones.errors import BackendError
from zones.load import load_policy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(20)

ZONES = {
    "a": {
        "interfaces": ["a0", "a1"],
        "networks": ["10.1.0.0/16", "2001:db8:1::/48"],
        "gateway": ["10.1.0.254", "2001:db8:1::fe"],
    },
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"], "gateway": ["10.2.0.254"]},
}
POLICY = load_policy(
    {
        "x.yaml": json.dumps(
            {
                "schema": "1",
                "meta": {"name": "x"},
                "zones": ZONES,
                "management": {"interface": "ad0", "networks": ["10.99.0.0/24"]},
            }
        )
    }
)


def interface(name: str, *addresses: str, up: bool = True) -> Interface:
    return Interface(name, up, tuple(map(parse_address, addresses)))


GOOD = [
    interface("a0", "10.1.0.254", "2001:db8:1::fe", "fe80::1"),
    interface("a1"),
    interface("b0", "10.2.0.254"),
    interface("ad0", "10.99.0.254", "192.168.1.1"),
]


def with_(*changed: Interface) -> list[Interface]:
    names = {entry.name for entry in changed}
    return [entry for entry in GOOD if entry.name not in names] + list(changed)


def test_a_host_that_is_as_the_policy_says_is_accepted() -> None:
    check_interfaces(POLICY, GOOD)
    # What is down leads nowhere.
    check_interfaces(POLICY, with_(interface("eth9", "192.168.0.1", up=False)))
    # An address the policy gives us need not be there.
    check_interfaces(POLICY, with_(interface("b0")))


@pytest.mark.parametrize(
    ("present", "code", "params"),
    [
        (with_(interface("a1", up=False)), "interface-missing", {"interface": "a1", "zone": "a"}),
        ([e for e in GOOD if e.name != "b0"], "interface-missing", {"interface": "b0", "zone": "b"}),
        (with_(interface("eth9")), "interface-unnamed", {"interface": "eth9"}),
        (with_(interface("b0", "10.2.0.253")), "address-unnamed", {"interface": "b0", "zone": "b"}),
        # Our own address of another zone, and a link-local of the wrong family.
        (with_(interface("b0", "10.1.0.254")), "address-unnamed", {"interface": "b0", "zone": "b"}),
        (with_(interface("b0", "169.254.1.1")), "address-unnamed", {"interface": "b0", "zone": "b"}),
        (with_(interface("a0", "2001:db8:1::fd")), "address-unnamed", {"interface": "a0", "zone": "a"}),
        (with_(interface("a0", "fec0::1")), "address-unnamed", {"interface": "a0", "zone": "a"}),
    ],
)
def test_what_is_missing_or_too_much_is_refused_by_name(
    present: list[Interface], code: str, params: dict[str, str]
) -> None:
    with pytest.raises(BackendError) as refused:
        check_interfaces(POLICY, present)
    assert refused.value.code == code
    assert {name: refused.value.params[name] for name in params} == params


# --- settings --------------------------------------------------------------------------------------------


@pytest.fixture
def sys_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc/sys in which everything is as demanded, for a0 and a VLAN on it."""
    monkeypatch.setattr(host, "_SYS", tmp_path)
    for name, value in demanded_settings(["a0", "a0.7"]).items():
        place = host._sysctl_path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{value}\n")
    for name in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
        (tmp_path / name).write_text("0\n")
    return tmp_path


def test_settings_are_demanded_of_every_interface_and_of_those_to_come() -> None:
    names = demanded_settings(["a0"])
    assert names["net.ipv4.conf.all.send_redirects"] == "0"
    assert names["net.ipv4.conf.default.send_redirects"] == "0"
    assert names["net.ipv4.conf.a0.send_redirects"] == "0"
    assert names["net.ipv6.conf.a0.accept_ra"] == "0"
    assert names["net.netfilter.nf_conntrack_tcp_loose"] == "0"
    assert len(names) == sum(3 if "{scope}" in name else 1 for name in DEMANDED)
    assert not any("{" in name for name in names)


def test_nothing_is_unmet_where_all_is_as_demanded(sys_: Path) -> None:
    assert unmet_settings(["a0", "a0.7"]) == {}


def test_what_differs_is_found_and_set_also_on_an_interface_with_a_dot(sys_: Path) -> None:
    vlan = sys_ / "net/ipv4/conf/a0.7/rp_filter"
    assert vlan.exists()
    vlan.write_text("1\n")
    (sys_ / "net/netfilter/nf_conntrack_tcp_loose").write_text("1\n")
    assert unmet_settings(["a0", "a0.7"]) == {
        "net.ipv4.conf.a0/7.rp_filter": ("1", "0"),
        "net.netfilter.nf_conntrack_tcp_loose": ("1", "0"),
    }
    demand_settings(["a0", "a0.7"])
    assert vlan.read_text() == "0"
    assert unmet_settings(["a0", "a0.7"]) == {}


def test_a_kernel_without_ipv6_demands_none_of_it(sys_: Path) -> None:
    for place in (sys_ / "net/ipv6").rglob("*"):
        if place.is_file():
            place.unlink()
    assert unmet_settings(["a0"]) == {}
    set_forwarding(True)
    assert read_sysctl("net.ipv4.ip_forward") == "1"
    assert read_sysctl("net.ipv6.conf.all.forwarding") is None


def test_a_setting_that_is_not_there_or_cannot_be_set_is_refused(sys_: Path) -> None:
    place = sys_ / "net/netfilter/nf_conntrack_tcp_loose"
    place.unlink()
    place.mkdir()
    with pytest.raises(BackendError) as refused:
        demand_settings(["a0"])
    assert (refused.value.code, refused.value.params["value"]) == ("sysctl-unmet", "0")
    with pytest.raises(BackendError) as refused:
        write_sysctl("net.ipv4.no.such", "1")
    assert refused.value.code == "sysctl-write"


def test_forwarding_is_of_both_families(sys_: Path) -> None:
    for on, value in ((True, "1"), (False, "0")):
        set_forwarding(on)
        assert read_sysctl("net.ipv4.ip_forward") == value
        assert read_sysctl("net.ipv6.conf.all.forwarding") == value


# --- tools -----------------------------------------------------------------------------------------------


def test_the_words_of_a_tool_that_fails_are_kept() -> None:
    assert run_tool(sys.executable, "-c", "print(input())", stdin="said") == "said\n"
    with pytest.raises(BackendError) as refused:
        run_tool(sys.executable, "-c", "import sys; sys.exit('why not')")
    assert refused.value.code == "tool-failed"
    assert refused.value.params["detail"] == "why not"
    with pytest.raises(BackendError) as refused:
        run_tool(sys.executable, "-c", "raise SystemExit(3)")
    assert refused.value.params["detail"] == "?"


def test_a_tool_that_is_missing_or_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError) as refused:
        run_tool("no-such-tool-anywhere")
    assert (refused.value.code, refused.value.params["tool"]) == ("tool-missing", "no-such-tool-anywhere")
    monkeypatch.setattr(host, "NFT_SECONDS", 0.2)
    with pytest.raises(BackendError) as refused:
        run_tool("sleep", "30")
    assert (refused.value.code, refused.value.params["tool"]) == ("tool-timeout", "sleep")


def test_interfaces_are_read_but_for_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [
        {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "addr_info": [{"local": "127.0.0.1"}]},
        {"ifname": "a0", "flags": ["UP"], "addr_info": [{"local": "10.1.0.1"}, {"local": "fe80::1"}, {}]},
        {"ifname": "b0", "flags": []},
    ]
    monkeypatch.setattr(host, "run_tool", lambda *command, stdin="": json.dumps(listed))
    assert interfaces() == [interface("a0", "10.1.0.1", "fe80::1"), interface("b0", up=False)]
    monkeypatch.setattr(host, "run_tool", lambda *command, stdin="": "")
    assert interfaces() == []


# --- putting a ruleset in force ----------------------------------------------------------------------------


class Nft:
    """nft as `put_in_force` uses it: which tables are there, what was loaded, what is to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *tables: str) -> None:
        self.tables, self.loaded, self.fails = set(tables), [], ""
        monkeypatch.setattr(host, "load_ruleset", self.load)
        monkeypatch.setattr(host, "list_chains", lambda name: {"forward"} if name in self.tables else set())

    def load(self, text: str) -> None:
        self.loaded.append(text)
        if text == self.fails:
            raise BackendError("tool-failed", tool="nft", detail="as the test wants it")


RULESET = Ruleset(table=TABLES[0], stages=("one", "two"), swap="swap")


def test_stages_are_loaded_in_order_and_the_swap_last(monkeypatch: pytest.MonkeyPatch) -> None:
    nft = Nft(monkeypatch)
    put_in_force(RULESET)
    assert nft.loaded == ["one", "two", "swap"]


@pytest.mark.parametrize("text", ["one", "two", "swap"])
def test_what_was_begun_is_taken_away_when_another_table_stands(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    nft = Nft(monkeypatch, CLOSED_TABLE)
    nft.fails = text
    with pytest.raises(BackendError):
        put_in_force(RULESET)
    assert f"delete table inet {TABLES[0]}" in nft.loaded[-1]


def test_the_last_table_standing_is_never_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    nft = Nft(monkeypatch, TABLES[0])
    nft.fails = "swap"
    with pytest.raises(BackendError):
        put_in_force(RULESET)
    assert nft.loaded[-1] == "swap"


def test_text_goes_to_nft_as_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(host, "run_tool", lambda *command, stdin="": asked.append((command, stdin)) or "")
    load_ruleset("text")
    assert asked == [(("nft", "-f", "-"), "text")]
