"""Is this host ready, and what makes it so: checks that only look, and fixes that say what they run."""

from envspec.preflight.checks import check
from envspec.preflight.fix import fix, remedy
from envspec.preflight.values import Check, Command, NotReady, State

__all__ = ["Check", "Command", "NotReady", "State", "check", "fix", "remedy"]
