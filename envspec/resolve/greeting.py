"""What a person reads who comes in: where they are, where their repositories lie, and which services they reach."""

from __future__ import annotations

import shlex

from envspec.engine.facts import STATE_DIR
from envspec.engine.operations import RunFile
from envspec.engine.run_files import BANNER
from envspec.spec.models import Spec

SHOW = """\
if [ -t 1 ] && [ -z "${{ENVSPEC_GREETED-}}" ]; then
  export ENVSPEC_GREETED=1
  if [ "${{ENVSPEC_BANNER-}}" != off ] && [ ! -e "${{HOME-}}/.hushlogin" ]; then
    printf '%s\\n' {before}
    sed -n 's/^{{"address":"repo\\.\\([^"]*\\)".*/  repository    \\1/p' {state}/ledger/* 2> /dev/null
    printf '%s\\n' {after}
  fi
fi
"""
"""Shell text that greets whoever has a terminal, once; shells below the first one know that it was done. The ledger
tells which repositories there really are."""


def greeting(env: str, spec: Spec, services: tuple[str, ...]) -> RunFile:
    """Return the file that interactive shells read, root's too, so that it is root's.

    Args:
        env: Name of the environment.
        spec: Its spec.
        services: Addresses of its services, of which further containers bear the name of the first.
    """
    made = f"purpose {spec.purpose.use}" if spec.purpose else f"image {spec.image}"
    before = (f"{env}: an environment that envspec keeps ({made})", f"  workspace     {spec.workspace}")
    first = (address.removeprefix("service.") for address in sorted(services) if "[" not in address)
    after = [f"  service       {name}" for name in first]
    after += [f"`envspec status {env}`, outside, says more"]
    text = SHOW.format(
        before=" ".join(map(shlex.quote, before)), after=" ".join(map(shlex.quote, after)), state=STATE_DIR
    )
    return RunFile(BANNER, text, 0o444, 0, 0)
