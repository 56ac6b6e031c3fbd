"""What services get besides what their documents say, and who decides where both speak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from envspec.compose.hardening import CAPABILITIES, MEMORY, PIDS, harden, observed
from envspec.compose.read import Document
from envspec.errors import SpecError
from envspec.kinds import names
from envspec.model import Action, Cause
from tests.unit.test_compose import ENV, box, compared, document, handed, made, spec_of


def test_a_service_that_says_nothing_is_confined() -> None:
    given = harden({"image": "x"})
    assert given.service == {
        "image": "x",
        "cap_add": sorted(CAPABILITIES),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "mem_limit": str(MEMORY),
        "pids_limit": PIDS,
    }
    assert given.defaults == ("cap_add", "cap_drop", "init", "mem_limit", "pids_limit", "security_opt")
    assert given.loosened == ()


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ({"cap_drop": ["ALL"]}, {"cap_add": []}),
        ({"cap_drop": ["all"], "cap_add": ["CAP_CHOWN"]}, {"cap_add": ["CHOWN"], "cap_drop": ["ALL"]}),
        ({"cap_drop": ["KILL", "NET_RAW"]}, {"cap_add": sorted({*CAPABILITIES} - {"KILL"})}),
        ({"security_opt": ["no-new-privileges:true"]}, {"security_opt": ["no-new-privileges"]}),
        ({"mem_limit": "1048576"}, {"mem_limit": "1048576"}),
        ({"pids_limit": 7}, {"pids_limit": 7}),
        ({"mem_reservation": str(2 * MEMORY)}, {"mem_limit": str(2 * MEMORY)}),
    ],
)
def test_what_the_document_says_stricter_holds(service: dict[str, Any], found: dict[str, Any]) -> None:
    given = harden(service)
    assert {key: given.service[key] for key in found} == found
    assert given.loosened == ()


@pytest.mark.parametrize(
    ("service", "without", "absent", "loosened"),
    [
        ({"cap_add": ["NET_RAW"]}, (), (), ("capability NET_RAW",)),
        ({"cap_add": ["ALL"]}, (), ("cap_drop",), ("all capabilities",)),
        ({"privileged": True}, (), ("cap_drop", "security_opt"), ("privileged",)),
        ({"security_opt": ["no-new-privileges:false"]}, (), (), ("new privileges allowed",)),
        ({"init": False}, (), (), ("no init",)),
        ({"pids_limit": -1}, (), (), ("no limit on processes",)),
        ({}, ("memory",), ("mem_limit",), ("no limit on memory",)),
        ({}, ("pids", "init"), ("pids_limit", "init"), ("no init", "no limit on processes")),
        ({}, ("cap_drop",), ("cap_drop", "cap_add"), ("the engine's own list of capabilities",)),
        ({}, ("no-new-privileges",), ("security_opt",), ("new privileges allowed",)),
    ],
)
def test_what_the_document_says_looser_holds_and_is_named(
    service: dict[str, Any], without: tuple[str, ...], absent: tuple[str, ...], loosened: tuple[str, ...]
) -> None:
    given = harden(service, without)
    assert {key: given.service[key] for key in service if key != "cap_add"} == {
        key: value for key, value in service.items() if key != "cap_add"
    }
    assert not {*absent} & given.service.keys()
    assert given.loosened == loosened


def test_limits_are_written_in_the_spelling_of_the_document_for_compose_takes_one() -> None:
    given = harden({"deploy": {"replicas": 2, "resources": {"limits": {"cpus": 0.5}}}})
    assert given.service["deploy"] == {
        "replicas": 2,
        "resources": {"limits": {"cpus": 0.5, "pids": PIDS, "memory": str(MEMORY)}},
    }
    assert not {"pids_limit", "mem_limit"} & given.service.keys()


def test_strict_services_are_confined_further() -> None:
    given = harden({"tmpfs": ["/run:mode=755"], "volumes": [{"type": "volume", "target": "/tmp"}]}, strict=True)
    assert (given.service["read_only"], given.service["cpus"]) == (True, 1.0)
    assert given.service["tmpfs"] == ["/run:mode=755", "/var/tmp"]
    waived = harden({}, ("read_only", "cpus"), strict=True)
    assert not {"read_only", "tmpfs", "cpus"} & waived.service.keys()
    assert waived.loosened == ("no limit on processors", "a writable root filesystem")


def test_what_an_engine_shows_in_other_words_is_not_compared() -> None:
    assert observed(harden({}).service)["cap_add"] == tuple(sorted(CAPABILITIES))
    assert observed(harden({"privileged": True}).service) == {"init": True, "read_only": False}
    assert "security_opt" not in observed(harden({"security_opt": ["seccomp=unconfined"]}).service)
    assert "security_opt" not in observed(harden({"pid": "host"}).service)
    assert "cap_drop" not in observed(harden({"cap_add": ["ALL"]}).service)


def test_a_service_names_what_it_does_without_and_the_plan_says_so(tmp_path: Path) -> None:
    service = {"image": "x", "x-envspec": {"without": ["memory", "no-new-privileges"]}}
    compose = {"services": {"db": service, "web": {"image": "x"}}}
    found = made(tmp_path, compose)
    assert "mem_limit" not in handed(found, "db")
    assert "mem_limit" in handed(found, "web")
    assert found.notes == (
        "db is less confined than services are by default: new privileges allowed, no limit on memory",
    )
    effects = document(tmp_path, compose).effects
    assert [(effect.name, effect.address) for effect in effects] == [("security-opt", "service.db")]


@pytest.mark.parametrize("said", [{"without": ["memry"]}, {"with": ["init"]}, "without"], ids=["word", "key", "text"])
def test_a_waiver_with_a_slip_is_no_waiver(said: object, tmp_path: Path) -> None:
    def read() -> Document:
        return document(tmp_path, {"services": {"db": {"image": "x", "x-envspec": said}}})

    with pytest.raises(SpecError) as caught:
        read()
    assert "memory" in caught.value.hint


def test_a_service_of_an_older_version_is_replaced_and_no_hand_is_blamed(tmp_path: Path) -> None:
    spec = spec_of(made(tmp_path, {"services": {"db": {"image": "x"}}}), "db")
    kept = json.loads(spec.remembered)
    kept["settings"] = {key: value for key, value in kept["settings"].items() if key not in spec.defaults}
    labels = {**names.labels(ENV, "service", spec.address), names.SETTINGS: json.dumps(kept)}
    plain = dict.fromkeys(("cap_add", "cap_drop", "security_opt"), ()) | {"init": False, "memory": None, "pids": None}
    verdict = compared(spec, box(spec, labels=labels, config=plain))
    assert verdict is not None
    assert {diff.cause for diff in verdict.diff} == {Cause.SPEC}
    assert verdict.reason == (
        "new defaults of envspec for services: cap_add, cap_drop, init, mem_limit, pids_limit, security_opt"
    )


@pytest.mark.parametrize(
    ("config", "path", "action"),
    [
        ({"pids": 5}, "pids", Action.UPDATE),
        ({"cap_add": (*sorted(CAPABILITIES), "SYS_ADMIN")}, "cap_add", Action.REPLACE),
        ({"cap_drop": ()}, "cap_drop", Action.REPLACE),
        ({"security_opt": ()}, "security_opt", Action.REPLACE),
        ({"init": False}, "init", Action.REPLACE),
    ],
)
def test_a_confinement_that_a_hand_took_away_is_drift(
    config: dict[str, Any], path: str, action: Action, tmp_path: Path
) -> None:
    spec = spec_of(made(tmp_path, {"services": {"db": {"image": "x"}}}), "db")
    verdict = compared(spec, box(spec, config=config))
    assert verdict is not None
    assert (verdict.action, [(d.path, d.cause) for d in verdict.diff]) == (action, [(path, Cause.DRIFT)])
