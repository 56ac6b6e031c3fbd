"""A look that goes on in the background."""

from __future__ import annotations

import pytest

from envspec.engine.base import Inquiry
from envspec.engine.facts import Answer, Questions
from envspec.engine.fake import FakeEngine
from envspec.engine.objects import ContainerConfig
from envspec.errors import Interrupted
from envspec.glance import Glance
from envspec.kinds import names

ENV = "shop"


class Watched(FakeEngine):
    """An engine that tells whether somebody is still inside."""

    def __init__(self) -> None:
        super().__init__(images=("debian:13",))
        self.inside = 0

    def inquire(self, container_id: str) -> Inquiry:
        self.inside += 1
        return _Watched(self, super().inquire(container_id))


class _Watched:
    def __init__(self, engine: Watched, inquiry: Inquiry) -> None:
        self.engine, self.inquiry, self.open = engine, inquiry, True

    def ask(self, questions: Questions) -> Answer:
        self.close()
        return self.inquiry.ask(questions)

    def close(self) -> None:
        self.engine.inside -= self.open
        self.open = False


@pytest.fixture
def engine() -> Watched:
    engine = Watched()
    box = engine.create_container(
        names.container(ENV), ContainerConfig("debian:13"), names.labels(ENV, "container", names.WORKSPACE)
    )
    engine.start(box)
    return engine


def test_the_probe_that_is_inside_answers_the_first_questions_and_another_one_the_next(engine: Watched) -> None:
    with Glance(engine, ENV) as glance:
        box = glance.world(("debian:13",)).workspace
        assert box is not None
        assert engine.inside == 1
        assert glance.probe(box, Questions(exists=("/etc/passwd",))).exists == {"/etc/passwd"}
        assert engine.inside == 0
        assert glance.probe(box, Questions(exists=("/etc",))).exists == {"/etc"}


def test_a_look_that_is_given_up_leaves_nobody_inside(engine: Watched) -> None:
    glance = Glance(engine, ENV)
    glance.world(())
    assert engine.inside == 1
    with pytest.raises(ValueError, match="faulty"), glance:
        raise ValueError("faulty")
    assert engine.inside == 0


def test_what_the_engine_refuses_is_told_when_it_is_asked_for(engine: Watched) -> None:
    engine.cancel()
    with Glance(engine, ENV) as glance, pytest.raises(Interrupted):
        glance.world(())
