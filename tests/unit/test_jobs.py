"""What of a job is pure: how its words travel, and where its output may be cut."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envspec.engine.operations import Completed
from envspec.engine.script import Script
from envspec.errors import Conflict, UsageError
from envspec.inside import jobs as module
from envspec.inside.door import Door
from envspec.inside.job import JobOptions
from envspec.inside.jobs import Jobs, archive, whole_characters

DOOR = Door("shop", "shop-workspace", "1000:1000", "/workspace", ("docker",))
words = st.lists(st.binary(max_size=20).map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))), max_size=5)


@settings(max_examples=25, deadline=None)
@given(words)
def test_words_of_any_bytes_arrive_in_a_posix_shell(given_words: list[str]) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive({}, given_words, b""))) as tar:
        member = tar.extractfile("command")
        assert member is not None
        text = member.read()
    done = subprocess.run(["sh"], input=text + b'[ $# = 0 ] || printf "%s\\0" "$@"\n', capture_output=True, check=True)
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in given_words)


@given(st.text(min_size=1), st.integers(min_value=0, max_value=40))
def test_text_is_cut_between_characters_only(text: str, end: int) -> None:
    data = text.encode(errors="replace")
    assert whole_characters(data[:end]) == data[:end].decode(errors="ignore").encode()


@given(st.binary(max_size=40))
def test_bytes_that_are_no_text_wait_for_no_more_than_a_character(data: bytes) -> None:
    cut = whole_characters(data)
    assert data.startswith(cut)
    assert len(data) - len(cut) < 4


class Answering:
    """Stands in for the engine: answers what a script would print."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.args: list[tuple[str, ...]] = []

    def run_script(self, _container: str, script: Script, **_options: object) -> Completed:
        self.args.append(script.args)
        return Completed(3 if self.answer == b"" else 0, self.answer)


META = b'{"id": "a", "command": ["sh", "-c", "x\\ny"], "user": "1:1", "workdir": "/w", "timeout": 1.5}\n'


def jobs(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> tuple[Jobs, Answering]:
    engine = Answering(answer)
    monkeypatch.setattr(module, "Client", lambda **_: engine)
    return Jobs(DOOR), engine


def test_what_the_scripts_say_becomes_jobs_in_the_order_of_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    later = b"lost - 7 - 9 the container was restarted\n"
    found, _ = jobs(monkeypatch, META + later + META.replace(b'"a"', b'"b"') + b"exited 0 5 8 2 \n")
    second, first = (found.list()[1], found.list()[0])
    assert (first.id, first.state, first.code, first.seconds, first.output_bytes) == ("b", "exited", 0, 3, 2)
    assert (second.state, second.code, second.ended, second.reason) == ("lost", None, "", "the container was restarted")
    assert (second.command, second.timeout) == (("sh", "-c", "x\ny"), 1.5)
    assert first.started == "1970-01-01T00:00:05Z"


def test_output_that_looks_like_a_job_is_output(monkeypatch: pytest.MonkeyPatch) -> None:
    found, engine = jobs(monkeypatch, META + b"exited 0 5 8 200 \n" + META)
    polled = found.poll("a", 10, len(META))
    assert (polled.output, polled.next_offset, polled.more) == (META, 10 + len(META), True)
    assert engine.args == [("a", "10", str(len(META)))]


def test_another_command_under_a_known_id_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = jobs(monkeypatch, b"known\n" + META + b"running - 5 - 0 \n")
    with pytest.raises(Conflict, match="another job a"):
        found.start(["true"], JobOptions(), "a")


@pytest.mark.parametrize("job_id", ["", ".x", "a/b", "a b", "-x", "x" * 64, "a\n"])
def test_an_id_that_is_none_reaches_no_engine(monkeypatch: pytest.MonkeyPatch, job_id: str) -> None:
    found, engine = jobs(monkeypatch, META)
    with pytest.raises(UsageError, match="not an ID"):
        found.poll(job_id)
    assert engine.args == []


def test_a_job_that_is_not_there_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = jobs(monkeypatch, b"")
    with pytest.raises(UsageError, match="shop has no job a") as raised:
        found.poll("a")
    assert raised.value.code == "job.unknown"
