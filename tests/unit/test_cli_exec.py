"""`exec`: streams, exit codes and deadlines, with a stand-in for the docker command on PATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.cli import light
from envspec.cli.options import is_file
from envspec.inside.exec import GRACE, TIMED_OUT

DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>"$FAKE_LOG"
case "$1" in
ps) printf 'shop\\nblog\\nshop\\n\\n' ;;
container)
    case "$5" in
    shop-workspace) echo "true false 1000:1000 shop /shop-workspace /srv/my work" ;;
    stopped-workspace) echo "false false 1000:1000 stopped /stopped-workspace /" ;;
    foreign-workspace) echo "true false   /foreign-workspace /" ;;
    *) echo "Error: No such container: $5" >&2; exit 1 ;;
    esac ;;
exec)
    while [ "$1" != sh ] && [ "$1" != /bin/sh ]; do
        case "$1" in ENVSPEC_STEP=*) export "$1" ;; esac
        shift
    done
    # The script that ends what is left comes on standard input; here there is no container to end it in.
    if [ "$5" = -s ]; then cat >"$FAKE_LOG.script"; kill "$(cat "$FAKE_LOG.pid")"; exit; fi
    echo $$ >"$FAKE_LOG.pid"
    exec "$@" ;;
esac
"""

Exec = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    kept = tmp_path / "log"
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOG", str(kept))
    monkeypatch.setenv("ENVSPEC_ENGINE", "docker")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return kept


@pytest.fixture
def run(log: Path) -> Exec:
    assert not log.exists()

    def call(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-m", "envspec.cli.main", "exec", *words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            cwd=Path(__file__).parents[2],
        )

    return call


def started(log: Path) -> str:
    """Return the line of the command that was run inside."""
    return log.read_text().splitlines()[1]


def test_streams_and_exit_code_are_the_commands_own(run: Exec) -> None:
    done = run("shop", "--", "sh", "-c", "cat; echo oops >&2; exit 7", stdin="hello")
    assert (done.stdout, done.stderr, done.returncode) == ("hello", "oops\n", 7)


def test_a_failing_command_that_talks_like_the_engine_is_still_its_own(run: Exec) -> None:
    done = run("shop", "--", "sh", "-c", "echo No such container >&2; exit 1")
    assert (done.stderr, done.returncode) == ("No such container\n", 1)


def test_arguments_arrive_as_they_are(run: Exec) -> None:
    words = ("a b", "$HOME", "--json", "", "'\"")
    assert run("shop", "--", "printf", "%s|", *words).stdout == "a b|$HOME|--json||'\"|"


def test_a_command_runs_as_the_environments_user(run: Exec, log: Path) -> None:
    run("shop", "--", "true")
    assert started(log).startswith("exec --interactive --user 1000:1000 --env ENVSPEC_STEP=")


@pytest.mark.parametrize(("who", "user"), [(("--root",), "0:0"), (("--user", "www-data"), "www-data")])
def test_options_reach_the_engine(run: Exec, log: Path, who: tuple[str, ...], user: str) -> None:
    done = run("shop", *who, "--workdir", "/usr", "--", "pwd")
    assert (done.stdout, done.returncode) == ("/usr\n", 0)
    assert started(log).startswith(f"exec --interactive --user {user} --env ENVSPEC_STEP=")


def test_a_relative_directory_lies_in_the_workspace_and_one_that_is_missing_is_named(run: Exec) -> None:
    done = run("shop", "--workdir", "sub", "--", "true")
    assert done.stderr == "envspec: there is no directory /srv/my work/sub inside that the user may enter\n"
    assert done.returncode == 126


def test_root_and_a_user_are_one_too_many(run: Exec) -> None:
    assert run("shop", "--root", "--user", "1", "--", "true").returncode == 3


def test_arguments_and_variables_that_are_not_utf8_pass_an_engine_that_takes_only_utf8(run: Exec, log: Path) -> None:
    odd = os.fsdecode(b"x\xff\\ \n")
    script = 'printf "%s|%s|%s|%s" "$1" "$2" "$K" "${word-none}" | od -An -v -tx1'
    done = run("shop", "--workdir", "/", "--env", f"K={odd}", "--", "sh", "-c", script, "sh", odd, "é")
    assert bytes.fromhex(done.stdout.replace("\n", "")) == b"x\xff\\ \n|\xc3\xa9|x\xff\\ \n|none"
    assert log.read_bytes().decode("utf-8")


def test_variables_arrive_byte_for_byte_and_are_in_no_command_line(
    run: Exec, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = 'cana\'ry "$HOME"\n\tlast '
    monkeypatch.setenv("PLAIN", value)
    words = ("sh", "-c", 'printf "%s|%s|%s" "$PLAIN" "$GIVEN" "${ENVSPEC_VAR_1-none}"')
    assert run("shop", "--env", "PLAIN", "--env", f"GIVEN={value}", "--", *words).stdout == f"{value}|{value}|none"
    assert "cana" not in log.read_text()


@pytest.mark.parametrize("word", ["NOT_THERE", "9=1", "a b=1", "=x"])
def test_a_variable_that_is_none_is_an_error(run: Exec, word: str) -> None:
    done = run("shop", "--env", word, "--", "true")
    assert done.returncode == 3
    assert "--env" in done.stderr


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("absent", 3, "there is no environment absent"),
        ("foreign", 3, "there is no environment foreign"),
        ("stopped", 6, "is stopped"),
    ],
)
def test_an_environment_that_cannot_be_entered_is_our_error(run: Exec, name: str, code: int, told: str) -> None:
    done = run(name, "--", "true")
    assert done.returncode == code
    assert told in done.stderr


def test_a_command_is_required(run: Exec) -> None:
    assert run("shop").returncode == 3


def test_a_deadline_that_is_kept_changes_nothing(run: Exec) -> None:
    assert run("shop", "--timeout", "20", "--", "sh", "-c", "exit 5").returncode == 5


def test_a_passed_deadline_exits_124_keeps_the_output_and_ends_what_is_inside(run: Exec, log: Path) -> None:
    done = run("shop", "--timeout", "0.3", "--", "sh", "-c", "echo printed; exec sleep 60")
    assert (done.returncode, done.stdout) == (TIMED_OUT, "printed\n")
    ended = log.read_text().splitlines()[-1]
    token = next(word for word in started(log).split() if word.startswith("ENVSPEC_STEP=")).partition("=")[2]
    assert ended.endswith(f"envspec -s {token} {GRACE}")
    assert Path(f"{log}.script").read_text().startswith("VARIABLES=")


def test_json_tells_all_of_a_short_output(run: Exec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    done = run("shop", "--json", "--", "sh", "-c", "cat; echo oops >&2; exit 7", stdin="in")
    told = json.loads(done.stdout)
    assert told["ok"] is True
    assert (told["result"]["code"], done.returncode) == (7, 7)
    assert (told["result"]["stdout"], told["result"]["stderr"], told["result"]["log"]) == ("in", "oops\n", None)
    assert not any(path.is_file() for path in (tmp_path / "state").rglob("*"))


def test_json_cuts_a_long_output_from_both_ends_and_names_the_whole(
    run: Exec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    result = json.loads(run("shop", "--json", "--max-output", "10", "--", "seq", "1000").stdout)["result"]
    assert result["stdout"] == f"1\n2\n3\n[{result['stdout_bytes'] - 10} bytes left out]\n1000\n"
    whole = Path(result["log"]) / "stdout"
    assert whole.read_text().splitlines() == [str(number) for number in range(1, 1001)]
    assert whole.stat().st_mode & 0o777 == 0o600


def test_environments_complete_and_are_sorted(log: Path) -> None:
    assert light.environment_names() == ("blog", "shop")
    assert "--filter label=dev.envspec.env" in log.read_text()


def test_completion_survives_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert light.environment_names() == ()


@pytest.mark.parametrize("target", ["./shop", "shop/", "/srv/shop", "shop.yaml", "shop.yml", ".", ".."])
def test_a_path_is_told_from_a_name(target: str) -> None:
    assert is_file(target)
    assert not is_file("shop")
