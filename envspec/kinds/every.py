"""All kinds of resource, one line each."""

from __future__ import annotations

from typing import Any

from envspec.kinds.base import Kind
from envspec.kinds.base_image import BaseImage
from envspec.kinds.command import Command
from envspec.kinds.container import Container
from envspec.kinds.dotfiles import Dotfiles
from envspec.kinds.environment import Environment
from envspec.kinds.file import File
from envspec.kinds.health import Health
from envspec.kinds.image import Image
from envspec.kinds.lease import Lease
from envspec.kinds.network import Network
from envspec.kinds.repo import Repo
from envspec.kinds.service import Service
from envspec.kinds.user import User
from envspec.kinds.volume import Volume


def all_kinds() -> dict[str, Kind[Any]]:
    """Return every kind by name, in the order in which a plan lists them."""
    kinds: tuple[Kind[Any], ...] = (
        BaseImage(),
        Image(),
        Network(),
        Volume(),
        Container(),
        Service(),
        Lease(),
        User(),
        Environment(),
        File(),
        Repo(),
        Dotfiles(),
        Command(),
        Health(),
    )
    return {kind.name: kind for kind in kinds}
