"""How hypothesis draws: from fixed seeds, so that the same code gives the same result on every machine."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

PROFILE = "ENVSPEC_HYPOTHESIS"
"""Names the profile: ``fixed``, the default; ``full``, more of the same, for CI; ``fuzz``, new seeds at every run."""

EXAMPLES = "ENVSPEC_EXAMPLES"
"""Says how many examples of each test ``fuzz`` draws."""

FIXED = settings(
    deadline=None,  # a slow machine is no failure
    database=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("fixed", FIXED, max_examples=150)
settings.register_profile("full", FIXED, max_examples=190)
settings.register_profile(
    "fuzz", FIXED, derandomize=False, max_examples=int(os.environ.get("ENVSPEC_EXAMPLES", "1000"))
)
settings.load_profile(os.environ.get(PROFILE, "fixed"))
