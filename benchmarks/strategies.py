"""Training strategies a second: the whole space of GPT-3 175B on 4,096 A100 against one strategy at a time.

Run with `make bench`. Times are CPU seconds of one process with one thread; the loop asks the same formulas about a
sample of the same strategies, each on its own.
"""

from __future__ import annotations

import os
import resource
import time

SAMPLE = 300
BATCH, SEQUENCE, CHIPS = 1536, 2048, 4096


def main() -> None:
    """Print strategies a second of both ways, their ratio, and the peak memory."""
    import numpy as np

    from outlay.catalog import Catalog
    from outlay.performance.chip import chip_model
    from outlay.performance.network import fabric
    from outlay.performance.space import whole
    from outlay.performance.sweep import Task, sweep
    from outlay.performance.transformer import architecture

    catalog = Catalog.load()
    system = catalog.resolve_system("A100 SXM 80GB")
    chip = catalog.chip(system.chip)
    arch, network = architecture(catalog.model("GPT-3 175B")), fabric(system, chip)
    task = Task(arch, chip_model(chip), network, BATCH, SEQUENCE, "bf16")

    started = time.process_time()
    space = whole(arch, CHIPS, network, BATCH, SEQUENCE)
    found = sweep(task, space)
    swept = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3

    every = space.strategies()
    some = np.linspace(0, len(space) - 1, SAMPLE).astype(int)
    started = time.process_time()
    for i in some:
        task.evaluate(every.take([i]))
    looped = (time.process_time() - started) / SAMPLE
    started = time.process_time()
    plain = task.evaluate(every)
    once = time.process_time() - started
    assert int(plain.fits.sum()) == found.feasible
    rate = len(space) / swept

    def row(what: str, value: str, ratio: str, limit: str = "") -> None:
        print(f"{what:<52} {value:>14}  {ratio:<34} {limit}")

    row(f"GPT-3 175B on {CHIPS:,} A100, strategies", f"{len(space):,}", f"{found.feasible:,} fit", "at least 1,000,000")
    row(
        "  searched in chunks, memory first", f"{rate:,.0f} /s", f"{rate * looped:,.0f} x one at a time", "1,000,000 /s"
    )
    row("  all in one plain call", f"{len(space) / once:,.0f} /s", f"{looped / once * len(space):,.0f} x one at a time")
    row("  one at a time, a Python loop of the same functions", f"{1 / looped:,.0f} /s", "1 x")
    row("  peak memory of the search", f"{peak:.0f} MB", "", "at most 500 MB")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
