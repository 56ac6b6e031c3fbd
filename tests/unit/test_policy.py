"""What is refused before anything is done."""

from __future__ import annotations

import pytest

from envspec.engine.objects import ContainerConfig, Mount
from envspec.errors import Refused
from envspec.kinds.container import ContainerSpec
from envspec.kinds.service_state import ServiceSpec
from envspec.model import Action, Change, Desired, Disruption, Plan, Resource, Summary
from envspec.policy import refuse_losses, refuse_remote_binds, refuse_without_consent

BIND = {"type": "bind", "source": "/srv/site", "target": "/site"}
VOLUME = {"type": "volume", "source": "shop_data", "target": "/data"}
FAR = "tcp://far:2376"


def workspace(*mounts: Mount) -> Resource:
    return Resource("container.workspace", "container", ContainerSpec(ContainerConfig("i", mounts=mounts)))


def service(*volumes: dict[str, str]) -> Resource:
    return Resource("service.web", "service", ServiceSpec("web", "shop-web-1", "i", {"volumes": list(volumes)}))


@pytest.mark.parametrize(
    ("resource", "source"),
    [
        (workspace(Mount("/workspace", "bind", "/home/ada/shop")), "/home/ada/shop"),
        (service(VOLUME, BIND), "/srv/site"),
    ],
)
def test_an_engine_elsewhere_binds_no_file_of_this_host(resource: Resource, source: str) -> None:
    desired = Desired("shop", (resource,))
    with pytest.raises(Refused) as error:
        refuse_remote_binds(desired, FAR)
    assert source in error.value.message
    assert FAR in error.value.message
    assert (error.value.code, error.value.where.address) == ("refused.remote_bind", resource.address)
    assert "mount_cwd: false" in error.value.hint
    refuse_remote_binds(desired, "")


@pytest.mark.parametrize("resource", [workspace(Mount("/workspace", "volume", "v")), service(VOLUME), service()])
def test_volumes_are_as_good_there_as_here(resource: Resource) -> None:
    refuse_remote_binds(Desired("shop", (resource, Resource("file./a", "file", None))), FAR)


GOES = Change(
    "container.workspace",
    "container",
    Action.DELETE,
    "no longer wanted",
    (),
    Disruption.REPLACE,
    ("/opt/a (undeclared)",),
    interrupts=True,
)
PLAN = Plan("shop", "", Summary(delete=1), (GOES,))


def test_a_refused_destroy_says_what_to_do_in_its_own_words() -> None:
    with pytest.raises(Refused) as error:
        refuse_losses(PLAN, (), command="envspec destroy shop --yes")
    assert error.value.message == "container.workspace would lose /opt/a (undeclared)"
    assert "`envspec destroy shop --yes --allow-data-loss container.workspace`" in error.value.hint
    assert "`envspec cp shop:PATH .`" in error.value.hint
    with pytest.raises(Refused) as error:
        refuse_losses(PLAN, ("volume.data",))
    assert "add --allow-data-loss volume.data --allow-data-loss container.workspace" in error.value.hint


def test_whoever_said_no_reads_what_was_not_done_and_how_to_approve_it() -> None:
    with pytest.raises(Refused) as error:
        refuse_without_consent(PLAN, "envspec destroy shop --yes")
    assert error.value.message == "Not approved: delete container.workspace. Nothing was changed."
    assert error.value.hint == "add --yes to approve it: `envspec destroy shop --yes`"
    with pytest.raises(Refused) as error:
        refuse_without_consent(PLAN)
    assert error.value.hint == "add --yes to approve it"
