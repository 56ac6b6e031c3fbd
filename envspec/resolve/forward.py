"""What of the host's user comes inside, and as what: git's configuration, GitHub's token, SSH keys or their agent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from envspec.engine.facts import AGENT_SOCKET, ENV_FILE, FORWARDED_GIT, RUN_DIR
from envspec.engine.objects import Mount
from envspec.engine.operations import RunFile
from envspec.engine.sight import AGENT_THERE
from envspec.errors import SpecError
from envspec.forward import gitconfig
from envspec.forward.gh import GITHUB, VARIABLES
from envspec.forward.values import Entry, Forwarded, Wish
from envspec.frontmatter import FrontMatter
from envspec.host import HostFacts
from envspec.kinds.file import FileSpec
from envspec.model import Hidden
from envspec.resolve import home
from envspec.resolve.box import Place, check_mountable
from envspec.resolve.trust import takes, trusted
from envspec.resolve.user import Identity, identify
from envspec.spec.models import Spec

KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts2"
"""The second of the files in which OpenSSH looks for hosts that all users know; the first is the image's."""

HELPER = (
    f'!f() {{ [ "$1" = get ] || exit 0; [ -n "${{GH_TOKEN:-$GITHUB_TOKEN}}" ] || [ ! -r {ENV_FILE} ] || . {ENV_FILE}; '
    't=${GH_TOKEN:-$GITHUB_TOKEN}; [ -z "$t" ] || printf "username=x-access-token\\npassword=%s\\n" "$t"; }; f'
)
"""A credential helper that reads the token at the moment of use; see ``gitcredentials(7)``."""


def wish(spec: Spec, purpose: FrontMatter | None, directory: Path) -> Wish:
    """Return what to look for on the host.

    Args:
        spec: The spec.
        purpose: What its purpose says of itself, ``None`` without one.
        directory: Directory of the spec.
    """
    git, gh, ssh = spec.forward_git, spec.forward_gh, spec.forward_ssh
    if ssh is None:
        ssh = takes(spec, purpose, "ssh", usually=False)
    return Wish(
        git=takes(spec, purpose, "git") if git is None else git,
        gh=takes(spec, purpose, "gh") if gh is None else gh,
        ssh="agent" if ssh == "agent" else "files" if ssh else "",
        directory=str(directory),
        secret=purpose.home.secret if purpose and trusted(spec, purpose) else (),
        seed=purpose.home.seed if purpose and trusted(spec, purpose) else (),
    )


def variables(
    spec: Spec, found: Forwarded, mounted: tuple[Mount, ...] = (), who: Identity | None = None, *, here: bool = True
) -> dict[str, str | Hidden]:
    """Return the variables that come along; a token that the author gives is the only one.

    Args:
        spec: The spec.
        found: What was found on the host.
        mounted: All mounts.
        who: Who works inside.
        here: Whether the engine runs on this host.
    """
    variables: dict[str, str | Hidden] = {}
    if found.gh_token and not set(VARIABLES) & spec.env.keys():
        variables[VARIABLES[0]] = found.gh_token
    foreign = who is not None and any(_is_foreign(mount, who, here=here) for mount in mounted)
    if spec.security.read_only and (found.git or found.gh_token or foreign):
        variables["GIT_CONFIG_SYSTEM"] = FORWARDED_GIT  # the system's own file cannot be told to include it
    return variables


def lacks_agent(spec: Spec, found: Forwarded) -> bool:
    """Say whether an agent is asked for and none answers, as in a shell of another login."""
    return spec.forward_ssh == "agent" and not found.agent


def notes(spec: Spec, found: Forwarded) -> tuple[str, ...]:
    """Return what the reader of a plan should know of it."""
    agent = "whoever works inside may use the keys of the host's SSH agent, while it runs" if found.agent else ""
    if lacks_agent(spec, found):
        agent = (
            "no SSH agent answers at SSH_AUTH_SOCK: `forward_ssh: agent` changes nothing until one does "
            '(`eval "$(ssh-agent)" && ssh-add`, then apply again)'
        )
    return tuple(note for note in (agent, *found.notes) if note)


def check(spec: Spec, place: Place, found: Forwarded) -> None:
    """Insist that ``forward_ssh: true`` has something to bring, and somewhere to put it.

    Raises:
        SpecError: It has not.
    """
    if spec.forward_ssh is not True:
        return
    if not found.ssh:
        message, hint = "there is nothing in ~/.ssh to bring inside", "write `forward_ssh: agent`, or take the key out"
    elif spec.security.read_only:
        message = "~/.ssh cannot be brought inside: the root filesystem is read-only"
        hint = "write `forward_ssh: agent`, or take `read_only` out"
    else:
        return
    raise SpecError(message, code="spec.no_ssh", hint=hint, where=place.where("forward_ssh"))


def mounts(spec: Spec, place: Place, host: HostFacts) -> tuple[Mount, ...]:
    """Return the mount of the agent's socket, where it is asked for.

    Raises:
        SpecError: Its socket cannot be mounted or used.
    """
    found = host.forwarded
    if spec.forward_ssh != "agent" or lacks_agent(spec, found):
        return ()
    if not host.machine.here:
        return (Mount(AGENT_SOCKET, "bind", AGENT_THERE),)
    who = identify(spec.user, host)
    if who.uid not in (0, found.agent_uid):
        raise SpecError(
            f"the SSH agent of uid {found.agent_uid} answers that user and root only, and inside works uid {who.uid}",
            code="spec.agent_user",
            hint="write `user: host`, or `forward_ssh: true` for the files",
            where=place.where("forward_ssh"),
        )
    hint = "start the agent with another socket: `ssh-agent -a PATH`"
    check_mountable(found.agent, hint, place.where("forward_ssh"))
    return (Mount(AGENT_SOCKET, "bind", found.agent),)


def git_entries(  # noqa: PLR0913 - what it is made of
    found: Forwarded,
    wished: Wish,
    variables_inside: Iterable[str],
    mounted: tuple[Mount, ...],
    who: Identity,
    *,
    here: bool = True,
) -> tuple[Entry, ...]:
    """Return git's configuration as everybody inside shall have it.

    Args:
        found: What was found on the host.
        wished: What was looked for.
        variables_inside: Names of all variables.
        mounted: All mounts.
        who: Who works inside.
        here: Whether the engine runs on this host.
    """
    entries = list(found.git)
    # Not the host user's: it says of the environment's own mounts that they are meant to be worked in, whoever owns
    # them. The second one is for repositories within, and submodules; git knows it since 2.46.
    foreign = [mount.target for mount in mounted if _is_foreign(mount, who, here=here)]
    entries += [Entry("safe.directory", place) for target in foreign for place in (target, f"{target}/*")]
    if wished.gh and set(VARIABLES) & set(variables_inside):
        # The empty one puts away what the image has for this host.
        entries += [Entry(f"credential.https://{GITHUB}.helper", value) for value in ("", HELPER)]
    return tuple(entries)


def files(spec: Spec, found: Forwarded, entries: tuple[Entry, ...], who: Identity) -> tuple[FileSpec, ...]:
    """Return the files that are no secret, and links to those that are.

    Known hosts have a place of their own, which leaves the user's in their home free to grow.
    """
    texts = [(FORWARDED_GIT, gitconfig.render(entries))]
    if not spec.security.read_only:
        texts.append((KNOWN_HOSTS, found.known_hosts))
    plain = [FileSpec(path, content, 0o644, 0, 0) for path, content in texts if content]
    links = [
        FileSpec(
            f"~{uid}/.ssh/{file.path}", f"{RUN_DIR}/{_ssh_place(uid)}/{file.path}".encode(), 0o777, uid, gid, link=True
        )
        for uid, gid in _readers(who)
        for file in found.ssh
        if file.path != "known_hosts"
    ]
    return (*plain, *links, *home.links(spec, found, who))


def run_files(found: Forwarded, who: Identity) -> tuple[RunFile, ...]:
    """Return the files that are secret.

    OpenSSH takes a configuration only from root or from whoever reads it, so that root has a copy.
    """
    keys = (
        RunFile(f"{_ssh_place(uid)}/{file.path}", Hidden(file.text), 0o400, uid, gid)
        for uid, gid in sorted(_readers(who))
        for file in found.ssh
    )
    return (*keys, *home.run_files(found, who))


def _readers(who: Identity) -> tuple[tuple[int, int], ...]:
    """Return who has a copy of ``~/.ssh``: the user, and root, who sets up."""
    return tuple(sorted({(0, 0), (who.uid, who.gid)})) if who.uid else ((0, who.gid),)


def _ssh_place(uid: int) -> str:
    return f"ssh/{uid}"


def _is_foreign(mount: Mount, who: Identity, *, here: bool) -> bool:
    """Say whether git may refuse a bound directory for being somebody else's.

    What a virtual machine shares has whatever owner the machine shows, which differs from product to product.
    """
    try:
        if mount.type != "bind" or not Path(mount.source).is_dir():
            return False
        return not here or Path(mount.source).stat().st_uid != who.uid
    except OSError:
        return False
