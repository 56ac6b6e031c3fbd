"""Broken planners, kinds and executors, each of which must turn a law red: a law that cannot fail holds nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from envspec import executor, ordering, planner
from envspec.api import converge
from envspec.engine import fake_dotfiles
from envspec.errors import EnvspecError
from envspec.kinds import environment, names, workspace_steps
from envspec.kinds.base import Observed
from envspec.kinds.command import Command, CommandSpec
from envspec.kinds.container import Container
from envspec.kinds.dotfiles import Dotfiles
from envspec.kinds.environment import Environment, EnvironmentSpec
from envspec.kinds.file import File
from envspec.kinds.network import Network
from envspec.kinds.repo import Repo
from envspec.kinds.service import Service
from envspec.model import Action, Change, Hidden
from envspec.planner import Compared
from envspec.steps.base import Done, Step, StepList
from envspec.steps.containers import RemoveContainer
from envspec.steps.guest import TakeOverState

from . import laws
from .fixed import FEWER, HISTORIES, IN_PLACE, OTHER, RICH, SERVED
from .strategies import History
from .world import ENV

Law = Callable[[History, Path], object]
Patch = pytest.MonkeyPatch


def a_file_diff_that_ignores_the_mode(patch: Patch) -> None:
    whole = File.diff

    def diff(self: File, resource: Any, spec: Any, world: Observed) -> Any:
        fact = world.answer.files.get(spec.path)
        blind = spec if fact is None else dataclasses.replace(spec, mode=fact.mode)
        found = whole(self, dataclasses.replace(resource, spec=blind), blind, world)
        return None if found is not None and not found.diff and found.action is Action.UPDATE else found

    patch.setattr(File, "diff", diff)


def a_repo_diff_that_trusts_the_ledger(patch: Patch) -> None:
    patch.setattr(Repo, "_moved", lambda *_: None)


def a_dotfiles_diff_that_trusts_the_ledger(patch: Patch) -> None:
    whole = Dotfiles.diff

    def diff(self: Dotfiles, resource: Any, spec: Any, world: Observed) -> Any:
        inside = dataclasses.replace(world.answer, unlinked=())
        return whole(self, resource, spec, dataclasses.replace(world, inside=inside))

    patch.setattr(Dotfiles, "diff", diff)


def links_that_stay_when_their_dotfiles_go(patch: Patch) -> None:
    patch.setattr(fake_dotfiles.Home, "unlink", lambda *_: None)


def a_ca_store_that_is_not_looked_at(patch: Patch) -> None:
    from envspec.kinds import environment  # noqa: PLC0415 - its private function is what is broken

    patch.setattr(environment, "_store", lambda *_: ())


def a_container_diff_that_ignores_networks(patch: Patch) -> None:
    from envspec.kinds import container  # noqa: PLC0415 - its private function is what is broken

    whole = container._live_diff

    def live_diff(*args: Any) -> Any:
        return dataclasses.replace(whole(*args), networks=())

    patch.setattr(container, "_live_diff", live_diff)


def an_update_that_unsets_limits_in_place(patch: Patch) -> None:
    from envspec.kinds import base  # noqa: PLC0415 - the name it uses is what is broken

    patch.setattr(base, "changes_in_place", lambda _engine, attribute, *_more: attribute in ("memory", "cpus"))


def a_graph_without_the_edges_to_the_container(patch: Patch) -> None:
    whole = ordering._effective

    def effective(resource: Any, verdicts: Any, known: Any) -> frozenset[str]:
        return whole(resource, verdicts, known) - {names.WORKSPACE}

    patch.setattr(ordering, "_effective", effective)


def a_removal_that_is_forgotten(patch: Patch) -> None:
    whole = planner._unwanted

    def unwanted(desired: Any, compared: Compared, wishes: Any, kinds: Any) -> dict[str, Any]:
        return {
            a: v for a, v in whole(desired, compared, wishes, kinds).items() if not a.startswith(("file.", "volume."))
        }

    patch.setattr(planner, "_unwanted", unwanted)


def a_replace_after_which_the_inside_is_taken_for_kept(patch: Patch) -> None:
    patch.setattr(Container, "after", lambda _kind, _resource, _verdict, world: world)


def an_executor_that_starts_dependents_of_a_failed_step(patch: Patch) -> None:
    whole = executor._Walk._begin

    def begin(self: Any, step: Step, *args: Any) -> None:
        whole(self, dataclasses.replace(step, needs=()) if step.main else step, *args)

    patch.setattr(executor._Walk, "_begin", begin)


def a_replacement_that_is_never_finished(patch: Patch) -> None:
    patch.setattr(StepList, "finally_", lambda *_, **__: "")


def a_failed_replace_that_goes_through_all_the_same(patch: Patch) -> None:
    whole = executor._Walk._begin

    def begin(self: Any, step: Step, *args: Any) -> None:
        whole(self, dataclasses.replace(step, needs=(), unless=()) if step.last else step, *args)

    patch.setattr(executor._Walk, "_begin", begin)


def a_command_that_is_known_by_its_place_alone(patch: Patch) -> None:
    patch.setattr(CommandSpec, "key", property(lambda self: f"command.{self.occurrence:016x}"))


def a_command_that_counts_as_done_when_it_ran_once(patch: Patch) -> None:
    def diff(_self: Command, _resource: Any, spec: CommandSpec, world: Observed) -> Any:
        return None if world.answer.entry(spec.key) else WHOLE_COMMAND_DIFF(_self, _resource, spec, world)

    patch.setattr(Command, "diff", diff)


WHOLE_COMMAND_DIFF = Command.diff


def a_restart_after_which_variables_are_not_brought_back(patch: Patch) -> None:
    whole = Environment.diff

    def diff(self: Environment, resource: Any, spec: Any, world: Observed) -> Any:
        lost = world.answer.environment is None and world.answer.entry(resource.address) is not None
        return None if lost else whole(self, resource, spec, world)

    patch.setattr(Environment, "diff", diff)


def a_replacement_that_removes_the_old_container_first(patch: Patch) -> None:
    whole = workspace_steps.replace

    def early(step: Step) -> Step:
        removes = isinstance(step.verb, RemoveContainer) and not step.recovers
        return dataclasses.replace(step, last=False) if removes else step

    patch.setattr(workspace_steps, "replace", lambda *args: tuple(map(early, whole(*args))))


def a_replacement_that_leaves_the_ledger_behind(patch: Patch) -> None:
    patch.setattr(TakeOverState, "run", lambda *_: Done())


def an_apply_that_never_gives_a_dead_one_s_lock_back(patch: Patch) -> None:
    patch.setattr(converge, "abandoned", lambda *_: False)


def a_plan_that_touches_the_engine(patch: Patch) -> None:
    from envspec.glance import Glance  # noqa: PLC0415 - its function is what is broken

    whole = Glance.world

    def world(glance: Any, refs: tuple[str, ...]) -> Observed:
        glance.reader.unlock(ENV)
        return whole(glance, refs)

    patch.setattr(Glance, "world", world)


def a_plan_that_tells_the_time(patch: Patch) -> None:
    counted = iter(range(10_000_000))
    whole = planner._summary

    def summary(*args: Any) -> Any:
        return dataclasses.replace(whole(*args), noop=next(counted))

    patch.setattr(planner, "_summary", summary)


def a_plan_whose_order_ignores_needs(patch: Patch) -> None:
    whole = ordering.ordered

    def ordered(*args: Any) -> tuple[Change, ...]:
        return tuple(reversed(whole(*args)))

    patch.setattr(planner, "ordered", ordered)


def a_loss_that_goes_unsaid(patch: Patch) -> None:
    from envspec.kinds import loss  # noqa: PLC0415 - its function is what is broken

    patch.setattr(loss, "lost", lambda *_: ())


def jobs_that_end_unsaid(patch: Patch) -> None:
    from envspec.kinds import loss  # noqa: PLC0415 - the same

    patch.setattr(loss, "jobs", lambda *_: ())


def a_target_that_is_ignored(patch: Patch) -> None:
    patch.setattr(planner, "_limited", lambda changes, _target: changes)


def a_plan_that_shows_secrets(patch: Patch) -> None:
    patch.setattr(Hidden, "__str__", lambda self: self.text)


def secrets_that_lie_among_the_plain_ones(patch: Patch) -> None:
    shown = property(lambda spec: {name: getattr(value, "text", value) for name, value in spec.variables})
    patch.setattr(EnvironmentSpec, "plain", shown)


def secrets_that_are_taken_for_right(patch: Patch) -> None:
    patch.setattr(environment, "_by_hand", lambda *_: ())


def a_shelf_that_is_not_looked_at(patch: Patch) -> None:
    from envspec.kinds import service_state  # noqa: PLC0415 - its private function is what is broken

    patch.setattr(service_state, "_shelved", lambda *_: [])


def containers_that_stay_when_there_are_to_be_fewer(patch: Patch) -> None:
    whole = Service.existing
    patch.setattr(Service, "existing", lambda self, world: tuple(a for a in whole(self, world) if "[" not in a))


def a_network_that_stays_internal(patch: Patch) -> None:
    whole = Network.diff

    def diff(self: Network, resource: Any, spec: Any, world: Observed) -> Any:
        found = whole(self, resource, spec, world)
        return None if found is not None and found.diff else found

    patch.setattr(Network, "diff", diff)


def targets(history: History, directory: Path) -> None:
    laws.targets_are_kept_to(history, directory, 0.0)


def destroys(history: History, directory: Path) -> None:
    laws.destroying_leaves_nothing(history, directory, volumes=True)


def tampers(history: History, directory: Path) -> None:
    laws.tampering_shows_and_heals(History((history.docs[0],)), directory)


LAWS: Mapping[str, Law] = {
    "1 pure": laws.plan_is_a_value,
    "2 converges": laws.applying_converges,
    "3 one place": laws.every_path_leads_to_one_place,
    "4 kills": laws.kills_leave_no_trace,
    "5 reads": laws.planning_changes_nothing,
    "6 drift": tampers,
    "7 secrets": laws.secrets_stay_inside,
    "failures": laws.failures_keep_what_ran,
    "losses": laws.work_is_not_lost_unasked,
    "targets": targets,
    "destroys": destroys,
}

MUTANTS: tuple[tuple[Callable[[Patch], None], str], ...] = (
    (a_file_diff_that_ignores_the_mode, "6 drift"),
    (a_repo_diff_that_trusts_the_ledger, "6 drift"),
    (a_dotfiles_diff_that_trusts_the_ledger, "6 drift"),
    (links_that_stay_when_their_dotfiles_go, "3 one place"),
    (a_ca_store_that_is_not_looked_at, "6 drift"),
    (a_container_diff_that_ignores_networks, "3 one place"),
    (an_update_that_unsets_limits_in_place, "2 converges"),
    (a_graph_without_the_edges_to_the_container, "2 converges"),
    (a_removal_that_is_forgotten, "3 one place"),
    (a_replace_after_which_the_inside_is_taken_for_kept, "2 converges"),
    (an_executor_that_starts_dependents_of_a_failed_step, "failures"),
    (a_replacement_that_is_never_finished, "2 converges"),
    (a_failed_replace_that_goes_through_all_the_same, "failures"),
    (a_command_that_is_known_by_its_place_alone, "3 one place"),
    (a_command_that_counts_as_done_when_it_ran_once, "6 drift"),
    (a_restart_after_which_variables_are_not_brought_back, "6 drift"),
    (a_replacement_that_removes_the_old_container_first, "failures"),
    (a_replacement_that_leaves_the_ledger_behind, "3 one place"),
    (an_apply_that_never_gives_a_dead_one_s_lock_back, "4 kills"),
    (a_plan_that_touches_the_engine, "5 reads"),
    (a_plan_that_tells_the_time, "1 pure"),
    (a_plan_whose_order_ignores_needs, "1 pure"),
    (a_plan_that_shows_secrets, "7 secrets"),
    (secrets_that_lie_among_the_plain_ones, "7 secrets"),
    (secrets_that_are_taken_for_right, "6 drift"),
    (a_shelf_that_is_not_looked_at, "6 drift"),
    (containers_that_stay_when_there_are_to_be_fewer, "3 one place"),
    (a_network_that_stays_internal, "3 one place"),
    (a_loss_that_goes_unsaid, "losses"),
    (jobs_that_end_unsaid, "losses"),
    (a_target_that_is_ignored, "targets"),
    (a_removal_that_is_forgotten, "destroys"),
)


def lives(law: Law, directory: Path, histories: Iterable[History]) -> None:
    """Hold a law over histories."""
    for history in histories:
        law(history, directory)


def histories_for(law: str) -> tuple[History, ...]:
    """Return few histories where each is lived dozens of times."""
    few = (History((RICH, OTHER)), History((RICH, IN_PLACE)), History((SERVED, FEWER)))
    return few if law in ("4 kills", "6 drift", "failures") else HISTORIES


@pytest.mark.parametrize("law", LAWS)
def test_the_fixed_histories_keep_the_laws(law: str, directory: Path) -> None:
    lives(LAWS[law], directory, histories_for(law))


@pytest.mark.parametrize(("mutant", "law"), MUTANTS, ids=[f"{m.__name__}-{law}" for m, law in MUTANTS])
def test_a_mutant_breaks_its_law(
    mutant: Callable[[Patch], None], law: str, directory: Path, monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, EnvspecError)):
        lives(LAWS[law], directory, histories_for(law))
