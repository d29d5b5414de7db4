"""The doctor tries each layer, says what brings what is missing, and never hangs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field

import pytest
from click.testing import CliRunner

import gateway.messages  # noqa: F401  (declares the words)
from gateway.doctor import host as host_module
from gateway.doctor import probes
from gateway.doctor.findings import Finding, Group, State, exit_code
from gateway.doctor.host import Answer, ThisHost
from zones.errors import ExitCode
from zones.messages import catalogue


@dataclass
class MemoryHost:
    """A machine in memory: what is absent, what is refused, what the small files say."""

    absent: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)  # word in the command → complaint
    files: dict[str, str] = field(default_factory=dict)
    landlock: int = 4
    seccomp: bool = True
    root: bool = False

    def find(self, command: str) -> str | None:
        return None if command in self.absent else f"/usr/bin/{command}"

    def run(self, arguments: list[str], stdin: str = "") -> Answer:
        line = " ".join(arguments)
        for word, complaint in self.refused.items():
            if word in line:
                return Answer(False, complaint)
        return Answer(True, f"{arguments[0]} version 1.2.3 (name)")

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def is_root(self) -> bool:
        return self.root

    def seccomp_filter(self) -> bool:
        return self.seccomp

    def no_new_privileges(self) -> bool:
        return True

    def landlock_abi(self) -> int:
        return self.landlock


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_a_complete_machine_is_ready() -> None:
    findings = probes.examine(MemoryHost())
    assert exit_code(findings) is ExitCode.OK
    assert named(findings, "nft").detail == "1.2.3"


def test_a_missing_tool_names_its_package_and_makes_the_machine_unready() -> None:
    findings = probes.examine(MemoryHost(absent={"nft"}))
    nft = named(findings, "nft")
    assert nft.state is State.MISSING
    assert nft.cure is not None
    assert nft.cure.params == {"package": "nftables"}
    assert exit_code(findings) is ExitCode.UNAVAILABLE


def test_a_missing_optional_tool_is_no_fault() -> None:
    findings = probes.examine(MemoryHost(absent={"swaks", "bwrap"}))
    assert named(findings, "swaks").state is State.OPTIONAL
    assert exit_code(findings) is ExitCode.OK


@pytest.mark.parametrize(("path", "value", "line"), probes.USER_NAMESPACE_SWITCHES)
def test_forbidden_user_namespaces_name_the_switch_that_forbids_them(
    path: str, value: str, line: str
) -> None:
    host = MemoryHost(refused={"unshare": "Operation not permitted"}, files={path: value})
    finding = named(probes.examine(host), "namespaces")
    assert finding.state is State.MISSING
    assert finding.detail == "Operation not permitted"
    assert finding.cure is not None
    assert finding.cure.params == {"line": line}


def test_a_refused_namespace_without_a_switch_points_at_the_container() -> None:
    host = MemoryHost(refused={"unshare": "Operation not permitted"})
    cure = named(probes.examine(host), "namespaces").cure
    assert cure is not None
    assert cure.code == "doctor-cure-container"


def test_what_needs_a_namespace_is_not_tried_without_one() -> None:
    findings = probes.examine(MemoryHost(refused={"unshare": "Operation not permitted"}))
    cures = {f.name: f.cure.code for f in findings if f.group is Group.NETWORK and f.cure is not None}
    assert {cures[trial.name] for trial in probes.TRIALS} == {"doctor-cure-namespaces-first"}


def test_root_goes_without_a_user_namespace_where_the_host_refuses_one() -> None:
    findings = probes.examine(MemoryHost(refused={"--user": "Operation not permitted"}, root=True))
    assert named(findings, "namespaces").state is State.OK
    assert exit_code(findings) is ExitCode.OK


def test_a_kernel_that_refuses_the_rule_set_is_found_although_nft_is_there() -> None:
    findings = probes.examine(MemoryHost(refused={"nft -f -": "Could not process rule: No such file"}))
    assert named(findings, "nft").state is State.OK
    assert named(findings, "packet-filter").state is State.MISSING
    assert named(findings, "strict-tracking").state is State.MISSING


def test_seccomp_is_needed_and_landlock_is_not() -> None:
    findings = probes.examine(MemoryHost(landlock=0, seccomp=False))
    assert named(findings, "landlock").state is State.OPTIONAL
    assert named(findings, "seccomp").state is State.MISSING


def test_a_library_of_an_extra_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        probes.metadata, "requires", lambda _: ['not-a-library>=1; extra == "mail"', "click>=8"]
    )
    findings = probes.examine(MemoryHost())
    mail = named(findings, "libraries-mail")
    assert (mail.state, mail.detail) == (State.MISSING, "not-a-library")
    assert named(findings, "libraries").state is State.OK


def test_every_finding_has_its_words() -> None:
    for host in (MemoryHost(), MemoryHost(absent={tool.command for tool in probes.TOOLS}, landlock=0)):
        for finding in probes.examine(host):
            assert finding.purpose in catalogue()
            assert f"doctor-group-{finding.group}" in catalogue()
            assert f"doctor-state-{finding.state}" in catalogue()
            if finding.cure is not None:
                assert finding.cure.code in catalogue()


def test_the_report_is_in_the_order_of_the_groups() -> None:
    groups = [finding.group for finding in probes.examine(MemoryHost())]
    assert groups == sorted(groups, key=list(Group).index)


class TestThisHost:
    def test_a_hanging_command_ends_at_its_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(host_module, "COMMAND_SECONDS", 0.05)
        assert ThisHost().run([sys.executable, "-c", "import time; time.sleep(30)"]) == (
            False,
            "no answer in 0.05 s",
        )

    def test_a_refusal_gives_the_tools_own_words(self) -> None:
        answer = ThisHost().run([sys.executable, "-c", "import sys; sys.exit('not permitted')"])
        assert answer == (False, "not permitted")

    def test_an_absent_command_is_an_answer_not_an_exception(self) -> None:
        assert ThisHost().find("no-such-command") is None
        assert not ThisHost().run(["no-such-command"]).ok

    def test_the_kernel_answers_without_being_changed(self) -> None:
        host = ThisHost()
        assert host.no_new_privileges()
        assert host.landlock_abi() >= 0
        assert host.seccomp_filter() == host.seccomp_filter()


def test_json_gives_one_object_for_each_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.cli.doctor import command

    monkeypatch.setattr(host_module, "ThisHost", lambda: MemoryHost(absent={"ip"}))
    done = CliRunner().invoke(command, ["--json", "-q"], standalone_mode=False)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.return_value is ExitCode.UNAVAILABLE
    assert [record["state"] for record in records if record["name"] == "ip"] == ["missing"]


@pytest.mark.kernel
def test_this_machine_is_ready_for_lab_and_gateway() -> None:
    findings = probes.examine(ThisHost())
    assert [(f.name, f.detail) for f in findings if f.state is State.MISSING] == []
