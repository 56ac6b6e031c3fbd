"""What of the user's own an environment may have: the one place that every forwarder asks."""

from __future__ import annotations

from collections.abc import Iterator

from envspec.errors import Faults, SpecError
from envspec.frontmatter import FrontMatter
from envspec.spec.load import Loaded
from envspec.spec.models import Spec


def trusted(spec: Spec, purpose: FrontMatter | None) -> bool:
    """Say whether an environment is trusted with the user's own; the purpose decides where the spec does not.

    Args:
        spec: The spec.
        purpose: What its purpose says of itself, ``None`` without one.
    """
    return (spec.trust or (purpose.trust if purpose else "trusted")) == "trusted"


def takes(spec: Spec, purpose: FrontMatter | None, what: str, *, usually: bool = True) -> bool:
    """Say whether an environment takes something of the user's along where its spec leaves that open.

    Args:
        spec: The spec.
        purpose: What its purpose says of itself, ``None`` without one.
        what: ``env``, ``git``, ``gh``, ``ssh``, ``dotfiles``, ``host_network``: a word of a purpose's ``forwards``.
        usually: What counts for a trusted one whose purpose says nothing of it.
    """
    if not trusted(spec, purpose):
        return False
    if purpose is None or purpose.forwards is None:
        return usually
    return what in purpose.forwards


def check(loaded: Loaded, purpose: FrontMatter | None) -> None:
    """Insist that an untrusted environment asks for nothing that only a trusted one may have.

    Raises:
        SpecError: It does.
    """
    if trusted(loaded.spec, purpose):
        return
    faults = Faults()
    for key, what in _asked(loaded.spec):
        why = "" if loaded.spec.trust else ", as its purpose has it"
        faults.add(
            SpecError(
                f"`{key}` brings {what}, and this environment is untrusted{why}",
                code="spec.untrusted",
                hint=f"take `{key}` out, or write `trust: trusted` if you trust what runs in it",
                where=loaded.where(key),
            )
        )
    faults.stop()


def _asked(spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield the keys that bring something of the user's, and what."""
    if spec.mount_cwd:
        yield "mount_cwd", "the directory of this file"
    if spec.env_passthrough not in (None, "none", ()):
        yield "env_passthrough", "variables of the host"
    if spec.forward_git:
        yield "forward_git", "the user's git configuration"
    if spec.forward_gh:
        yield "forward_gh", "the user's token for GitHub"
    if spec.forward_ssh:
        yield "forward_ssh", "the user's SSH keys"
    if spec.host_network == "auto":
        yield "host_network", "the host's package indexes, and logins to them"
