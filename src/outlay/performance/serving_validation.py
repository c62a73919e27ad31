"""Serving predicted against published runs: the few numbers of engines fitted to them, the bands, the report."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.errors import CatalogError, MissingFigureError
from outlay.performance import serving
from outlay.performance.chip import ChipModel, chip_model, rows
from outlay.performance.network import fabric
from outlay.performance.serving import Engine, Replicas
from outlay.performance.transformer import Architecture, architecture
from outlay.performance.validation import Report, ValidationRow

if TYPE_CHECKING:
    from outlay.catalog import Catalog, System

Array = NDArray[np.float64]
PRIOR = "all families"
METRICS = ("tpot", "ttft", "throughput")
FOLDS = 5
NUMBERS = ("step_s", "kernel_s", "decode", "prefill", "burst")
FEWEST = 20
"""A family with fewer published figures takes the numbers of all families together."""
KV_FORMATS = {"fp8": 1.0, "int8": 1.0}


@dataclass(frozen=True)
class Published:
    """A published run with what its prediction needs: seconds of a decode step and a prefill by operations alone."""

    id: str
    family: str
    group: str
    quality: str
    strategy: str
    output: float
    group_batch: float
    batch: float
    chips: float
    operations_s: float
    kernels: float
    prefill_s: float
    measured: dict[str, float]

    def predict(self, engine: Engine) -> dict[str, float]:
        """Return each measured metric as :func:`outlay.performance.serving.steady_state` gives it with an engine.

        Benchmarks add what steady traffic does not have: a first wave of prompts that all arrive at once.
        """
        step = engine.step_s + engine.kernel_s * self.kernels + engine.decode * self.operations_s
        prefill = engine.prefill * self.prefill_s
        reading = self.group_batch / self.output * prefill
        tpot = step + reading
        busy = reading / tpot
        found = {
            "tpot": tpot,
            "ttft": prefill * (1 + engine.burst * self.group_batch) + step + busy * prefill / (2 * (1 - busy)),
            "throughput": self.batch / tpot / self.chips,
        }
        return {name: found[name] for name in self.measured}


def published(catalog: Catalog) -> tuple[list[Published], list[tuple[str, str, str]]]:
    """Return the runs that can be predicted, and (id, family, reason) of those that cannot."""
    found, refused = [], []
    for row in rows("serving_runs.csv"):
        try:
            found.append(_published(catalog, row))
        except (MissingFigureError, CatalogError) as error:
            reason = str(error).split(";")[0].split(" (")[0]
            refused.append((row["id"], row["family"], reason))
    return found, refused


def _published(catalog: Catalog, row: dict[str, str]) -> Published:
    for field, reason in (("input", "no prompt length"), ("output", "no answer length"), ("tp", "no layout")):
        if not row[field]:
            raise MissingFigureError(reason)
    if row["disaggregated"] == "1":
        msg = "separate pools for prefill and decode"
        raise MissingFigureError(msg)
    if row["spec"] == "1":
        msg = "speculative decoding"
        raise MissingFigureError(msg)
    if float(row["pp"] or 1) > 1:
        msg = "pipeline parallel"
        raise MissingFigureError(msg)
    arch = architecture(catalog.model(row["model"]))
    record = catalog.chip(row["chip"])
    chip = chip_model(record)
    tp, total = float(row["tp"]), float(row["n_chips"] or row["tp"])
    ep = float(row["ep"] or 1)
    ep = ep if arch.experts and ep > tp else 1.0
    chips = min(max(tp, ep), max(total, tp))
    network = fabric(_system(catalog, record.name, tp), record)
    many = np.array([[1.0]])
    value_bytes = KV_FORMATS.get(row["kv"], serving.KV_BYTES)
    most = _full_load(arch, chip, tp, ep, row, value_bytes)
    asked = float(row["concurrency"]) * chips / max(total, chips) if row["concurrency"] else most
    batch = min(asked, most)
    replicas = Replicas(tp * many, ep * many, max(batch, 1.0) * many)
    dtype = serving.compute_dtype(chip, row["dtype"] or "bf16")
    context = float(row["input"]) + float(row["output"]) / 2
    waiting = max(asked / batch, 1.0)
    measured = {
        name: value * factor
        for name, field, factor in (
            ("tpot", "tpot_ms", 1e-3),
            ("ttft", "ttft_s", 1.0),
            ("throughput", "tokens_per_s_per_chip", 1.0),
        )
        if (value := float(row[field] or 0)) > 0 and not (name == "ttft" and waiting > 1.0)
    }  # a queue for memory depends on the size of the cache, which most sources do not give
    if not measured:
        msg = "no latency and no rate"
        raise MissingFigureError(msg)
    return Published(
        id=row["id"],
        family=row["family"],
        group=row["group"],
        quality=row["quality"],
        strategy=f"tp={tp:g},ep={ep:g},batch={batch:g}",
        output=float(row["output"]),
        group_batch=float(replicas.group_batch[0, 0]),
        batch=float(replicas.batch[0, 0]),
        chips=chips,
        operations_s=float(
            serving.decode_time(arch, chip, network, replicas, context, dtype, row["dtype"] or "bf16", value_bytes)[
                0, 0
            ]
        ),
        kernels=float(serving.kernels(arch, replicas)[0, 0]),
        prefill_s=float(serving.prefill_time(arch, chip, network, replicas, float(row["input"]), dtype)[0, 0]),
        measured=measured,
    )


def _system(catalog: Catalog, chip: str, tp: float) -> System:
    """Return the usual system of a chip, or a lone box of it where it is sold in none the catalogue has."""
    from outlay.catalog import System as Record

    try:
        return catalog.usual_system(catalog.chip(chip))
    except CatalogError:
        return Record(f"{chip} box", chip=chip, chips=8, chips_per_node=8, scaleup_domain=max(int(tp), 1))


def _full_load(
    arch: Architecture, chip: ChipModel, tp: float, ep: float, row: dict[str, str], value_bytes: float
) -> float:
    """Return the requests that fill the memory of a replica: what an engine under full load runs."""
    one = Replicas(np.array([[tp]]), np.array([[ep]]), np.array([[max(tp, ep) / tp]]))
    free = serving.USABLE_MEMORY * chip.memory_bytes - serving.ACTIVATION_BYTES
    free -= float(serving.weight_bytes(arch, one, row["dtype"] or "bf16")[0, 0])
    each = float(serving.kv_bytes(arch, one, float(row["input"]) + float(row["output"]), value_bytes)[0, 0])
    if free <= each:
        msg = "weights and one request fill the memory"
        raise MissingFigureError(msg)
    return min(free / each, 2048.0) * max(tp, ep) / tp


def fit(runs: Sequence[Published]) -> dict[str, Engine]:
    """Fit the engines of every family and of all by least squares on logarithms; a group of runs weighs one."""
    by_family: dict[str, list[Published]] = defaultdict(list)
    for run in runs:
        if run.quality != "C":
            by_family[run.family].append(run)
            by_family[PRIOR].append(run)
    engines = {PRIOR: _fit(by_family[PRIOR], None)}
    for family, members in by_family.items():
        if family != PRIOR and sum(len(run.measured) for run in members) >= FEWEST:
            engines[family] = _fit(members, engines[PRIOR])
    return engines


def _fit(runs: Sequence[Published], prior: Engine | None) -> Engine:
    from scipy.optimize import least_squares

    sizes: dict[str, int] = defaultdict(int)
    for run in runs:
        sizes[run.group] += len(run.measured)

    def engine_of_logs(x: Array) -> Engine:
        return Engine(*(float(value) for value in np.exp(x)))

    def residuals(x: Array) -> Array:
        engine = engine_of_logs(x)
        found = [
            np.log(predicted / run.measured[name]) / np.sqrt(sizes[run.group])
            for run in runs
            for name, predicted in run.predict(engine).items()
        ]
        if prior is not None:  # few runs stay near what holds for all families
            found += list(0.5 * (x - np.log(astuple(prior))))
        return np.array(found)

    start = np.log((2e-3, 2e-6, 1.2, 1.2, 0.05) if prior is None else astuple(prior))
    limits = (np.log([1e-5, 1e-7, 0.5, 0.5, 1e-4]), np.log([0.2, 1e-4, 8.0, 8.0, 1.0]))
    return engine_of_logs(least_squares(residuals, start, bounds=limits, loss="soft_l1", f_scale=0.3).x)


def report(catalog: Catalog | None = None) -> Report:
    """Return predictions of the published development runs, in sample and, by groups left out, out of sample."""
    from outlay.catalog import Catalog

    runs, refused = published(catalog or Catalog.load())
    whole = stored_engines()
    outside = out_of_sample(runs)
    found = []
    for run in runs:
        engine = whole.get(run.family, whole[PRIOR])
        low, high, _ = band(run.family)
        for name, predicted in run.predict(engine).items():
            factor = (low, high) if name == "throughput" else (1 / high, 1 / low)
            found.append(
                ValidationRow(
                    id=run.id,
                    metric=name,
                    family=f"{run.family}, {name}",
                    group=run.group,
                    quality=run.quality,
                    measured=run.measured[name],
                    predicted=predicted,
                    low=predicted * factor[0],
                    high=predicted * factor[1],
                    fitted=run.quality != "C",
                    out_of_sample=outside.get((run.id, name)),
                    strategy=run.strategy,
                )
            )
    return Report("serving", tuple(found), tuple(refused))


def out_of_sample(runs: Sequence[Published]) -> dict[tuple[str, str], float]:
    """Return each figure predicted by engines fitted without the run's group, by (id, metric)."""
    groups = sorted({run.group for run in runs})
    fold_of = {group: i % FOLDS for i, group in enumerate(groups)}
    found: dict[tuple[str, str], float] = {}
    for fold in range(FOLDS):
        engines = fit([run for run in runs if fold_of[run.group] != fold])
        for run in (run for run in runs if fold_of[run.group] == fold):
            engine = engines.get(run.family, engines[PRIOR])
            found.update({(run.id, name): value for name, value in run.predict(engine).items()})
    return found


def calibrate(catalog: Catalog) -> list[dict[str, str]]:
    """Fit the engines and bands again and return them as the rows of ``data/engines.csv``."""
    runs, _ = published(catalog)
    engines, outside = fit(runs), out_of_sample(runs)
    made = []
    for family, engine in engines.items():
        members = [run for run in runs if run.quality != "C" and family in {run.family, PRIOR}]
        ratios = [_rate_ratio(run, name, outside[run.id, name]) for run in members for name in run.measured]
        made.append(
            {
                "family": family,
                "step_s": f"{engine.step_s:.6g}",
                "kernel_s": f"{engine.kernel_s:.4g}",
                "decode": f"{engine.decode:.4g}",
                "prefill": f"{engine.prefill:.4g}",
                "burst": f"{engine.burst:.4g}",
                "low": f"{np.quantile(ratios, 0.1):.4g}",
                "high": f"{np.quantile(ratios, 0.9):.4g}",
                "figures": str(len(ratios)),
                "groups": str(len({run.group for run in members})),
            }
        )
    return made


def _rate_ratio(run: Published, name: str, predicted: float) -> float:
    """Return measured over predicted speed: of a rate as it is, of a latency turned round."""
    ratio = run.measured[name] / predicted
    return ratio if name == "throughput" else 1 / ratio


@functools.cache
def _stored() -> dict[str, dict[str, str]]:
    return {row["family"]: row for row in rows("engines.csv")}


def stored_engines() -> dict[str, Engine]:
    """Return the fitted engines by family."""
    return {family: Engine(*(float(row[name]) for name in NUMBERS)) for family, row in _stored().items()}


def engine_of(family: str) -> Engine:
    """Return the engine of a chip's family, or that of all families where none was fitted."""
    engines = stored_engines()
    return engines.get(_family(family), engines[PRIOR])


def band(family: str) -> tuple[float, float, str]:
    """Return the factors on a rate that hold 80 % of published figures out of sample, and what they rest on."""
    table = _stored()
    name = _family(family)
    row = table.get(name, table[PRIOR])
    low, high = float(row["low"]), float(row["high"])
    if name in table:
        return low, high, f"{row['figures']} published figures in {row['groups']} groups of {name}"
    widest = (min(float(r["low"]) for r in table.values()), max(float(r["high"]) for r in table.values()))
    return *widest, "no published serving run of this chip; engine of all families, widest band"


FAMILIES = {
    "A100/A800": ("A100", "A800"),
    "H100/H800/GH200": ("H100", "H800"),
    "H200": ("H200",),
    "H20": ("H20",),
    "B200/B300": ("B200", "B300"),
    "GB200/GB300": ("GB200", "GB300"),
    "AMD Instinct": ("MI300X", "MI325X", "MI355X", "MI350X"),
    "Ascend 910B": ("910B",),
    "Ascend 910C": ("910C",),
    "Gaudi": ("Gaudi",),
    "TPU": ("TPU",),
    "AWS Neuron": ("Trainium",),
    "Ada datacentre (L40S, L4, RTX 6000 Ada)": ("L40S", "L4"),
}
"""Families of the published runs, by what the chip's family is called in the training model."""


def _family(name: str) -> str:
    if name in _stored():
        return name
    holders: Iterable[tuple[str, tuple[str, ...]]] = FAMILIES.items()
    words = set(name.replace("/", " ").replace("-", " ").split())
    return next((family for family, parts in holders if words & set(parts)), name)
