"""Tells where you stand, and checks that everything the environment's file asks for is there."""

from __future__ import annotations

import os
import platform
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

CONFIG = Path("/etc/tidings/config.toml")


def greeting(config: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Return the greeting: the text from the configuration, to whom the environment says."""
    return f"{config['greeting']}, {environ.get('TIDINGS_NAME', 'stranger')}!"


def faults(config_file: Path, environ: Mapping[str, str]) -> list[str]:
    """Return what is missing; nothing when all is well."""
    missing = [] if config_file.is_file() else [f"{config_file} is missing"]
    return missing + ([] if environ.get("TIDINGS_NAME") else ["TIDINGS_NAME is not set"])


def main() -> None:
    """Print the tidings, or with --check only say what is missing."""
    wrong = faults(CONFIG, os.environ)
    if wrong:
        sys.exit("\n".join(wrong))
    if "--check" in sys.argv[1:]:
        return
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    print(greeting(config, os.environ))
    print(f"Python {platform.python_version()} on {platform.node()}, uid {os.getuid()}, in {Path.cwd()}")


if __name__ == "__main__":
    main()
