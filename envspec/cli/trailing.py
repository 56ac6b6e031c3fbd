"""Commands that end with somebody else's command line: where that begins, nothing is an option of ours any more.

``exec shop ls -la`` means what ``exec shop -- ls -la`` means, and one word of shell text is run by a shell.
"""

from __future__ import annotations

import click

SEPARATED = f"{__name__}.separated"
"""Key, in what click's contexts share, of whether the user wrote ``--`` before the command."""

SHELL = frozenset(" \t\n;&|<>$`*?()\"'\\")
"""Characters that mean something to a shell; no program's name has one but a path with a space in it."""


class TrailingCommand(click.Command):
    """A command whose first argument says where, and whose others are the command to run there."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Part our options from the command's, and remember which are ours."""
        cut = self._end_of_own(args)
        ctx.meta[SEPARATED] = args[cut : cut + 1] == ["--"]
        if isinstance(ctx.obj, list):
            ctx.obj[:] = args[:cut]
        return super().parse_args(ctx, args if ctx.meta[SEPARATED] else [*args[:cut], "--", *args[cut:]])

    def _end_of_own(self, args: list[str]) -> int:
        """Return where our words end: at ``--``, or at the second word that is no option."""
        options = (param for param in self.params if isinstance(param, click.Option))
        valued = {name for option in options if not option.is_flag for name in option.opts}
        at, positional = 0, 0
        while at < len(args) and args[at] != "--":
            if args[at].startswith("-") and args[at] != "-":
                at += 1 + (args[at] in valued)
                continue
            positional += 1
            if positional > 1:
                break
            at += 1
        return min(at, len(args))


def command_line(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command to run: one word of shell text, not behind ``--``, is run by ``sh``."""
    separated = click.get_current_context().meta.get(SEPARATED, True)
    is_text = len(words) == 1 and not separated and not SHELL.isdisjoint(words[0])
    return ("sh", "-c", words[0]) if is_text else words


def taken_for_a_name(words: tuple[str, ...], code: int) -> str:
    """Return a hint for shell text that was taken for the name of a program, "" where that is not what happened."""
    not_found = 127
    if code != not_found or len(words) != 1 or SHELL.isdisjoint(words[0]):
        return ""
    return "one word behind -- is the name of a program; for shell text leave -- out, or write -- sh -c '…'"
