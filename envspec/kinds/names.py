"""Names on the engine: all follow from the environment's name, so that any machine finds the same objects."""

from __future__ import annotations

from envspec.engine.objects import LABEL

WORKSPACE = "container.workspace"
"""Address of the container that people and agents work in."""

ENV = f"{LABEL}env"
KIND = f"{LABEL}kind"
ADDRESS = f"{LABEL}address"
DIGEST = f"{LABEL}digest"
ORIGIN = f"{LABEL}spec"
PURPOSE = f"{LABEL}purpose"
FORMAT = f"{LABEL}format"
BASE = f"{LABEL}base"
SNAPSHOT_HELPER = "snapshot_helper"
"""What the label ``kind`` says of a container that copies volumes while a snapshot is made."""

SETTINGS = f"{LABEL}settings"
SESSION = f"{LABEL}session"
EXPIRES = f"{LABEL}expires"
DETECTED = f"{LABEL}detected"
STANDS_IN = f"{LABEL}stands-in"
RUN = f"{LABEL}run"
SNAPSHOT = f"{LABEL}snapshot"
OF = f"{LABEL}of"
CREATED = f"{LABEL}created"
SIZE = f"{LABEL}size"
RESTORED = f"{LABEL}restored"
STANDS_FOR = f"{LABEL}stands-for"
STANDS_FOR_REF = f"{LABEL}stands-for-ref"

MARKS = (SESSION, RUN)
"""Labels that say whose an environment is: its session, and the process that runs one command in it."""


RESTORING = "restore"
"""Kind of the containers that stand by until a restore is done: while one is there, the environment is half."""


def container(env: str) -> str:
    """Return the name of an environment's workspace container."""
    return f"{env}-workspace"


def next_container(env: str) -> str:
    """Return the name that a replacement bears until the old container is gone."""
    return f"{env}-workspace-next"


def volume(env: str, name: str) -> str:
    """Return the engine's name of one of an environment's volumes."""
    return f"{env}-{name}"


def labels(env: str, kind: str, address: str) -> dict[str, str]:
    """Return the labels that every object of an environment bears."""
    return {ENV: env, KIND: kind, ADDRESS: address, FORMAT: "1"}
