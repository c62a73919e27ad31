"""What every test shares: the same examples on every run, so that a failure seen once is seen again."""

import os
import tempfile

from hypothesis import settings

# Commands keep what they answer: never in the store of whoever runs the tests.
os.environ["OUTLAY_RUNS"] = os.path.join(tempfile.mkdtemp(prefix="outlay-runs-"), "runs.db")  # noqa: PTH118

settings.register_profile("outlay", derandomize=True, deadline=None)
settings.load_profile("outlay")
