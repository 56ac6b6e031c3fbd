"""Networks that environments share: made by hand, joined through ``networks``, removed when nobody is on them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from envspec.api.lock import locked
from envspec.engine.base import Engine, Reader
from envspec.engine.objects import NetworkState
from envspec.errors import Conflict, Refused, UsageError, Where
from envspec.kinds import names
from envspec.kinds.base import is_service
from envspec.spec.names import network_name

KIND = "network"


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One network of ours.

    Attributes:
        name: Its name on the engine; also what ``networks`` of a spec says.
        id: Its ID.
        made_by: Environment that made it and removes it with itself, "" for one made by ``network create``.
        members: Environments that are on it by name, containers that are no environment's by theirs; sorted.
    """

    name: str
    id: str
    made_by: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkMade:
    """A network that exists now, and whether it did not before."""

    name: str
    id: str
    created: bool


def networks(reader: Reader) -> tuple[NetworkRow, ...]:
    """Return all networks of ours, sorted by name."""
    return tuple(_row(reader, network) for network in reader.networks() if _is_ours(network))


def create(engine: Engine, name: str) -> NetworkMade:
    """Make a network that environments join by ``networks: [NAME]``; one that is there already is left as it is.

    Args:
        engine: The engine.
        name: Its name.

    Raises:
        UsageError: It is no name of a network.
        Conflict: A network that is not ours bears it.
    """
    try:
        network_name(name)
    except PydanticCustomError as error:
        raise UsageError(error.message(), code="network.name", hint="use letters, digits, `_`, `.` and `-`") from None
    # Two at once would both succeed on Docker and leave two networks of one name.
    with locked(engine, f"{KIND}.{name}"):
        found = [network for network in engine.networks() if network.name == name]
        if any(not _is_ours(network) for network in found):
            raise Conflict(
                f"a network {name} is there already, and envspec did not make it",
                code="network.not_ours",
                hint=f"environments can join it all the same: `networks: [{name}]`; or choose another name",
                where=Where(address=f"{KIND}.{name}"),
            )
        if found:
            return NetworkMade(name, found[0].id, created=False)
        labels = {names.KIND: KIND, names.ADDRESS: f"{KIND}.{name}", names.FORMAT: "1"}
        return NetworkMade(name, engine.create_network(name, labels), created=True)


def remove(engine: Engine, name: str) -> NetworkRow:
    """Remove a network of ours that nobody is on, and return what it was.

    Raises:
        UsageError: There is no network of that name.
        Refused: It is not ours, or something is on it; the message names who.
    """
    found = [network for network in engine.networks() if network.name == name]
    where = Where(address=f"{KIND}.{name}")
    if not found:
        raise UsageError(
            f"there is no network {name}", code="network.unknown", hint="`envspec network list` names them"
        )
    if not all(map(_is_ours, found)):
        raise Refused(
            f"envspec did not make the network {name}, so it does not remove it",
            code="network.not_ours",
            hint=f"`{engine.name} network rm {name}`, if you mean it",
            where=where,
        )
    rows = [_row(engine, network) for network in found]
    members = sorted({member for row in rows for member in row.members})
    if members:
        raise Refused(
            f"the network {name} is used by {', '.join(members)}",
            code="network.in_use",
            hint="destroy them, or take it out of their `networks` and apply",
            where=where,
        )
    for row in rows:
        engine.remove_network(row.id)
    return rows[0]


def _is_ours(network: NetworkState) -> bool:
    return names.ENV in network.labels or network.labels.get(names.KIND) == KIND


def _row(reader: Reader, network: NetworkState) -> NetworkRow:
    users = reader.network_users(network.id)
    boxes = {box.name: box for box in reader.containers(names=users)} if users else {}
    members = set()
    for user in users:
        box = boxes.get(user)
        env = box.labels.get(names.ENV, "") if box else ""
        members.add(env if box and env and not is_service(box) else user)
    return NetworkRow(network.name, network.id, network.labels.get(names.ENV, ""), tuple(sorted(members)))
