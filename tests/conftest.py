"""What every test shares: the same examples on every run, so that a failure is seen again; plans and a browser."""

import functools
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Matrices are narrow here, too, as the commands say: threads of the linear algebra of two workers on two cores only
# wait for each other, at four times the CPU time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Commands keep what they answer: never in the store of whoever runs the tests.
os.environ["OUTLAY_RUNS"] = os.path.join(tempfile.mkdtemp(prefix="outlay-runs-"), "runs.db")  # noqa: PTH118

settings.register_profile("outlay", derandomize=True, deadline=None)
settings.load_profile("outlay")

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium; where CI has none that is a failure, for the page is judged by what a browser shows."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or CHROMIUM
    if not Path(executable).exists():
        missing = f"no Chromium at {executable}: install the package chromium, the tests of the page need it"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="session")
def built():
    """Build the instance of a bundled scenario as it stands, once for all tests of a worker: none may change it."""
    import outlay
    from outlay.planning.build import build

    return functools.cache(lambda name: build(outlay.load(name)).instance)


@pytest.fixture(scope="session")
def planned():
    """Plan a bundled scenario as it stands, once for all tests of a worker: none may change what it is given."""
    import outlay
    from outlay.planning import plan

    return functools.cache(lambda name: plan(outlay.load(name)))


@pytest.fixture(scope="session")
def hedged():
    """Plan a bundled scenario over its futures, explaining nothing, once for all tests of a worker."""
    import outlay
    from outlay.planning.futures.plan import plan_futures

    return functools.cache(lambda name: plan_futures(outlay.load(name), explain=False))
