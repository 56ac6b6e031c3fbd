"""Two networks of one name, as two clients make at once: the one that is used stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plans import CHANGES, PlannedWorld

DOC = {"image": "debian:13", "networks": ["shared"]}


@pytest.mark.parametrize("before", range(4))
def test_the_network_that_the_workspace_is_on_is_kept(before: int, tmp_path: Path) -> None:
    world = PlannedWorld(tmp_path, plain=True)
    for _ in range(before):
        world.engine.new_id()  # IDs decide the order in which an engine lists networks
    world.applied(DOC)
    CHANGES["race network"](world, "shared")
    used = world.engine.container("shop-workspace").networks["shared"].network_id
    world.applied(DOC)
    assert [network.id for network in world.engine.networks() if network.name == "shared"] == [used]
    assert world.look(DOC).plan.empty
