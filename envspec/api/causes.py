"""Known causes in our own words: a step failed, so the world is looked at again for what may have made it fail.

The engine's own words are kept only where no cause is known. What a build printed is the one text that is read, for
nothing else tells why a program inside it failed; it chooses the words, and nothing that is done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from envspec import host as hosts
from envspec import host_gpu
from envspec.api.ports import taken
from envspec.api.work import Look
from envspec.compose import effects
from envspec.engine.base import Engine
from envspec.engine.facts import Questions
from envspec.errors import (
    Conflict,
    EngineCallFailed,
    EngineNotReady,
    EngineSilent,
    EngineTimeout,
    EnvspecError,
    OutOfReach,
    StepFailed,
    Where,
)
from envspec.kinds.base_image import BaseImageSpec
from envspec.kinds.command import CommandSpec
from envspec.kinds.container import ContainerSpec
from envspec.kinds.dotfiles import DotfilesSpec
from envspec.kinds.repo import CLONE_DEADLINE, RepoSpec
from envspec.kinds.service_state import ServiceSpec, key_of
from envspec.model import Resource

BUILD_CODES = ("engine.build_failed", "engine.bootstrap_failed")

_NO_NAME = re.compile(r"Temporary failure resolving|Could not resolve|Name or service not known|ENOTFOUND|EAI_AGAIN")
_NO_TRUST = re.compile(
    r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|SSL certificate problem|certificate is not trusted"
    r"|SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET)|unknown issuer|UnknownIssuer|x509: ",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(
    r"Connection (refused|timed out|reset)|Could not connect|Failed to connect|Network is unreachable|No route to host"
    r"|ECONNREFUSED|ETIMEDOUT|ECONNRESET|Unable to connect|Failed to fetch|Max retries exceeded|error sending request"
)
_REACH = (
    (_NO_NAME, "build.dns", "cannot look up the name of a server", "look at DNS on this host: `envspec preflight`"),
    (
        _NO_TRUST,
        "build.tls",
        "does not trust a server's certificate",
        "put the CA that signs it where this host keeps its own, then `envspec preflight`",
    ),
    (
        _NO_ANSWER,
        "build.network",
        "cannot reach a server",
        "look at the proxy and the package mirror: `envspec preflight`, then apply again",
    ),
)
"""What a build prints when it cannot reach its source: by pattern, the code, the words, and what to do."""


def explainer(engine: Engine, seen: Look) -> Callable[[str, EnvspecError], EnvspecError]:
    """Return what turns the error of a step into one that names its cause, where that can be found.

    Args:
        engine: The engine.
        seen: The look that the steps follow from.
    """

    def explain(address: str, error: EnvspecError) -> EnvspecError:
        resource = seen.desired.get(address)
        if resource is None or isinstance(error, Conflict | EngineNotReady):
            return error
        try:
            return _cause(engine, seen, resource, error) or error
        except EnvspecError:  # who cannot look again has nothing better to say
            return error

    return explain


def _cause(engine: Engine, seen: Look, resource: Resource, error: EnvspecError) -> EnvspecError | None:
    where = Where(address=resource.address)
    match resource.spec:
        case CommandSpec() as command:
            return _of_command(engine, seen, command, error, where)
        case RepoSpec() | DotfilesSpec() if _took_too_long(engine, seen, error):
            return OutOfReach(
                f"it did not end within {CLONE_DEADLINE:g} s and was ended",
                code=f"{resource.kind}.timeout",
                hint="apply again where its server was slow; a `depth` of 1, or less to set up, makes it shorter",
                where=where,
            )
        case BaseImageSpec() as base if error.code == "engine.pull_failed":
            other = "" if base.builds else ", or take a `purpose`, which needs no registry"
            other = other or ", or set `image_source: bootstrap`"
            return _no_registry(engine, base.origin or base.ref, other, where, shown=base.ref)
        case _ if error.code in BUILD_CODES:
            return _no_source(error, where)
        case ContainerSpec() | ServiceSpec() as spec if isinstance(error, EngineCallFailed | StepFailed):
            return _port(engine, seen, resource, where) or _of_container(engine, spec, error, where)
    return None


def _of_container(
    engine: Engine, service: ContainerSpec | ServiceSpec, error: EnvspecError, where: Where
) -> EnvspecError | None:
    """Say that there is no GPU, or that the image of a service could be neither built nor pulled."""
    if isinstance(service, ContainerSpec):
        return _no_gpu(engine, where, wanted=service.config.gpu)
    document = json.loads(service.document.text)["services"][key_of(service.name)]
    if lacking := _no_gpu(engine, where, wanted=effects.wants_gpu(document)):
        return lacking
    if service.content:
        return _no_source(error, where)
    return None if engine.images((service.image,)) else _no_registry(engine, service.image, "", where)


def _of_command(
    engine: Engine, seen: Look, command: CommandSpec, error: EnvspecError, where: Where
) -> EnvspecError | None:
    """Say that a command took too long, or had nowhere to run."""
    if _took_too_long(engine, seen, error):
        return StepFailed(
            f"it did not end within {command.timeout:g} s, its own `timeout`, and was ended",
            code="command.timeout",
            hint="give it a longer `timeout`, or let it do less; what it prints is in the log",
            where=where,
        )
    box = next((box for box in engine.containers(seen.plan.env) if box.running and _is_workspace(box.name, seen)), None)
    if box is None or command.workdir in engine.probe(box.id, Questions(exists=(command.workdir,))).exists:
        return None
    return StepFailed(
        f"there is no directory {command.workdir} inside for it to run in",
        code="command.workdir",
        hint="correct its `workdir`, or make the directory in a command before it",
        where=where,
    )


def _took_too_long(engine: Engine, seen: Look, error: EnvspecError) -> bool:
    """Say whether what ran inside took too long; an engine that still answers is not to blame.

    Raises:
        EnvspecError: The engine does not answer.
    """
    if not isinstance(error, EngineTimeout) or isinstance(error, EngineSilent):
        return False
    engine.containers(seen.plan.env)
    return True


def _is_workspace(name: str, seen: Look) -> bool:
    return name.startswith(f"{seen.plan.env}-workspace")


def _port(engine: Engine, seen: Look, resource: Resource, where: Where) -> EnvspecError | None:
    held = taken(engine, seen.desired.env, (resource,))
    if not held:
        return None
    hint = "end what holds it, or give another port of the host in `ports`; 0 takes any that is free"
    return Conflict("; ".join(what for _, what in held), code="conflict.port", hint=hint, where=where)


def _no_gpu(engine: Engine, where: Where, *, wanted: bool) -> EnvspecError | None:
    lacking = "" if engine.remote or not wanted else host_gpu.lacking()
    if not lacking:
        return None
    hint = "`envspec preflight` looks at it; or take `gpu` out"
    return StepFailed(f"there is no GPU to give: {lacking}", code="engine.no_gpu", hint=hint, where=where)


def _no_registry(engine: Engine, ref: str, other: str, where: Where, *, shown: str = "") -> EnvspecError | None:
    """Say that the registry cannot be reached; whether a remote engine reaches it cannot be told from here.

    Args:
        engine: The engine.
        ref: Reference of the image as it is pulled.
        other: Another way to have an image, for the hint.
        where: Where the image is asked for.
        shown: Its reference as the user knows it.
    """
    registry = hosts.registry_of(ref if "/" in ref else "")
    if engine.remote or hosts.registry_reachable(registry):
        return None
    return OutOfReach(
        f"no registry can be reached: {registry} does not answer this host, so {shown or ref} cannot be pulled",
        code="image.no_registry",
        hint=f"load it with `{engine.name} load`{other}; a mirror is named by `image_prefix`",
        where=where,
    )


def _no_source(error: EnvspecError, where: Where) -> EnvspecError | None:
    """Say that a build did not reach what it takes packages from, with the line that says so."""
    lines = error.message.splitlines()
    for pattern, code, words, hint in _REACH:
        said = next((line.strip() for line in lines if pattern.search(line)), "")
        if said:
            return OutOfReach(f"the build {words}: {said[:300]}", code=code, hint=hint, where=where)
    return None
