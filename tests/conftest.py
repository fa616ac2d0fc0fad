"""What all Python tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# The gate must not depend on luck: same examples every time, and no time limit on slow machines.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
