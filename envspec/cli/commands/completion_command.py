"""``envspec completion``: the script that makes a shell complete commands and environments."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

HOW = {
    "bash": 'eval "$(envspec completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(envspec completion zsh)"   in ~/.zshrc',
    "fish": "envspec completion fish > ~/.config/fish/completions/envspec.fish",
}


@click.command(epilog="  ".join(HOW.values()))
@click.argument("shell", type=click.Choice(sorted(HOW)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL, to be evaluated by it."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"no completion for {shell}")
    group = context.find_root().command
    source = kind(group, {}, "envspec", "_ENVSPEC_COMPLETE").source()
    click.echo(f"# {HOW[shell]}\n{source}")
