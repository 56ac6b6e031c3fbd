"""Which volumes of a service are given to its user, because nobody else would."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envspec.engine.new_volumes import Claim, claims, container_name

VOLUMES = [
    {"type": "volume", "source": "data", "target": "/var/lib/data/"},
    {"type": "volume", "source": "shown", "target": "/shown", "read_only": True},
    {"type": "volume", "target": "/nameless"},
    {"type": "bind", "source": "/srv", "target": "/srv"},
    {"type": "tmpfs", "target": "/tmp"},
]


def document(**service: Any) -> str:
    return json.dumps({"services": {"db": {"image": "x", "volumes": VOLUMES, **service}}})


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("1000", (Claim("/var/lib/data", 1000, 0),)),
        ("1000:50", (Claim("/var/lib/data", 1000, 50),)),
        ("0", ()),
        ("postgres", ()),
        ("1000:staff", ()),
        (None, ()),
    ],
)
def test_a_user_by_number_is_given_the_named_volumes_alone(user: str | None, found: tuple[Claim, ...]) -> None:
    assert claims(document(user=user), "db") == found


def test_the_container_is_called_as_compose_calls_it() -> None:
    assert container_name(document(), "shop", "db") == "shop-db-1"
    assert container_name(document(container_name="a$$b"), "shop", "db") == "a$b"
