"""How hypothesis draws: from fixed seeds, so that the same code gives the same result on every machine."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

PROFILE = "ENVSPEC_HYPOTHESIS"
"""Names the profile: ``fixed``, the default; ``full``, more of the same, for CI; ``fuzz``, new seeds at every run."""

EXAMPLES = "ENVSPEC_EXAMPLES"
"""Says how many examples of each test are drawn, in place of the profile's number."""

FIXED = settings(
    deadline=None,  # a slow machine is no failure
    database=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PROFILES = {
    "fixed": settings(FIXED, max_examples=60),
    "full": settings(FIXED, max_examples=150),
    "fuzz": settings(FIXED, max_examples=1000, derandomize=False),
}
_chosen = PROFILES[os.environ.get(PROFILE, "fixed")]
settings.register_profile("envspec", _chosen, max_examples=int(os.environ.get(EXAMPLES, _chosen.max_examples)))
settings.load_profile("envspec")

UPDATE_GOLDENS = "--update-goldens"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes golden files anew instead of comparing with them."""
    parser.addoption(UPDATE_GOLDENS, action="store_true", help="write tests/cases/plans anew; read the difference")
