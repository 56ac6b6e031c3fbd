"""References by which containers keep their images in the containerd store."""

from __future__ import annotations

import pytest

from envspec.engine import held

OURS = held.reference("0123456789abcdef")


@pytest.mark.parametrize(
    ("tags", "alone"),
    [
        (["app:1", OURS], True),
        (["app:1", OURS, held.reference("f" * 64)], True),
        (["app:1", "app:2", OURS], False),
        (["app:1"], False),
        ([], False),
        (None, False),
    ],
)
def test_the_last_reference_of_a_users_image_is_told(tags: list[str] | None, alone: bool) -> None:
    assert held.keeps_alone({"RepoTags": tags}, "app:1") is alone


def test_a_reference_without_a_tag_is_the_latest() -> None:
    assert held.keeps_alone({"RepoTags": ["app:latest", OURS]}, "app")
