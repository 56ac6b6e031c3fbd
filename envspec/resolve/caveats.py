"""What a plan says of things that will not do what their author means, although nothing about them is at fault."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping

from envspec.engine.image_tools import lacking
from envspec.engine.objects import ImageState
from envspec.errors import SpecError, Where
from envspec.kinds.command import CommandSpec
from envspec.kinds.file import FileSpec
from envspec.kinds.health import HealthSpec
from envspec.model import Resource
from envspec.steps.returns import HOW_TO_REMOVE


def caveats(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Return notes on scripts and commands whose lines end as Windows ends them.

    Args:
        resources: What is inside the workspace.
    """
    return tuple(
        f"{resource.address} has carriage returns at its line ends, which break it here: {HOW_TO_REMOVE}"
        for resource in resources
        if _has_returns(resource.spec)
    )


def _has_returns(spec: object) -> bool:
    if isinstance(spec, FileSpec):
        return spec.content.startswith(b"#!") and spec.content.partition(b"\n")[0].endswith(b"\r")
    return isinstance(spec, CommandSpec | HealthSpec) and ("\r\n" in spec.command or spec.command.endswith("\r"))


def of_image(ref: str, images: Mapping[str, ImageState]) -> tuple[str, ...]:
    """Return notes on what an image does by itself elsewhere, and here does not.

    Args:
        ref: Reference of an image that the workspace runs as it is.
        images: The local images by reference.
    """
    image = images.get(ref)
    return tuple(_of_image(ref, image)) if image else ()


def refuse_unfit(ref: str, images: Mapping[str, ImageState], where: Where | None) -> None:
    """Insist that an image has the tools that work inside needs, where its layers can be read.

    Args:
        ref: Reference of an image that the workspace runs as it is.
        images: The local images by reference.
        where: Where the spec names it.

    Raises:
        SpecError: It lacks some.
    """
    image = images.get(ref)
    lacks = lacking(image.layers) if image else ()
    if lacks:
        raise SpecError(
            f"{ref} cannot be a workspace: it has no {', '.join(lacks)} where root looks programs up",
            code="image.lacks_tools",
            hint="take an image of a whole distribution, or run this one as a service under `compose`",
            where=where,
        )


def _of_image(ref: str, image: ImageState) -> Iterator[str]:
    if image.entrypoint:
        shown = shlex.join(image.entrypoint)
        yield (
            f"{ref} has the ENTRYPOINT `{shown}`, which is not run: the workspace waits for commands;"
            " start it with `envspec exec`, by `setup_commands`, or run the image as a service under `compose`"
        )
    if image.health and image.health[0] != "NONE":
        shown = " ".join(image.health[1:])
        yield (
            f"{ref} has the HEALTHCHECK `{shown}`, which runs inside, and `envspec wait` waits until it passes;"
            " what it looks at is not started by itself: write `health` to wait for something else"
        )
