"""Whose it is what envspec makes in volumes, which outlive a container and perhaps the user whom it was made for.

Given over are the tops of volumes, repositories with all that is in them, and directories made above declared files;
the files themselves are written anew. What lies elsewhere in a volume stays whose it is, and so does everything that is
bound from the host.
"""

from __future__ import annotations

from dataclasses import dataclass

from envspec.engine.facts import LedgerEntry
from envspec.engine.objects import ContainerState
from envspec.engine.operations import GiveOver
from envspec.kinds.base import recorded_path
from envspec.kinds.loss import lies_below


@dataclass(frozen=True, slots=True)
class Holdings:
    """What of the user's lies in volumes.

    Attributes:
        tops: Mount points of the volumes.
        trees: Repositories in them.
        files: ``(address, path)`` of declared files in them.
    """

    tops: tuple[str, ...]
    trees: tuple[str, ...]
    files: tuple[tuple[str, str], ...]

    def given(self, former: int, uid: int, gid: int) -> GiveOver:
        """Return the operation that gives all of it over."""
        return GiveOver(former, uid, gid, self.tops, self.trees, self.files)


def holdings(ledger: tuple[LedgerEntry, ...], volumes: tuple[str, ...], others: tuple[str, ...]) -> Holdings:
    """Return what of the user's lies in volumes.

    Args:
        ledger: What was made.
        volumes: Mount points of volumes.
        others: Mount points of everything else.
    """

    def held(path: str) -> bool:
        holding = [target for target in (*volumes, *others) if lies_below(path, target)]
        return bool(holding) and max(holding, key=len) in volumes

    made = [(entry.address, recorded_path(entry, entry.address)) for entry in ledger]
    trees = (path for address, path in made if address.startswith("repo.") and held(path))
    files = ((address, path) for address, path in made if address.startswith("file.") and held(path))
    return Holdings(volumes, tuple(sorted(trees)), tuple(sorted(files)))


def user_of(box: ContainerState | None) -> tuple[int, int] | None:
    """Return the numeric user and group that a container runs as; ``None`` where there is no container."""
    uid, _, gid = box.config.user.partition(":") if box else ("", "", "")
    return (int(uid), int(gid)) if uid.isdigit() and gid.isdigit() else None
