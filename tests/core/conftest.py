"""How hard the properties are tried: the suite's own profile always tries the same examples, so that a run repeats.

``HYPOTHESIS_PROFILE=thorough`` tries many more, new ones every time.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("suite", max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1_500, stateful_step_count=120, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
