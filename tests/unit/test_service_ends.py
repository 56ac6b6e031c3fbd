"""How a service came to be as it is: one that ended well is converged, and nobody's hand is blamed without a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envspec.api.inventory import services
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerState
from envspec.errors import SpecError
from envspec.kinds.service_state import ServiceSpec
from envspec.model import Cause
from tests.unit.test_compose import box, compared, made, spec_of


def service(directory: Path, **keys: Any) -> ServiceSpec:
    return spec_of(made(directory, {"services": {"db": {"image": "x", **keys}}}), "db")


@pytest.mark.parametrize(
    "keys",
    [
        {"restart": "no"},
        {"restart": "on-failure"},
        {"restart": "on-failure:3"},
        {"deploy": {"restart_policy": {"condition": "none"}}},
    ],
)
def test_a_service_that_ended_well_as_its_author_wrote_is_not_run_again(tmp_path: Path, keys: dict[str, Any]) -> None:
    spec = service(tmp_path, **keys)
    ended = box(spec, status="exited")
    assert spec.may_end
    assert compared(spec, ended) is None
    failed = compared(spec, replace(ended, exit_code=3))
    assert failed is not None
    assert "it exited with 3" in failed.reason


@pytest.mark.parametrize("keys", [{}, {"restart": "always"}, {"restart": "unless-stopped"}])
def test_a_service_that_was_stopped_is_started_again(tmp_path: Path, keys: dict[str, Any]) -> None:
    spec = service(tmp_path, **keys)
    verdict = compared(spec, box(spec, status="exited"))
    assert verdict is not None
    assert "it exited with 0" in verdict.reason


@pytest.mark.parametrize(
    ("state", "reason", "cause"),
    [
        ({"status": "created"}, "it was created, but not started", Cause.ENGINE),
        ({"status": "exited", "exit_code": 1}, "it exited with 1", Cause.DRIFT),
        ({"health": "unhealthy"}, "it is unhealthy", Cause.DRIFT),
        ({"status": "paused"}, "it is paused", Cause.DRIFT),
    ],
)
def test_a_state_says_how_it_came_to_be(tmp_path: Path, state: dict[str, Any], reason: str, cause: Cause) -> None:
    spec = service(tmp_path)
    verdict = compared(spec, replace(box(spec), **state))
    assert verdict is not None
    assert (verdict.reason, verdict.diff[0].cause) == (reason, cause)
    assert "hand" not in verdict.reason


def test_a_rebuilt_image_is_called_that(tmp_path: Path) -> None:
    spec = service(tmp_path)
    verdict = compared(spec, box(spec), image="sha256:b")
    assert verdict is not None
    assert verdict.reason == "its reference names another image now"


def test_the_exit_code_of_a_service_is_shown(tmp_path: Path) -> None:
    ended = replace(box(service(tmp_path), status="exited"), exit_code=3)

    class Engine(FakeEngine):
        def containers(self, env: str = "", names: Any = ()) -> tuple[ContainerState, ...]:  # noqa: ARG002 - contract
            return (ended,)

    (row,) = services(Engine(), "shop")
    assert row.status == "exited (3)"


def test_a_bind_whose_source_is_missing_is_said_before_the_engine_makes_a_directory(tmp_path: Path) -> None:
    short = {"type": "bind", "source": "conf", "target": "/conf", "bind": {"create_host_path": True}}
    found = made(tmp_path, {"services": {"db": {"image": "x", "volumes": [short]}}})
    assert f"db: {tmp_path}/conf does not exist: the engine will make an empty directory there" in found.notes
    (tmp_path / "conf").touch()
    assert not made(tmp_path, {"services": {"db": {"image": "x", "volumes": [short]}}}).notes


@pytest.mark.parametrize(
    "document",
    [
        {"services": {"db": {"image": "x", "volumes": [{"type": "bind", "source": "gone", "target": "/x"}]}}},
        {"services": {"db": {"image": "x", "secrets": [{"source": "s"}]}}, "secrets": {"s": {"file": "gone"}}},
        {"services": {"db": {"image": "x", "configs": [{"source": "s"}]}}, "configs": {"s": {"file": "gone"}}},
    ],
)
def test_a_source_that_no_engine_makes_is_refused_before_anything_happens(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    with pytest.raises(SpecError, match="gone does not exist") as caught:
        made(tmp_path, document)
    assert caught.value.code == "compose.missing"


def test_a_secret_that_no_service_uses_may_be_missing(tmp_path: Path) -> None:
    made(tmp_path, {"services": {"db": {"image": "x"}}, "secrets": {"s": {"file": "gone"}}})
