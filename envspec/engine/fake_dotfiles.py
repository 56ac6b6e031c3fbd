"""Dotfiles as far as the fake engine has them: a script in the words of its shell, or links."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from envspec.engine.facts import located
from envspec.engine.fake_command import Shell
from envspec.engine.fake_fs import Node, Original, Refusal, State, Tree, directory, lies_below, parent_of
from envspec.engine.fake_probe import accounts
from envspec.engine.operations import InstallDotfiles


@dataclass(frozen=True, slots=True)
class Home:
    """Where dotfiles are put, and what an entry remembers of them.

    Attributes:
        tree: The files.
        state: The ledger and the originals.
        address: Address of the dotfiles.
        tick: The time.
        uid: Their user.
        gid: Their group.
    """

    tree: Tree
    state: State
    address: str
    tick: int
    uid: int
    gid: int

    def linked(self) -> list[tuple[str, str]]:
        """Return place and target of every link that the entry remembers."""
        entry = self.state.ledger.get(self.address)
        facts = entry.facts if entry else {}
        names = [facts[key] for key in facts if key.startswith("link")]
        return [(f"{facts['home']}/{name}", f"{facts['from']}/{name}") for name in names]

    def link(self, place: str, target: str) -> None:
        """Make a link, and keep what is in its place."""
        here = self.tree.get(place)
        if _leads(here, target):
            return
        if here is not None:
            self._keep(place, here)
        self.tree.make_directory(parent_of(place), lambda _: directory(0o755, self.uid, self.gid, self.tick, "apply"))
        self.tree.put(place, Node("link", 0o777, self.uid, self.gid, target.encode(), self.tick, "apply"))

    def unlink(self, place: str, target: str) -> None:
        """Take a link away where it is ours still, and put back what was in its place."""
        if _leads(self.tree.get(place), target):
            self.tree.drop(place)
        original = self.state.originals.pop(self._key(place), None)
        if original is not None and original.node is not None:
            self.tree.put(self._beside(place), replace(original.node, tick=self.tick))

    def _keep(self, place: str, here: Node) -> None:
        if self._key(place) in self.state.originals:
            self.tree.put(self._beside(place), replace(here, tick=self.tick))
        else:
            self.state.originals[self._key(place)] = Original(here)
        self.tree.drop(place)

    def _key(self, place: str) -> str:
        return f"{self.address} {place}"

    def _beside(self, place: str) -> str:
        """Return the first name that is free."""
        tries = [place, f"{place}.before-dotfiles", *(f"{place}.before-dotfiles{number}" for number in range(1, 100))]
        return next(path for path in tries if self.tree.get(path) is None)


def install(home: Home, tokens: set[str], wish: InstallDotfiles) -> dict[str, str]:
    """Set dotfiles up and return the facts to remember.

    Raises:
        Refusal: There is no home or no repository, the script is missing, or it failed.
    """
    tree = home.tree
    where = next((account.home for account in accounts(tree) if account.uid == wish.uid), "/")
    root = located(wish.path, accounts(tree))
    if where == "/" or tree.get(root) is None:
        raise Refusal(f"uid {wish.uid} has no home, or there is no directory {root}")
    way = next((script for script in wish.scripts if tree.get(f"{root}/{script}")), "links" if wish.links else "")
    if not way:
        raise Refusal(f"the repository of dotfiles has no {wish.scripts[0]}")
    names = list(_chosen(tree, root, wish)) if way == "links" else []
    links = [(f"{where}/{name}", f"{root}/{name}") for name in names]
    entry = home.state.ledger.get(home.address)
    before = entry.facts.get("way", "") if entry else ""
    for place, target in home.linked():
        if (place, target) not in links:
            home.unlink(place, target)
    for place, target in links:
        home.link(place, target)
    if way != "links" and (wish.again or way != before):
        home.state.ledger.pop(home.address, None)
        _run(home, tokens, root, way)
    return {"way": way, "home": where, "from": root} | {f"link{n}": name for n, name in enumerate(names, 1)}


def _chosen(tree: Tree, root: str, wish: InstallDotfiles) -> Iterator[str]:
    """Yield the names to link, in the order of the patterns."""
    for pattern in wish.links:
        depth = pattern.count("/")
        below = (path[len(root) + 1 :] for path, _ in tree.below(root) if path != root)
        for name in (name for name in below if name.count("/") == depth and fnmatchcase(name, pattern)):
            if not any(lies_below(other, name) or lies_below(name, other) for other in wish.taken):
                yield name


def _run(home: Home, tokens: set[str], root: str, script: str) -> None:
    node = home.tree.get(f"{root}/{script}")
    assert node is not None
    shell = Shell(home.tree, home.tick, tokens, root, home.uid, home.gid, 60, 0)
    code = shell.run(node.content.decode())
    if code:
        raise Refusal("\n".join([*shell.output, f"{script} failed"]), code)


def _leads(node: Node | None, target: str) -> bool:
    return node is not None and node.type == "link" and node.content == target.encode()
