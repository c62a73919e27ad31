"""Speed and size as ratios against a reference of the same run: a bare interpreter, a scalar loop, the solver.

Run with `make bench`. Times are CPU seconds of the process and its children, the least of several runs.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from dataclasses import fields, replace

RUNS = 5
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # rates are by core


def cpu_of(*command: str) -> float:
    """Return the least CPU seconds of several runs of a command."""
    best = float("inf")
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def row(what: str, value: str, ratio: str, limit: str) -> None:
    """Print one line."""
    print(f"{what:<52} {value:>14}  {ratio:<34} {limit}")


def start_up() -> None:
    """Measure how much a command costs over starting the interpreter."""
    bare = cpu_of(sys.executable, "-c", "pass")
    row("python -c pass", f"{bare:.3f} s", "1.0 x", "")
    outlay = (sys.executable, "-m", "outlay.cli.main")
    for name, arguments, limit in (
        ("outlay --help", ("--help",), 0.3),
        ("outlay check", ("check", "H20 96GB", "--to", "CN", "--date", "2025-01-22"), 0.6),
        ("outlay catalog chip", ("catalog", "chip", "H20 96GB"), 0.6),
        ("outlay train", ("train", "Llama-3.1-405B", "--on", "H100 SXM:16384"), 2.0),
        ("outlay serve", ("serve", "Llama-3.1-70B", "--on", "H100 SXM:8", "--input", "3000", "--output", "500"), 2.0),
    ):
        seconds = cpu_of(*outlay, *arguments)
        row(name, f"{seconds:.3f} s", f"{seconds / bare:.1f} x a bare interpreter", f"at most {limit} s")


def planning(name: str) -> None:
    """Measure a plan: building the model against solving it, time and memory."""
    import outlay as package
    from outlay.planning import plan

    scenario = package.load(name)
    started = time.process_time()
    found = plan(scenario)
    total = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    row(f"plan {name}, all of it", f"{total:.1f} s", f"{total / max(found.solve_s, 1e-9):.1f} x the solver", "")
    row("  solver to a gap of 0.5 %", f"{found.solve_s:.1f} s", f"gap {found.gap:.2%}", "at most 20 s")
    row(
        "  building the model",
        f"{found.build_s:.3f} s",
        f"{found.build_s / found.solve_s:.4f} x the solver",
        "below 1 x",
    )
    row("  peak memory", f"{peak:.2f} GB", "", "at most 1 GB")


def finance(name: str) -> None:
    """Measure solving a scenario with its contracts and loans against the same scenario without a finance section."""
    import outlay as package
    from outlay.planning.build import build
    from outlay.planning.solve import optimise

    scenario = package.load(name)
    plain = scenario.model_copy(update={"finance": None})
    seconds = []
    for told in (plain, scenario):
        instance = build(told).instance
        best = float("inf")
        for _ in range(RUNS):
            started = time.process_time()
            optimise(instance, gap=0.005, time_limit_s=120)
            best = min(best, time.process_time() - started)
        seconds.append(best)
    row(f"solve {name} with finance", f"{seconds[1]:.2f} s", f"{seconds[1] / seconds[0]:.2f} x without", "at most 2 x")


def strategies() -> None:
    """Measure strategies evaluated at once against one at a time."""
    from outlay.catalog import Catalog
    from outlay.performance import search, training
    from outlay.performance.chip import chip_model
    from outlay.performance.network import fabric
    from outlay.performance.transformer import architecture

    catalog = Catalog.load()
    system = catalog.resolve_system("H100 SXM")
    arch, chip = architecture(catalog.model("Llama-3.1-405B")), chip_model(catalog.chip(system.chip))
    network = fabric(system, catalog.chip(system.chip))
    every = search.candidates(arch, 16384, network, 2048, 8192)
    started = time.process_time()
    training.evaluate(arch, chip, network, every, 2048, 8192, "bf16")
    at_once = len(every) / (time.process_time() - started)
    few = min(200, len(every))
    started = time.process_time()
    for i in range(few):
        one = replace(every, **{part.name: getattr(every, part.name)[i : i + 1] for part in fields(every)})
        training.evaluate(arch, chip, network, one, 2048, 8192, "bf16")
    singly = few / (time.process_time() - started)
    row("training strategies, as arrays", f"{at_once:,.0f} /s", f"{at_once / singly:.0f} x one at a time", "")


def configurations() -> None:
    """Measure configurations of serving evaluated at once against one at a time."""
    from outlay.catalog import Catalog
    from outlay.performance.serving import configurations
    from outlay.performance.serving.engines import engine
    from outlay.performance.serving.models import served
    from outlay.performance.serving.operations import Precision
    from outlay.performance.serving.search import device_of, traits_of

    catalog = Catalog.load()
    where, model = device_of(catalog, catalog.resolve_system("H200")), served(catalog.model("DeepSeek-V3"))
    work, types = configurations.Workload(2000, 500), Precision("fp8", "fp8")
    traits, numbers = traits_of(model, where, types, "vLLM"), engine("vLLM")

    def rate(batch: int | None) -> float:
        replicas = configurations.replicas_of(model.arch, 8, 256, batch)
        started, count = time.process_time(), 0
        while time.process_time() - started < 1.0:
            plain, near, _ = configurations.replica_times(model, where, replicas, work, types, numbers)
            configurations.learnt(plain, near, traits, work, replicas.batch)
            count += plain.fits.size
        return count / (time.process_time() - started)

    rate(None)
    at_once, singly = rate(None), rate(64) / len(configurations.replicas_of(model.arch, 8, 256, 64).tp)
    row(
        "serving configurations, as arrays",
        f"{at_once:,.0f} /s",
        f"{at_once / singly:.0f} x one at a time",
        "200,000 /s",
    )


def decisions() -> None:
    """Measure decisions of the rules over chips, sites, quarters and futures at once against one at a time."""
    from datetime import date

    from outlay.catalog import Catalog
    from outlay.policy import FLAGS, Transaction, decide, decide_grid, item_of

    items = [item_of(chip) for chip in Catalog.load().chips.values()]
    sites = [
        (place, hq, mode)
        for place in ("CN", "MY", "SG", "US", "SA", "AE", "JP", "NO", "IN", "TW")
        for hq in ("CN", "US")
        for mode in ("buy", "lease")
    ]
    quarters = [date(year, month, 1) for year in range(2023, 2027) for month in (1, 4, 7, 10)]
    futures = [(), *((flag,) for flag in FLAGS), *((flag, "certifications") for flag in FLAGS)]
    asked = [
        (Transaction(day, place, hq, hq, mode=mode, owner_hq=place if mode == "lease" else None), flags)  # type: ignore[arg-type]
        for place, hq, mode in sites
        for day in quarters
        for flags in futures
    ]
    started = time.process_time()
    decide_grid(items, [deal for deal, _ in asked], flags=[flags for _, flags in asked])
    seconds = time.process_time() - started
    count, few = len(items) * len(asked), 300
    started = time.process_time()
    for i in range(few):
        deal, flags = asked[i * 37 % len(asked)]
        decide(items[i % len(items)], deal, flags=flags)
    singly = few / (time.process_time() - started)
    each = seconds / count
    row(
        f"{count:,} decisions of the rules",
        f"{seconds:.2f} s",
        f"{1 / each / singly:.0f} x one at a time",
        "1 M in 2 s",
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    start_up()
    strategies()
    configurations()
    decisions()
    for scenario_name in ("bytedance-2025", "gulf-sovereign-2025", "us-lab-2025"):
        planning(scenario_name)
    for scenario_name in ("bytedance-2025", "gulf-sovereign-2025", "us-lab-2025", "texas-wisconsin-2025"):
        finance(scenario_name)
