"""Snapshots and restores against the fake engine: what comes back, what a kill leaves, and what cannot be claimed."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from envspec import api, host
from envspec.engine.fake import FakeEngine
from envspec.engine.fake_hooks import Crashed
from envspec.engine.objects import ContainerConfig, ContainerState, ImageState
from envspec.engine.operations import Completed, Mark, Operation
from envspec.errors import Conflict, EnvspecError, Refused, StepFailed, UsageError
from envspec.events import Event, Notice, silent
from envspec.host import HostFacts
from envspec.inside.snapshot_manifest import Manifest, read
from envspec.inside.snapshot_spec import text_for
from envspec.kinds import names
from envspec.kinds.standing import Standing, standing_of
from envspec.model import Action, Report
from tests.laws.world import Everything, explain

SPEC = {
    "image": "debian:13",
    "mount_cwd": False,
    "volumes": ["data:/data"],
    "env": {"GREETING": "hello"},
    "config_files": {"/etc/shop.conf": "open\n"},
    "setup_commands": [{"run": "touch /opt/made", "as_root": True}],
}
LOSSES = Everything()


@dataclass
class Shop:
    """An environment on a fake engine, and the directory of its spec."""

    directory: Path
    engine: FakeEngine = field(default_factory=lambda: FakeEngine(images=("debian:13", "debian:14")))

    @property
    def file(self) -> Path:
        return self.directory / "env.yaml"

    def write(self, **keys: object) -> None:
        self.file.write_text(yaml.safe_dump({"name": "shop", **SPEC, **keys}, sort_keys=False))

    def apply(self, file: Path | None = None, *, yes: bool = False) -> Report:
        report = api.apply(
            file or self.file,
            api.Options(yes=yes, allow_data_loss=LOSSES if yes else ()),
            engine=self.engine,
            **doors(),
        )
        assert report.ok, explain(report)
        return report

    def plan(self, file: Path | None = None) -> list[str]:
        return [change.address for change in api.plan(file or self.file, api.Options(), engine=self.engine).changes]

    def save(self, name: str = "first", *, pause: bool = True) -> Manifest:
        return api.create_snapshot(str(self.file), name, pause=pause, engine=self.engine)

    def restore(self, name: str = "first", env: str = "", spec: Path | None = None, **more: bool) -> Report:
        options = api.Options(yes=more.get("yes", False), allow_data_loss=LOSSES if more.get("yes") else ())
        report = api.restore(name, options, env=env, spec=spec, engine=self.engine, **doors())
        assert report.ok, explain(report)
        return report

    def hand(self, path: str, text: str, env: str = "shop") -> None:
        self.engine.tamper.write_file(f"{env}-workspace", path, text)

    def text(self, path: str, env: str = "shop") -> str | None:
        node = self.engine.container(f"{env}-workspace").tree.get(path)
        return node.content.decode() if node else None

    def left(self) -> set[str]:
        """Return all containers and images that are there."""
        images = {ref for image in self.engine.snapshot_images() for ref in image.refs}
        return {box.name for box in self.engine.live.values()} | images


def doors() -> dict[str, Any]:
    return {"emit": silent, "confirm": lambda _: False, "cancel": api.Cancel()}


@pytest.fixture(autouse=True)
def here() -> Iterator[None]:
    """Let this host be one that says always the same of itself."""
    facts = HostFacts(1000, 1000, "ada", hostname=socket.gethostname())
    with (
        mock.patch.object(host, "gather", return_value=facts),
        mock.patch.object(host, "registry_reachable", return_value=False),
    ):
        yield


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.write()
    made.apply()
    for path, text in (("/data/f", "in a volume"), ("/workspace/f", "in the workspace"), ("/srv/f", "in the layer")):
        made.hand(path, text)
    return made


KEPT = {"/data/f": "in a volume", "/workspace/f": "in the workspace", "/srv/f": "in the layer"}


def kept(shop: Shop, env: str = "shop") -> dict[str, str | None]:
    return {path: shop.text(path, env) for path in KEPT}


# ── there and back ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fork_has_all_of_it_and_its_plan_is_empty(shop: Shop) -> None:
    shop.save()
    shop.hand("/data/f", "changed since")
    report = shop.restore(env="fork")
    assert [outcome.address for outcome in report.outcomes] == ["environment.workspace"]
    assert kept(shop, "fork") == KEPT
    assert shop.text("/data/f") == "changed since"
    fork = shop.directory / "fork.yaml"
    fork.write_text(text_for(read(shop.engine, "first"), "fork"))
    assert (shop.plan(fork), shop.plan()) == ([], [])
    assert shop.left() >= {"shop-workspace", "fork-workspace"}
    assert {"fork-restore", "fork-restore-volumes", "envspec-snapshot-first"}.isdisjoint(shop.left())


def test_forks_stand_side_by_side_and_a_fork_can_be_saved_too(shop: Shop) -> None:
    shop.save()
    for env in ("a", "b"):
        shop.restore(env=env)
    shop.hand("/srv/f", "of a", "a")
    api.create_snapshot("a", "second", engine=shop.engine)
    shop.restore("second", env="c")
    assert [shop.text("/srv/f", env) for env in ("a", "b", "c")] == ["of a", "in the layer", "of a"]
    assert read(shop.engine, "second").image == "debian:13"
    file = shop.directory / "c.yaml"
    file.write_text(text_for(read(shop.engine, "second"), "c"))
    assert shop.plan(file) == []


def test_the_same_environment_comes_back_only_when_its_end_is_agreed_to(shop: Shop) -> None:
    shop.save()
    shop.hand("/data/f", "changed since")
    with pytest.raises(Refused):
        shop.restore()
    assert shop.text("/data/f") == "changed since"
    shop.restore(yes=True)
    assert kept(shop) == KEPT
    assert shop.plan() == []


def test_a_port_that_somebody_holds_is_told_before_anything_is_made(shop: Shop, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as program:
        port = program.getsockname()[1]
        shop.write(ports=[f"{port}:80"])
        shop.apply(yes=True)
        shop.save()
        left = shop.left()
        with pytest.raises(Conflict, match=f":{port}/tcp is held by shop-workspace, of the environment shop") as error:
            shop.restore(env="fork")
        assert (error.value.code, "--spec FILE" in error.value.hint) == ("conflict.port", True)
        shop.restore(yes=True)
        shop.engine.tamper.stop("shop-workspace")
        with pytest.raises(Conflict, match=rf"{port}/tcp is held by .+ \(process \d+\)"):
            shop.restore(env="fork", spec=tmp_path / "fork.yaml")
        assert shop.left() == left
    text = (tmp_path / "fork.yaml").read_text()
    (tmp_path / "fork.yaml").write_text(text.replace(f"{port}:80", "0:80"))
    shop.restore(env="fork", spec=tmp_path / "fork.yaml")


def test_an_environment_that_is_gone_comes_back(shop: Shop) -> None:
    shop.save()
    options = api.Options(yes=True, volumes=True, allow_data_loss=LOSSES)
    api.destroy("shop", options, engine=shop.engine, **doors())
    assert [row.name for row in api.snapshots(shop.engine)] == ["first"]
    shop.restore()
    assert kept(shop) == KEPT
    assert shop.plan() == []


def test_a_file_takes_the_place_of_the_spec_and_is_written_where_it_is_not_there(shop: Shop, tmp_path: Path) -> None:
    shop.save()
    other = tmp_path / "other"
    other.mkdir()
    shop.restore(env="fork", spec=other / "fork.yaml")
    assert yaml.safe_load((other / "fork.yaml").read_text())["name"] == "fork"
    assert shop.plan(other / "fork.yaml") == []
    with pytest.raises(UsageError) as error:
        shop.restore(env="third", spec=other / "fork.yaml")
    assert error.value.code == "snapshot.other_spec"


def test_a_changed_image_or_a_spec_that_asks_for_another_is_seen_in_a_restored_environment(shop: Shop) -> None:
    shop.save()
    shop.restore(env="fork", spec=shop.directory / "fork.yaml")
    file = shop.directory / "fork.yaml"
    text = file.read_text()
    file.write_text(text.replace("debian:13", "debian:14"))
    assert "container.workspace" in shop.plan(file)
    file.write_text(text)
    shop.engine.tamper.retag("debian:13", shop.engine.images(["debian:14"])["debian:14"].id)
    assert "container.workspace" in shop.plan(file)


@pytest.mark.parametrize("env", ["fork", ""])
def test_an_image_that_was_rebuilt_since_undoes_no_restore(shop: Shop, env: str) -> None:
    shop.save()
    shop.engine.tamper.retag("debian:13", shop.engine.images(["debian:14"])["debian:14"].id)
    report = shop.restore(env=env, yes=not env)
    assert report.ok
    assert kept(shop, env or "shop") == KEPT
    (change,) = api.plan(shop.file, api.Options(), engine=shop.engine).changes[:1]
    assert (change.address, change.action) == ("container.workspace", Action.REPLACE)


def test_a_lease_begins_anew(shop: Shop) -> None:
    shop.write(ttl="1h")
    shop.apply()
    shop.save()
    report = shop.restore(env="fork")
    assert "lease.workspace" in [outcome.address for outcome in report.outcomes]


def test_the_manifest_tells_what_is_in_it_and_what_is_not(shop: Shop) -> None:
    shop.write(mounts=[{"host": str(shop.directory), "container": "/mnt"}])
    shop.apply(yes=True)
    manifest = shop.save()
    assert manifest == read(shop.engine, "first")
    assert [volume.address for volume in manifest.volumes] == ["volume.data", "volume.workspace"]
    assert manifest.binds == (str(shop.directory),)
    assert manifest.spec == shop.file.read_text()
    assert (manifest.env, manifest.image, manifest.paused) == ("shop", "debian:13", True)


# ── what cannot be ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_with_holes_is_named_before_it_fills_the_disk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    perform, seen = shop.engine.perform, list[Event]()

    def sparse(container_id: str, operation: Operation, **more: Any) -> Completed:
        done = perform(container_id, operation, **more)
        if isinstance(operation, Mark):
            assert set(operation.roots) == {"/", "/workspace", "/data"}
            return dataclasses.replace(done, stdout=b"hole 3221225472 /data/a b\xff\n")
        return done

    shop.apply()
    monkeypatch.setattr(shop.engine, "perform", sparse)
    api.create_snapshot(str(shop.file), "one", emit=seen.append, engine=shop.engine)
    said = [event.text for event in seen if isinstance(event, Notice)]
    assert said[0] == "/data/a b\\xff has holes: in the snapshot it takes its whole 3.0 GiB on disk"


def test_names(shop: Shop) -> None:
    shop.save()
    for name, kind, code in (
        ("first", Conflict, "snapshot.exists"),
        ("../x", UsageError, "snapshot.name"),
        ("X", UsageError, "snapshot.name"),
    ):
        with pytest.raises(kind) as error:
            shop.save(name)
        assert error.value.code == code
    with pytest.raises(UsageError) as unknown:
        shop.restore("none")
    assert unknown.value.code == "snapshot.unknown"
    with pytest.raises(UsageError) as missing:
        api.create_snapshot("nobody", "x", engine=shop.engine)
    assert missing.value.code == "env.unknown"


def test_a_snapshot_that_an_environment_runs_from_cannot_be_removed(shop: Shop) -> None:
    shop.save()
    shop.restore(env="fork")
    with pytest.raises(Conflict) as error:
        api.remove_snapshot("first", shop.engine)
    assert error.value.code == "snapshot.in_use"
    options = api.Options(yes=True, volumes=True, allow_data_loss=LOSSES)
    api.destroy("fork", options, engine=shop.engine, **doors())
    api.remove_snapshot("first", shop.engine)
    assert shop.engine.snapshot_images() == ()


def test_a_snapshots_image_is_never_taken_for_its_purposes(shop: Shop) -> None:
    shop.save()
    box = next(image for image in shop.engine.snapshot_images() if "first:box" in image.refs[0])
    own = {key: value for key, value in box.labels.items() if value}
    assert set(own) <= {names.KIND, names.SNAPSHOT, names.STANDS_FOR, names.STANDS_FOR_REF, names.DIGEST, names.BASE}
    assert own[names.KIND] == "snapshot"


BOX = ContainerState("1", "shop-workspace", "running", "sha256:snap", {}, ContainerConfig("envspec/snapshot/x:box"))
SNAP = ImageState("sha256:snap", {names.STANDS_FOR: "sha256:real", names.STANDS_FOR_REF: "debian:13"})


@pytest.mark.parametrize(
    ("labels", "image", "expected"),
    [
        ({names.RESTORED: "sha256:snap"}, SNAP, Standing("debian:13", "sha256:real")),
        ({}, SNAP, Standing("envspec/snapshot/x:box", "sha256:snap")),
        ({names.RESTORED: "sha256:other"}, SNAP, Standing("envspec/snapshot/x:box", "sha256:snap")),
        ({names.RESTORED: ""}, SNAP, Standing("envspec/snapshot/x:box", "sha256:snap")),
        ({names.RESTORED: "sha256:snap"}, ImageState("sha256:snap", {}), Standing(BOX.config.image, "sha256:snap")),
        ({names.RESTORED: "sha256:snap"}, None, Standing(BOX.config.image, "sha256:snap")),
    ],
)
def test_a_container_stands_for_another_image_only_when_both_say_so(
    labels: dict[str, str], image: ImageState | None, expected: Standing
) -> None:
    assert standing_of(dataclasses.replace(BOX, labels=labels), image) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("name: shop\nimage: x\n", "name: fork\nimage: x\n"),
        ("# head\n---\nimage: x\n", "# head\n---\nname: fork\nimage: x\n"),
        ("image: x\n", "name: fork\nimage: x\n"),
        ("image: x\nenv: {name: shop}\nname: shop # its name\n", "image: x\nenv: {name: shop}\nname: fork\n"),
    ],
)
def test_a_spec_is_renamed_and_all_else_left_as_it_is(shop: Shop, spec: str, expected: str) -> None:
    manifest = dataclasses.replace(shop.save(), spec=spec)
    assert text_for(manifest, "fork") == expected


def test_a_spec_that_cannot_be_renamed_is_said(shop: Shop) -> None:
    manifest = dataclasses.replace(shop.save(), spec="{name: shop, image: x}\n")
    with pytest.raises(UsageError) as error:
        text_for(manifest, "fork")
    assert error.value.code == "snapshot.rename"


# ── killed ───────────────────────────────────────────────────────────────────────────────────────────────────────


def killed_everywhere(engine: FakeEngine, act: Callable[[], object], after: Callable[[], None]) -> int:
    """Kill something before each of its calls in turn, look at what that left, and return how many there were."""
    for count in range(1, 200):
        engine.crash_before = count
        try:
            act()
        except Crashed:
            engine.revive()
            after()
        else:
            engine.revive()
            return count
    raise AssertionError("it never came to its end")


def test_a_snapshot_that_was_killed_is_none_and_the_next_one_cleans_up(shop: Shop) -> None:
    def after() -> None:
        listed = [row.name for row in api.snapshots(shop.engine)]
        if not listed:
            shop.save()
        assert [row.name for row in api.snapshots(shop.engine)] == ["first"]
        assert shop.left() == {
            "shop-workspace",
            *(f"envspec/snapshot/first:{p}" for p in ("box", "manifest", "volumes")),
        }
        assert shop.engine.container("shop-workspace").status == "running"
        shop.restore(env="fork")
        assert kept(shop, "fork") == KEPT
        options = api.Options(yes=True, volumes=True, allow_data_loss=LOSSES)
        api.destroy("fork", options, engine=shop.engine, **doors())
        api.remove_snapshot("first", shop.engine)

    assert killed_everywhere(shop.engine, shop.save, after) > 8


def test_a_restore_that_was_killed_is_begun_anew(shop: Shop) -> None:
    shop.save()
    file = shop.directory / "fork.yaml"
    file.write_text(text_for(read(shop.engine, "first"), "fork"))
    options = api.Options(yes=True, volumes=True, allow_data_loss=LOSSES)

    def after() -> None:
        half = any(box.labels.get(names.KIND) == names.RESTORING for box in shop.engine.live.values())
        if half:
            with pytest.raises(Conflict) as error:
                shop.apply(file)
            assert error.value.code == "conflict.restoring"
        if half or not shop.engine.containers("fork"):
            shop.restore(env="fork", spec=file)
        else:
            shop.apply(file)
        assert kept(shop, "fork") == KEPT
        assert shop.plan(file) == []
        assert {"fork-restore", "fork-restore-volumes"}.isdisjoint(shop.left())
        api.destroy("fork", options, engine=shop.engine, **doors())

    assert killed_everywhere(shop.engine, lambda: shop.restore(env="fork", spec=file), after) > 10


def test_a_killed_restore_given_again_asks_nobody_about_the_volumes_that_it_made(shop: Shop) -> None:
    shop.save()
    options = api.Options(yes=True, volumes=True, allow_data_loss=LOSSES)

    def after() -> None:
        made = api.environments(shop.engine)
        finished = "fork" in {row.name for row in made} and shop.engine.lock_holder("fork") is None
        if finished:
            with pytest.raises(Refused):
                shop.restore(env="fork")
        else:
            shop.restore(env="fork")
        assert kept(shop, "fork") == KEPT
        assert shop.engine.lock_holder("fork") is None
        assert {"fork-restore", "fork-restore-volumes"}.isdisjoint(shop.left())
        api.destroy("fork", options, engine=shop.engine, **doors())

    assert killed_everywhere(shop.engine, lambda: shop.restore(env="fork"), after) > 10


def test_what_was_paused_by_hand_stays_paused_by_a_snapshot(shop: Shop) -> None:
    shop.engine.tamper.pause("shop-workspace")
    shop.save()
    assert shop.engine.container("shop-workspace").status == "paused"


def test_a_restore_that_fails_leaves_nothing(shop: Shop) -> None:
    shop.save()
    shop.engine.fail_on = lambda verb, rest: verb == "start" and rest == "fork-workspace"
    with pytest.raises(StepFailed):
        shop.restore(env="fork")
    shop.engine.fail_on = None
    assert [box for box in shop.engine.live.values() if box.labels.get(names.ENV) == "fork"] == []
    assert [volume.name for volume in shop.engine.volumes()] == ["shop-data", "shop-workspace"]


def test_a_snapshot_whose_image_was_moved_is_refused(shop: Shop) -> None:
    shop.save()
    shop.engine.tamper.retag("envspec/snapshot/first:box", shop.engine.images(["debian:14"])["debian:14"].id)
    with pytest.raises(EnvspecError) as error:
        shop.restore(env="fork")
    assert error.value.code == "snapshot.changed"
