"""The program that a mutex runs: it lives exactly as long as whoever holds the mutex.

It says one byte when it runs, then reads its input until that ends, and ends. The holder has the other end of that
input: the kernel closes it when the holder dies, however it dies, and never before, stopped or slow as it may be. So
whether the holder lives is a state of a container, which everybody who reaches the engine sees.

A fresh engine has no image, and the base image of an environment may be what the apply has yet to build. So the image
is made here, of one file: a static program of a few machine instructions, which need neither a library nor a shell.
"""

from __future__ import annotations

import io
import struct
import tarfile

PROGRAM = "/guard"
"""Path of the program in its image."""

READY = b"\n"
"""What it says once it runs."""

_BASE = 0x400000
_PAGE = 0x10000
_ELF_HEADER, _PROGRAM_HEADER = 64, 56

_X86_64 = bytes.fromhex(
    "b801000000"  # mov eax, 1 (write)
    "89c7"  # mov edi, eax: standard output
    "488d3521000000"  # lea rsi, [rip + message]
    "89c2"  # mov edx, eax: one byte
    "0f05"  # syscall
    "31c0"  # read: xor eax, eax (read)
    "31ff"  # xor edi, edi: standard input
    "488d742480"  # lea rsi, [rsp - 128]
    "ba40000000"  # mov edx, 64
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7fec"  # jg read
    "b83c000000"  # mov eax, 60 (exit)
    "31ff"  # xor edi, edi
    "0f05"  # syscall
    "0a"  # message
)

_AARCH64 = bytes.fromhex(
    "200080d2"  # mov x0, 1: standard output
    "c1010010"  # adr x1, message
    "220080d2"  # mov x2, 1: one byte
    "080880d2"  # mov x8, 64 (write)
    "010000d4"  # svc 0
    "000080d2"  # read: mov x0, 0: standard input
    "e10302d1"  # sub x1, sp, 128
    "020880d2"  # mov x2, 64
    "e80780d2"  # mov x8, 63 (read)
    "010000d4"  # svc 0
    "1f0000f1"  # cmp x0, 0
    "4cffff54"  # b.gt read
    "000080d2"  # mov x0, 0
    "a80b80d2"  # mov x8, 93 (exit)
    "010000d4"  # svc 0
    "0a"  # message
)

_MACHINES = {"amd64": (62, _X86_64), "x86_64": (62, _X86_64), "arm64": (183, _AARCH64), "aarch64": (183, _AARCH64)}
"""By an engine's name of its architecture: the machine's number in elf(5), and the instructions."""


def archive(architecture: str) -> bytes | None:
    """Return the root filesystem of the image as a tar archive, ``None`` for an architecture that is not known.

    Args:
        architecture: As the engine calls its own.
    """
    known = _MACHINES.get(architecture)
    if known is None:
        return None
    content = _elf(*known)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(PROGRAM.removeprefix("/"))
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _elf(machine: int, code: bytes) -> bytes:
    """Return a static program: its headers, one segment that is read and executed, and its instructions; see elf(5)."""
    headers = _ELF_HEADER + _PROGRAM_HEADER
    size = headers + len(code)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    rest = (2, machine, 1, _BASE + headers, _ELF_HEADER, 0, 0, _ELF_HEADER, _PROGRAM_HEADER, 1, 0, 0, 0)
    segment = (1, 5, 0, _BASE, _BASE, size, size, _PAGE)
    return identity + struct.pack("<HHIQQQIHHHHHH", *rest) + struct.pack("<IIQQQQQQ", *segment) + code
