"""Run by the quickstart inside its environment: ``python -m unittest``."""

import unittest
from pathlib import Path

import tidings


class Greeting(unittest.TestCase):
    """What is said, and what is found missing."""

    def test_greets_by_name(self) -> None:
        """The text comes from the configuration, the name from the environment."""
        assert tidings.greeting({"greeting": "Hello"}, {"TIDINGS_NAME": "Ada"}) == "Hello, Ada!"

    def test_names_everything_that_is_missing(self) -> None:
        """Both the file and the variable are reported."""
        assert len(tidings.faults(Path("/nowhere"), {})) == 2
