"""Words of other tools that people and agents type, and what does the same here."""

from __future__ import annotations

ANSWERS = {
    "create": "`envspec apply`: it makes the environment that a file describes; `envspec init` writes the file",
    "up": "`envspec apply`",
    "start": "`envspec apply`: it starts an environment that stopped",
    "build": "`envspec apply --no-cache`: the image is built as part of it",
    "down": "`envspec destroy ENV`",
    "rm": "`envspec destroy ENV`",
    "remove": "`envspec destroy ENV`",
    "delete": "`envspec destroy ENV`",
    "destroy_all": "`envspec destroy --all`",
    "stop": "`envspec destroy ENV`: an environment runs, or is gone; `envspec snapshot create ENV NAME` keeps it",
    "ls": "`envspec list`",
    "ps": "`envspec list`",
    "inspect": "`envspec status ENV`",
    "exec_interactive_hint": "`envspec connect ENV` prints the command for a person; `envspec shell ENV` goes inside",
    "ssh": "`envspec shell ENV`",
    "enter": "`envspec shell ENV`",
    "attach": "`envspec shell ENV`",
    "exec_background": "`envspec job start ENV [--name ID] -- COMMAND`",
    "exec_poll": "`envspec job poll ID`",
    "exec_cancel": "`envspec job cancel ID`",
    "copy": "`envspec cp SRC ENV:DST`, or `envspec cp ENV:SRC DST`",
    "copy_in": "`envspec cp SRC ENV:DST`",
    "copy_out": "`envspec cp ENV:SRC DST`",
    "create_network": "`envspec network create NAME`",
    "destroy_network": "`envspec network rm NAME`",
    "networks": "`envspec network list`",
    "wait_healthy": "`envspec wait ENV`, with `--command CMD` for a check of your own",
    "cache_clear": "`envspec cache clear [PURPOSE]`",
    "prune": "`envspec gc`, and `envspec cache clear` for images",
    "clean": "`envspec gc`, and `envspec cache clear` for images",
    "snapshots": "`envspec snapshot list`",
    "commit": "`envspec snapshot create ENV NAME`",
    "sessions": "`envspec session list`",
    "jobs": "`envspec job list`",
    "purpose": "`envspec purposes`",
    "diff": "`envspec plan`, or `envspec status ENV --drift`",
    "dockerfile": "`envspec render`",
    "doctor": "`envspec preflight`",
    "install": "`envspec preflight --fix`",
}
"""By the word; ``-`` and ``_`` are one."""


def answer(word: str) -> str:
    """Return what does the same here, "" for a word that is none of another tool."""
    found = ANSWERS.get(word.lower().replace("-", "_"), "")
    return f"that is {found}" if found else ""
