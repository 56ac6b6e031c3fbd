"""How the fake engine reads a Dockerfile: its bases, and what would make its build fail."""

from __future__ import annotations

INSTRUCTIONS = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"),
        *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    )
)


def full_ref(ref: str) -> str:
    """Return a reference with its tag, ``latest`` where it names none."""
    return ref if ":" in ref.rpartition("/")[2] else f"{ref}:latest"


def _instructions(dockerfile: str) -> list[tuple[str, list[str]]]:
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(words[0].upper(), words[1:]) for words in map(str.split, joined.splitlines())]


def bases_of(dockerfile: str) -> list[str]:
    """Return the references that a Dockerfile builds upon, the one of the last stage last; earlier stages left out."""
    aliases: dict[str, str] = {}
    bases = []
    for verb, words in _instructions(dockerfile):
        if verb == "FROM" and words:
            base = aliases.get(words[0], words[0])
            bases.append(base)
            if len(words) == 3 and words[1].upper() == "AS":
                aliases[words[2]] = base
    return bases


def volumes_of(dockerfile: str) -> list[str]:
    """Return the paths that a Dockerfile's last stage makes volumes of, in either form of the instruction."""
    found: list[str] = []
    for verb, words in _instructions(dockerfile):
        if verb == "FROM":
            found = []
        if verb == "VOLUME":
            found += [word.strip('[],"') for word in words]
    return found


def fault_of(dockerfile: str) -> str:
    """Return why a build fails, "" when it does not: no base, an unknown instruction, or a ``RUN false``."""
    found = _instructions(dockerfile)
    if not any(verb == "FROM" for verb, _ in found):
        return "no build stage in current context"
    for verb, words in found:
        if verb not in INSTRUCTIONS:
            return f"dockerfile parse error: unknown instruction: {verb}"
        if verb == "RUN" and words[-1:] == ["false"]:
            return f"The command '{' '.join(words)}' returned a non-zero code: 1"
    return ""
