"""Contexts and what a ``.dockerignore`` leaves out of them."""

from __future__ import annotations

from pathlib import Path

FILES = (
    *("README.md", "a.log", "b.txt", "keep.log", "prebuild", "secret.env", "x+y", "weird[1].txt", "#hash"),
    *("build/out", "build/deep/out", "src/app.py", "src/app.pyc", "src/build/lib", "src/prebuild", "src/a.log"),
    *("src/deep/er/a.log", "src/deep/er/node_modules/m/index.js", "node_modules/m/index.js", "my_node_modules/x"),
)
"""The files of every context."""

CASES = {
    "nothing": ("", ""),
    "comment": ("#hash\n # src\n", ""),
    "name": ("build\n", "build/out build/deep/out"),
    "slash before": ("/build\n", "build/out build/deep/out"),
    "slash after": ("build/\n", "build/out build/deep/out"),
    "dot slash": ("./build\n", "build/out build/deep/out"),
    "detour": ("src/../build\n", "build/out build/deep/out"),
    "white space": ("  build  \n", "build/out build/deep/out"),
    "carriage returns": ("build\r\na.log\r\n", "build/out build/deep/out a.log"),
    "byte order mark": ("\ufeffbuild\n", "build/out build/deep/out"),
    "star": ("*.log\n", "a.log keep.log"),
    "star stays": (
        "src/*\n",
        "src/app.py src/app.pyc src/build/lib src/prebuild src/a.log src/deep/er/a.log "
        "src/deep/er/node_modules/m/index.js",
    ),
    "star within": ("src/*.py\n", "src/app.py"),
    "question mark": ("?.log\n", "a.log"),
    "class": ("[ab].*\n", "a.log b.txt"),
    "class of a range": ("src/app.py[a-c]\n", "src/app.pyc"),
    "class of others": ("[^b].log\n", "a.log"),
    "backslash": ("weird\\[1\\].txt\n", "weird[1].txt"),
    "plus": ("x+y\n", "x+y"),
    "dot": ("a.lo.\n", ""),
    "deep name": ("**/build\n", "build/out build/deep/out src/build/lib"),
    "deep ending": ("**build\n", "build/out build/deep/out prebuild src/build/lib src/prebuild"),
    "deep star": ("**/*.log\n", "a.log keep.log src/a.log src/deep/er/a.log"),
    "deep packages": ("**/node_modules\n", "node_modules/m/index.js src/deep/er/node_modules/m/index.js"),
    "below": ("src/**/a.log\n", "src/a.log src/deep/er/a.log"),
    "all below": (
        "src/**\n",
        "src/app.py src/app.pyc src/build/lib src/prebuild src/a.log src/deep/er/a.log "
        "src/deep/er/node_modules/m/index.js",
    ),
    "deep within": ("src/**/node_modules/**/*.js\n", "src/deep/er/node_modules/m/index.js"),
    "taken back": ("*.log\n!keep.log\n", "a.log"),
    "taken back in vain": ("!keep.log\n*.log\n", "a.log keep.log"),
    "taken back below": (
        "src\n!src/app.py\n",
        "src/app.pyc src/build/lib src/prebuild src/a.log src/deep/er/a.log src/deep/er/node_modules/m/index.js",
    ),
    "all but one": ("**\n!src/app.py\n", " ".join(name for name in FILES if name != "src/app.py")),
    "deep ending taken back": (
        "*\n!**build\n",
        " ".join(sorted({*FILES} - {"build/out", "build/deep/out", "prebuild", "src/build/lib", "src/prebuild"})),
    ),
    "left out twice": (
        "src\n!src/app.py\nsrc*\n",
        "src/app.pyc src/build/lib src/prebuild src/a.log src/deep/er/a.log src/deep/er/node_modules/m/index.js",
    ),
    "taken back before it is out": ("src/a.log\n!src\n", "src/a.log"),
    "taken back and out": (
        "src\n!src/deep\nsrc/deep/er/a.log\n",
        "src/app.py src/app.pyc src/build/lib src/prebuild src/a.log src/deep/er/a.log",
    ),
}
"""By what each shows: the text, and the files that are left out."""


def make(root: Path, text: str) -> None:
    """Make a context with a ``.dockerignore``."""
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".dockerignore").write_text(text, newline="")
