"""What the end of every ``--help`` shows: command lines to copy."""

from __future__ import annotations

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "preflight": ("envspec preflight", "envspec preflight --fix"),
    "init": ("envspec init", "envspec init --purpose node services/web"),
    "validate": ("envspec validate", "envspec validate examples/quickstart"),
    "schema": ("envspec schema > spec.schema.json", "envspec schema plan"),
    "purposes": ("envspec purposes", "envspec purposes python"),
    "render": ("envspec render", "envspec render --purpose go --image-source registry"),
    "plan": ("envspec plan", "envspec plan --out shop.plan", "envspec plan --destroy shop"),
    "apply": ("envspec apply", "envspec apply --yes --session s1 examples/quickstart", "envspec apply shop.plan"),
    "try": ("envspec try https://github.com/you/app", "envspec try ../app --name app-try --yes"),
    "destroy": ("envspec destroy shop", "envspec destroy shop api --yes", "envspec destroy --all --session s1 --yes"),
    "list": ("envspec list", "envspec list --json", "envspec --engine podman list"),
    "status": ("envspec status shop", "envspec status . --drift"),
    "logs": ("envspec logs shop", "envspec logs shop db"),
    "exec": (
        "envspec exec shop ls -la",
        "envspec exec shop 'make && make test'",
        "envspec exec . --root -- apt-get update",
        "envspec exec shop --timeout 60 --json -- ./check",
    ),
    "job": ("envspec job start shop --name build -- make all", "envspec job poll shop/build"),
    "job start": ("envspec job start shop --name build -- make all", "envspec job start shop 'make && make test'"),
    "job list": ("envspec job list", "envspec job list shop"),
    "job poll": ("envspec job poll shop/build", "envspec job poll shop/build --offset 4096"),
    "job logs": ("envspec job logs shop/build --follow",),
    "job wait": ("envspec job wait shop/build",),
    "job cancel": ("envspec job cancel shop/build",),
    "wait": ("envspec wait shop", "envspec wait shop --service db", "envspec wait shop --command 'test -e ready'"),
    "shell": ("envspec shell shop", "envspec shell . --root"),
    "cp": ("envspec cp notes.txt shop:/workspace/", "envspec cp shop:dist/. out", "envspec cp - shop:/srv < tree.tar"),
    "snapshot": ("envspec snapshot create shop before-upgrade", "envspec snapshot list"),
    "snapshot create": ("envspec snapshot create shop before-upgrade",),
    "snapshot list": ("envspec snapshot list",),
    "snapshot show": ("envspec snapshot show before-upgrade --spec",),
    "snapshot rm": ("envspec snapshot rm before-upgrade",),
    "restore": ("envspec restore before-upgrade --as try-a", "envspec restore before-upgrade --yes"),
    "connect": ("envspec connect shop", "envspec connect shop --json"),
    "network": ("envspec network create backend", "envspec network list"),
    "network create": ("envspec network create backend",),
    "network list": ("envspec network list",),
    "network rm": ("envspec network rm backend",),
    "cache": ("envspec cache list", "envspec cache clear python"),
    "cache list": ("envspec cache list",),
    "cache clear": ("envspec cache clear", "envspec cache clear python"),
    "run": ("envspec run . make test", "envspec run env.yaml --timeout 600 -- ./check --all"),
    "session": ("envspec session list", "envspec session end s1"),
    "session list": ("envspec session list",),
    "session end": ("envspec session end s1",),
    "gc": ("envspec gc --dry-run", "envspec gc --images-older-than 7d"),
    "completion": ("envspec completion bash",),
}
"""By the words of the command."""


def show(command: click.Command, name: str) -> click.Command:
    """Let the help of a command, and of those below it, end with its examples.

    Args:
        command: The command.
        name: Its words.
    """
    lines = EXAMPLES.get(name, ())
    if lines and "Examples:" not in (command.epilog or ""):
        shown = "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
        command.epilog = f"{shown}\n\n{command.epilog}" if command.epilog else shown
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        show(below, f"{name} {below.name}")
    return command
