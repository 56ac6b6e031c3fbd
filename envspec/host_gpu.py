"""Whether an engine of this host has a GPU to give."""

from __future__ import annotations

import shutil
from pathlib import Path

DEVICE = Path("/dev/nvidiactl")
"""What the driver of NVIDIA makes; without it no engine of this host has a GPU to give."""

PROGRAMS = ("nvidia-ctk", "nvidia-container-cli")
"""Programs of NVIDIA's container toolkit, by which engines give GPUs."""


def lacking(device: Path = DEVICE, programs: tuple[str, ...] = PROGRAMS) -> str:
    """Return what this host lacks to give a GPU to containers, in words; "" for nothing.

    Args:
        device: What the driver makes.
        programs: The programs of which one has to be there.
    """
    if not device.exists():
        return f"there is no NVIDIA device here ({device})"
    if not any(map(shutil.which, programs)):
        return "NVIDIA's container toolkit is not installed (package nvidia-container-toolkit)"
    return ""
