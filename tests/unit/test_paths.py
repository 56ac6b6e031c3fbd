"""Links are followed as the kernel follows them."""

from __future__ import annotations

import pytest

from envspec.engine.archive import PathFact
from envspec.engine.paths import Seen, follow
from envspec.errors import EngineCallFailed

TREE = {
    "/a": Seen("dir"),
    "/a/b": Seen("dir"),
    "/a/b/f": Seen("file"),
    "/a/up": Seen("link", "../a/b"),
    "/l": Seen("link", "a/b"),
    "/ll": Seen("link", "/l/"),
    "/f": Seen("link", "./ll/../b/f"),
    "/top": Seen("link", "../../../a"),
    "/gone": Seen("link", "nowhere"),
    "/to-gone": Seen("link", "/gone"),
    "/circle": Seen("link", "circle"),
    "/below-file": Seen("link", "a/b/f/x"),
    "/same": Seen("link", "/a/same"),
    "/a/same": Seen("dir"),
    "/pipe": Seen("other"),
}


def look(path: str) -> Seen:
    return TREE.get(path, Seen(""))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", PathFact("dir", "/")),
        ("/a/b/f", PathFact("file", "/a/b/f")),
        ("/l", PathFact("dir", "/a/b")),
        ("/ll/f", PathFact("file", "/a/b/f")),
        ("/a/up/f", PathFact("file", "/a/b/f")),
        ("/f", PathFact("file", "/a/b/f")),
        ("/top/b", PathFact("dir", "/a/b")),
        ("/same", PathFact("dir", "/a/same")),
        ("/pipe", PathFact("other", "/pipe")),
        ("/nothing", PathFact("", "/nothing")),
        ("/ll/nothing/more", PathFact("", "/ll/nothing/more")),
        ("/a/b/f/x", PathFact("", "/a/b/f/x")),
        ("/gone/x", PathFact("", "/gone/x")),
    ],
)
def test_a_path_leads_where_its_links_do(path: str, expected: PathFact) -> None:
    assert follow(path, look) == expected


@pytest.mark.parametrize("path", ["/gone", "/to-gone", "/circle", "/circle/x", "/below-file"])
def test_a_link_that_leads_nowhere_is_told(path: str) -> None:
    with pytest.raises(EngineCallFailed, match="leads nowhere") as error:
        follow(path, look)
    assert error.value.code == "copy.link"


OWNED = {
    "/etc": Seen("dir"),
    "/bin": Seen("link", "etc"),
    "/home": Seen("dir", uid=1000),
    "/home/here": Seen("link", "own"),
    "/home/own": Seen("dir", uid=1000),
    "/home/out": Seen("link", "/etc"),
    "/srv": Seen("dir", uid=33),
    "/srv/to": Seen("link", "/home/here"),
    "/tmp": Seen("dir", shared=True),
    "/tmp/t": Seen("link", "/etc"),
}


@pytest.mark.parametrize(
    ("path", "foreign", "owner"),
    [
        ("/bin", 0, 0),
        ("/home/own", 0, 1000),
        ("/home/here", 1000, 1000),
        ("/home/out", 1000, 0),
        ("/srv/to", -1, 1000),
        ("/tmp/t", -1, 0),
    ],
)
def test_whose_links_lead_there_and_whose_that_is(path: str, foreign: int, owner: int) -> None:
    found = follow(path, lambda at: OWNED.get(at, Seen("")))
    assert (found.foreign, found.owner) == (foreign, owner)
