"""Planning over futures: building against linopy and Pyomo, solving 10 to 1,000 futures, how cost grows, two workers.

Run with `make bench`, or alone: `python benchmarks/futures.py [build|solve|scale|workers ...]`. Times are CPU seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import synthetic
from outlay.planning.futures import extensive
from outlay.planning.futures.benders import Benders, Decomposed
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import certain
from outlay.planning.futures.program import load, quiet_highs, run
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.risk import Risk
from outlay.planning.futures.workers import Alone, Job, Local
from outlay.planning.instance import Instance
from run import row

RISK = Risk(0.3, 0.9)
MONEY = 1e6
REPEATS = 3
SIZE = (24, 8, 20, 12)
"""Systems, sites, quarters, workloads."""


def least(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least CPU seconds of several runs, and the last answer."""
    best, answer = float("inf"), None
    for _ in range(REPEATS):
        started = time.process_time()
        answer = work()
        best = min(best, time.process_time() - started)
    return best, answer


def ours(plan: Instance) -> Any:
    """Build the plan of one future into a solver object: a column for every option a workload may use."""
    recourse = Recourse(Decisions(plan, certain(plan)), pooled=False)
    highs = quiet_highs()
    load(highs, extensive.assemble(recourse, Risk()), relaxed=True)
    return highs


def arrays(plan: Instance) -> dict[str, Any]:
    """Return the instance as dense arrays, which both modelling layers start from."""
    quarters, options = len(plan.quarters), plan.options
    lead = np.array([o.lead for o in options])
    t = np.arange(quarters)
    legal = np.array([o.legal for o in options]) & (t[None, :] + lead[:, None] < quarters)
    works = t[None, None, :] >= t[None, :, None] + lead[:, None, None]
    factor = np.array([plan.discount_factor(q) for q in t])
    price = np.array([o.price for o in options]) / MONEY
    years = (quarters - t[None, :] - lead[:, None]) / 4
    salvage = price[:, None] * plan.salvage_per_year**years * (1 + plan.discount) ** (-quarters / 4)
    rate = np.array([[s.rates.get(k, 0.0) for k in range(len(options))] for s in plan.services]) / MONEY
    seconds = np.array([plan.seconds(q) for q in t]) * factor
    peak = np.array([s.peak_factor for s in plan.services])
    worth = np.array([s.price for s in plan.services]) / peak
    penalty = np.array([s.penalty for s in plan.services]) / peak
    return {
        "legal": legal,
        "works": works,
        "price": price,
        "order_value": salvage - price[:, None] * factor,
        "rate": rate,
        "serve_value": worth[:, None, None] * rate[:, :, None] * seconds,
        "unmet_value": penalty[:, None] * seconds,
        "demand": np.array([s.demand for s in plan.services]) * peak[:, None] / MONEY,
        "draw": np.array([o.watts * plan.sites[o.site].pue for o in options]) / MONEY,
        "site": np.array([o.site for o in options]),
        "power": np.array([s.power for s in plan.sites]) / MONEY,
        "lead": lead,
        "chips": np.array([float(o.chips) for o in options]),
    }


def in_linopy(plan: Instance, a: dict[str, Any]) -> Any:
    """Build the same plan in linopy."""
    import linopy
    import xarray as xr

    linopy.options["semantics"] = "legacy"  # absent terms count as nothing; the check of the optimum guards it
    warnings.simplefilter("ignore", linopy.LinopySemanticsWarning)
    m = linopy.Model()
    K, T = a["legal"].shape
    options, quarters = range(K), range(T)
    by_kt = {"k": options, "t": quarters}
    order = m.add_variables(
        lower=0, coords=by_kt.values(), dims=["k", "t"], mask=xr.DataArray(a["legal"], by_kt), name="x"
    )
    places = {"w": range(len(plan.services)), "k": options, "q": quarters}
    can = np.repeat((a["rate"] > 0)[:, :, None], T, axis=2)
    serve = m.add_variables(
        lower=0, coords=places.values(), dims=["w", "k", "q"], mask=xr.DataArray(can, places), name="c"
    )
    unmet = m.add_variables(lower=0, coords=[places["w"], quarters], dims=["w", "q"], name="u")
    works = xr.DataArray(a["works"].astype(float), {"k": options, "t": quarters, "q": quarters})
    stock = (order * works).sum("t")
    m.add_constraints(serve.sum("w") - stock <= 0, name="capacity")
    rate = xr.DataArray(a["rate"], {"w": places["w"], "k": options})
    m.add_constraints(
        (serve * rate).sum("k") + unmet == xr.DataArray(a["demand"], {"w": places["w"], "q": quarters}), name="demand"
    )
    for s in range(len(plan.sites)):
        here = [int(k) for k in np.flatnonzero(a["site"] == s)]
        draw = xr.DataArray(a["draw"][here], {"k": here})
        m.add_constraints(
            (stock.sel(k=here) * draw).sum("k") <= xr.DataArray(a["power"][s], {"q": quarters}), name=f"power {s}"
        )
    arrives = xr.DataArray(
        (np.arange(T)[None, None, :] == np.arange(T)[None, :, None] + a["lead"][:, None, None])
        * a["chips"][:, None, None],
        {"k": options, "t": quarters, "q": quarters},
    )
    for j, supply in enumerate(plan.supply):
        these = sorted(supply.options)
        here = (order.sel(k=these) * arrives.sel(k=these)).sum(["k", "t"])
        m.add_constraints(here <= xr.DataArray(np.array(supply.chips), {"q": quarters}), name=f"supply {j}")
    cost = xr.DataArray(np.repeat(a["price"][:, None], T, axis=1), by_kt)
    for b, budget in enumerate(plan.budgets):
        ks, ts = sorted({k for k, _ in budget.orders}), sorted({t for _, t in budget.orders})
        m.add_constraints((order * cost).sel(k=ks, t=ts).sum() <= budget.limit / MONEY, name=f"budget {b}")
    for j, share in enumerate(plan.sourcing):
        b = next(iter(share.over))[1]
        ks, ts = sorted({k for k, _ in share.over}), sorted({t for _, t in plan.budgets[b].orders})
        weight = xr.DataArray([a["price"][k] * ((k in share.counted) - share.share) for k in ks], {"k": ks})
        m.add_constraints((order.sel(k=ks, t=ts) * weight).sum() >= 0, name=f"sourcing {j}")
    gain = (order * xr.DataArray(a["order_value"], by_kt)).sum()
    gain = gain + (serve * xr.DataArray(a["serve_value"], places)).sum()
    gain = gain - (unmet * xr.DataArray(a["unmet_value"], {"w": places["w"], "q": quarters})).sum()
    m.add_objective(gain, sense="max")
    return linopy.io.to_highspy(m)


def in_pyomo(plan: Instance, a: dict[str, Any]) -> Any:
    """Build the same plan in Pyomo."""
    import pyomo.environ as pyo
    from pyomo.contrib.appsi.solvers import Highs

    K, T = a["legal"].shape
    m = pyo.ConcreteModel()
    orders = [(k, t) for k in range(K) for t in range(T) if a["legal"][k, t]]
    serves = [(w, k, q) for w in range(len(plan.services)) for k in range(K) if a["rate"][w, k] > 0 for q in range(T)]
    m.x = pyo.Var(orders, within=pyo.NonNegativeReals)
    m.c = pyo.Var(serves, within=pyo.NonNegativeReals)
    m.u = pyo.Var(range(len(plan.services)), range(T), within=pyo.NonNegativeReals)
    can = {k: [w for w in range(len(plan.services)) if a["rate"][w, k] > 0] for k in range(K)}
    placed = {(k, q): [t for t in range(q - a["lead"][k] + 1) if a["legal"][k, t]] for k in range(K) for q in range(T)}
    m.capacity = pyo.Constraint(
        range(K),
        range(T),
        rule=lambda m, k, q: (
            (sum(m.c[w, k, q] for w in can[k]) - sum(m.x[k, t] for t in placed[k, q]) <= 0)
            if can[k] or placed[k, q]
            else pyo.Constraint.Skip
        ),
    )
    users = {w: [k for k in range(K) if a["rate"][w, k] > 0] for w in range(len(plan.services))}
    m.demand = pyo.Constraint(
        range(len(plan.services)),
        range(T),
        rule=lambda m, w, q: sum(a["rate"][w, k] * m.c[w, k, q] for k in users[w]) + m.u[w, q] == a["demand"][w, q],
    )
    here = {s: [k for k in range(K) if a["site"][k] == s] for s in range(len(plan.sites))}

    def power(m: Any, s: int, q: int) -> Any:
        terms = [a["draw"][k] * m.x[k, t] for k in here[s] for t in placed[k, q]]
        return sum(terms) <= a["power"][s, q] if terms else pyo.Constraint.Skip

    m.power = pyo.Constraint(range(len(plan.sites)), range(T), rule=power)

    def supply(m: Any, j: int, q: int) -> Any:
        terms = [
            a["chips"][k] * m.x[k, q - a["lead"][k]]
            for k in sorted(plan.supply[j].options)
            if q >= a["lead"][k] and a["legal"][k, q - a["lead"][k]]
        ]
        return sum(terms) <= plan.supply[j].chips[q] if terms else pyo.Constraint.Skip

    m.supply = pyo.Constraint(range(len(plan.supply)), range(T), rule=supply)

    def money(m: Any, b: int) -> Any:
        terms = [a["price"][k] * m.x[k, t] for k, t in sorted(plan.budgets[b].orders) if a["legal"][k, t]]
        return sum(terms) <= plan.budgets[b].limit / MONEY if terms else pyo.Constraint.Skip

    m.money = pyo.Constraint(range(len(plan.budgets)), rule=money)

    def sourcing(m: Any, j: int) -> Any:
        share = plan.sourcing[j]
        b = next(iter(share.over))[1]
        terms = [
            a["price"][k] * ((k in share.counted) - share.share) * m.x[k, t]
            for k, t in sorted(plan.budgets[b].orders)
            if a["legal"][k, t]
        ]
        return sum(terms) >= 0 if terms else pyo.Constraint.Skip

    m.sourcing = pyo.Constraint(range(len(plan.sourcing)), rule=sourcing)
    m.gain = pyo.Objective(
        expr=sum(a["order_value"][k, t] * m.x[k, t] for k, t in orders)
        + sum(a["serve_value"][w, k, q] * m.c[w, k, q] for w, k, q in serves)
        - sum(a["unmet_value"][w, q] * m.u[w, q] for w in range(len(plan.services)) for q in range(T)),
        sense=pyo.maximize,
    )
    solver = Highs()
    solver.set_instance(m)
    return solver._solver_model


def building() -> None:
    """Measure building the plan of 31,000 columns: ours against both modelling layers, and that all mean the same."""
    plan = synthetic.instance()
    data = arrays(plan)
    mine, highs = least(lambda: ours(plan))
    best = run(highs, integers=False).objective
    row("build one future, ours", f"{mine:.3f} s", f"{highs.getNumCol():,} columns", "")
    for name, make in (("linopy", in_linopy), ("Pyomo", in_pyomo)):
        theirs, other = least(lambda make=make: make(plan, data))
        other.setOptionValue("output_flag", False)
        other.run()
        value = other.getInfo().objective_function_value
        value = value if abs(value - best) < abs(value + best) else -value
        apart = abs(value - best) / abs(best)
        row(
            f"  the same in {name}",
            f"{theirs:.3f} s",
            f"{theirs / mine:.0f} x ours; optimum {apart:.0e} apart",
            "at least 10 x",
        )
        if apart > 1e-6:
            sys.exit(f"{name} built another model: {value} against {best}")


def decomposed(
    count: int, gap: float, *, size: tuple[int, int, int, int] = SIZE, whole: bool = True
) -> Decomposed | None:
    """Solve an instance over futures, or its relaxation alone, which has no plan to return."""
    plan = synthetic.instance(*size)
    decisions = Decisions(plan, synthetic.futures(plan, count))
    solver = Benders(decisions, RISK, Alone(Job(decisions, [], RISK, np.zeros(0))), gap=gap)
    solver.team = Alone(Job(decisions, solver.chunks, RISK, solver.offset))
    if whole:
        return solver.solve()
    solver.relaxation()
    return None


def _alone(count: int, gap: float, size: tuple[int, int, int, int], whole: bool, pipe: Any) -> None:
    started = time.process_time()
    found = decomposed(count, gap, size=size, whole=whole)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    pipe.send((time.process_time() - started, used, found.gap if found else 0.0, found.rounds if found else 0))


def measured(
    count: int, gap: float, size: tuple[int, int, int, int] = SIZE, *, whole: bool = True
) -> tuple[float, float, float, int]:
    """Return CPU seconds, peak GB, gap and rounds of a run in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours_end, theirs = context.Pipe()
    process = context.Process(target=_alone, args=(count, gap, size, whole, theirs))
    process.start()
    answer: tuple[float, float, float, int] = ours_end.recv()
    process.join()
    return answer


def solving() -> None:
    """Measure 100 and 1,000 futures to a proven gap."""
    for count, gap, limit in ((100, 0.001, "at most 30 s, 0.5 GB"), (1000, 0.002, "at most 240 s, 1.5 GB")):
        seconds, peak, reached, rounds = measured(count, gap)
        told = f"{peak:.2f} GB, gap {reached:.3%}, {rounds} rounds"
        row(f"{count:,} futures, whole units, proven {gap:.1%}", f"{seconds:.1f} s", told, limit)


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """Return the slope of log seconds over log size, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def scaling() -> None:
    """Measure how the cost of the relaxation grows with futures, systems, sites, quarters and workloads.

    The relaxation, since the search for whole units is a matter of luck from one instance to the next.
    """
    counts = [50, 100, 200, 400, 800]
    seconds = [measured(count, 0.002, whole=False)[0] for count in counts]
    told = ", ".join(f"{c}: {s:.1f} s" for c, s in zip(counts, seconds, strict=True))
    row("cost against futures", f"^{exponent([float(c) for c in counts], seconds):.2f}", told, "at most ^1.1")
    axes = (("systems", (12, 24, 48)), ("sites", (4, 8, 16)), ("quarters", (10, 20, 40)), ("workloads", (6, 12, 24)))
    for axis, (name, values) in enumerate(axes):
        used = []
        for value in values:
            size = (*SIZE[:axis], value, *SIZE[axis + 1 :])
            used.append(measured(60, 0.002, size, whole=False)[0])
        told = ", ".join(f"{v}: {s:.1f} s" for v, s in zip(values, used, strict=True))
        row(f"cost against {name}", f"^{exponent([float(v) for v in values], used):.2f}", told, "")


def cpu_of(pids: list[int]) -> list[float]:
    """Return the CPU seconds each process has used (Linux)."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = []
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        used.append((int(fields[11]) + int(fields[12])) / ticks)
    return used


def workers() -> None:
    """Measure the same run with one worker and with two.

    On a machine that is busy with other work, wall time says nothing; the critical path is counted in CPU seconds: the
    driver's, and those of the worker that has most to do.
    """
    plan = synthetic.instance()
    decisions = Decisions(plan, synthetic.futures(plan, 600))
    found = {}
    for count in (1, 2):
        solver = Benders(decisions, RISK, Alone(Job(decisions, [], RISK, np.zeros(0))), gap=0.002)
        job = Job(decisions, solver.chunks, RISK, solver.offset)
        with Local(job, count) as team:
            solver.team = team
            team.map([(0, c, np.zeros(decisions.orders), 0.0) for c in range(len(solver.chunks))])  # start and warm up
            before, own, began = cpu_of(team.pids), time.process_time(), time.perf_counter()
            answer = solver.solve()
            used = [b - a for a, b in zip(before, cpu_of(team.pids), strict=True)]
            found[count] = (max(used), time.process_time() - own, answer, time.perf_counter() - began)
    (one, driver, a, long), (two, second, b, short) = found[1], found[2]
    same = np.array_equal(a.x, b.x)
    row(
        "two workers, recourse", f"{one / two:.2f} x", f"{one:.1f} s -> {two:.1f} s on the busier one", "at least 1.7 x"
    )
    told = f"the master takes {driver:.1f} s and {second:.1f} s of either; same plan: {same}"
    row("  the whole run", f"{(one + driver) / (two + second):.2f} x", told, "at least 1.7 x")
    load = f"{os.getloadavg()[0]:.1f} of {os.cpu_count()} cores busy"
    row("  the whole run by wall", f"{long / short:.2f} x", f"{long:.1f} s -> {short:.1f} s, {load}", "at least 1.7 x")


PARTS = {"build": building, "solve": solving, "scale": scaling, "workers": workers}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
