"""How hard the properties are tried: the suite's own profile always tries the same examples, so that a run repeats.

``HYPOTHESIS_PROFILE=thorough pytest tests/core --timeout 0`` tries many more, new ones every time (some minutes).
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("suite", max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=300, stateful_step_count=80, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
