"""Small repositories of every kind that `envspec try` knows, each with the command that tests it.

They have as few packages of others as their kind allows: it is the tools that are tried, not the network.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

PYTHON_TEST = """\
import unittest

from adding import add


class Adding(unittest.TestCase):
    def test_it_adds(self):
        self.assertEqual(add(40, 2), 42)


if __name__ == "__main__":
    unittest.main()
"""
NODE_TEST = """\
const test = require("node:test");
const assert = require("node:assert");
const add = require("./index.js");
test("it adds", () => assert.strictEqual(add(40, 2), 42));
"""
NODE = {"index.js": "module.exports = (a, b) => a + b;\n", "index.test.js": NODE_TEST}
ADDING = "def add(a, b):\n    return a + b\n"
NPM_LOCK = """\
{"name": "adding", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
 "packages": {"": {"name": "adding", "version": "1.0.0"}}}
"""
UV_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "adding"
version = "1.0.0"
source = { virtual = "." }
"""
TESTS = "install-test-dependencies"
PACKAGE = '{"name": "adding", "version": "1.0.0", "scripts": {"test": "node --test"}, "engines": {"node": ">=18"}}\n'


@dataclass(frozen=True)
class Repository:
    """A repository.

    Attributes:
        purpose: Purpose that it must be given.
        files: Its files by path.
        install: Commands that must install it.
        test: Command that tests it, run at its root.
        prints: What that prints when all is well.
    """

    purpose: str
    files: dict[str, str]
    install: tuple[str, ...]
    test: str
    prints: str

    def make(self, directory: Path) -> Path:
        """Write it, and commit it."""
        for name, text in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
            subprocess.run(["git", *who, "-C", str(directory), *words], check=True, timeout=30)
        return directory


REPOSITORIES = {
    "python-uv": Repository(
        "python",
        {
            "pyproject.toml": '[project]\nname = "adding"\nversion = "1.0.0"\nrequires-python = ">=3.11"\n',
            "uv.lock": UV_LOCK,
            ".python-version": "3.12\n",
            "adding.py": ADDING,
            "test_adding.py": PYTHON_TEST,
        },
        ("uv sync --active --inexact --frozen", TESTS),
        "uv run --frozen python -m unittest",
        "OK",
    ),
    "python-requirements": Repository(
        "python",
        {
            "requirements.txt": "six==1.17.0\n",
            "requirements-dev.txt": "iniconfig\n",
            "adding.py": "import six\n\n\ndef add(a, b):\n    return six.moves.reduce(lambda x, y: x + y, (a, b))\n",
            "test_adding.py": PYTHON_TEST,
        },
        ("uv pip install --requirement requirements.txt", TESTS),
        "python -c 'import iniconfig' && python -m pytest -q",
        "1 passed",
    ),
    "python-setup": Repository(
        "python",
        {
            "setup.py": "from setuptools import setup\n\nsetup(name='adding', version='1.0.0', package_dir={'': 'src'},"
            " py_modules=['adding'], python_requires='>=3.9')\n",
            "src/adding.py": ADDING,
            "test/test_adding.py": PYTHON_TEST,
        },
        ("uv pip install --editable .", TESTS),
        "python test/test_adding.py",
        "OK",
    ),
    "node-npm": Repository(
        "node",
        {"package.json": PACKAGE, "package-lock.json": NPM_LOCK, **NODE},
        ("npm ci",),
        "npm test",
        "# pass 1",
    ),
    "node-pnpm": Repository(
        "node",
        {"package.json": PACKAGE, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n", **NODE},
        ("pnpm install --frozen-lockfile",),
        "pnpm test",
        "# pass 1",
    ),
    "rust-cargo": Repository(
        "rust",
        {
            "Cargo.toml": '[package]\nname = "adding"\nversion = "1.0.0"\nedition = "2021"\nrust-version = "1.70"\n',
            "Cargo.lock": 'version = 3\n\n[[package]]\nname = "adding"\nversion = "1.0.0"\n',
            "src/lib.rs": "pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n\n"
            "#[test]\nfn it_adds() {\n    assert_eq!(add(40, 2), 42);\n}\n",
        },
        ("cargo fetch --locked",),
        "cargo test --locked --lib",
        "1 passed",
    ),
    "go-module": Repository(
        "go",
        {
            "go.mod": "module example.org/adding\n\ngo 1.21\n",
            "adding.go": "package adding\n\nfunc Add(a, b int) int { return a + b }\n",
            "adding_test.go": 'package adding\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n'
            "\tif Add(40, 2) != 42 {\n\t\tt.Fatal()\n\t}\n}\n",
        },
        ("go mod download",),
        "go test -vet=off -v .",
        "--- PASS: TestAdd",
    ),
    "mixed": Repository(
        "try-repo",
        {
            "pyproject.toml": '[project]\nname = "adding"\nversion = "1.0.0"\nrequires-python = ">=3.11"\n',
            "uv.lock": UV_LOCK,
            "adding.py": ADDING,
            "test_adding.py": PYTHON_TEST,
            "web/package.json": PACKAGE,
            "web/package-lock.json": NPM_LOCK,
            **{f"web/{name}": text for name, text in NODE.items()},
        },
        ("cd web && npm ci", "uv sync --active --inexact --frozen", TESTS),
        "python -m unittest 2>&1 && npm --prefix web test",
        "# pass 1",
    ),
}
