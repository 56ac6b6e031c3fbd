"""What was said too late or not at all: memory that runs out, a tag that is gone, an image without a shell."""

from __future__ import annotations

import shlex

import pytest

from tests.engine.conftest import BASE
from tests.engine.e2e import NOTHING, Places, bare, engine_name, objects

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

HOG = ("perl", "-e", "$x = 'a'; $x x= 200 * 1024 * 1024")


def test_memory_that_ran_out_is_named_and_a_lost_tag_blocks_nothing(places: Places) -> None:
    place = places()
    ref = f"envspec-test/{place.name}"
    bare("tag", BASE, ref)
    try:
        place.write(image=ref, mount_cwd=False, memory="64m")
        place.apply()
        killed = place.run("exec", place.name, "--", *HOG, code=137)
        assert "for lack of memory" in killed.stderr
        place.write(image=f"{ref}:latest", mount_cwd=False, memory="64m", setup_commands=["true"])
        box = place.id
        bare(*(("rmi", "-f", ref) if engine_name() == "docker" else ("untag", ref, ref)))
        planned = {item["address"]: item["action"] for item in place.plan()["changes"]}
        assert (planned["base_image.workspace"], "container.workspace" in planned) == ("create", False)
        place.apply()
        assert (place.id, place.plan()["changes"]) == (box, [])
        place.write(image=ref, mount_cwd=False, memory="64m", setup_commands=["true", shlex.join(HOG)])
        assert "for lack of memory" in place.run("apply", ".", "--yes", code=1).stderr
    finally:
        bare("rmi", "-f", ref, code=None)


def test_an_image_that_cannot_be_a_workspace_leaves_no_container(places: Places) -> None:
    place = places()
    ref = f"envspec-test/{place.name}:1"
    (place.directory / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    bare("build", "--tag", ref, str(place.directory))
    try:
        place.write(image=ref, mount_cwd=False)
        for words in (("plan", "."), ("apply", ".", "--yes")):
            error = place.told(*words, code=3).error
            assert (error["code"], "cannot be a workspace" in error["message"]) == ("image.lacks_tools", True)
            assert error["where"]["line"] == 2
        assert objects(place.name) == NOTHING
    finally:
        bare("rmi", "-f", ref, code=None)
