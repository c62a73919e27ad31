"""How far published figures of one configuration lie apart: what a model that never saw a group cannot do better than.

A model that is asked for a chip and a model it has not seen knows neither the engine's release of the day nor how a
bench was run. Two figures of the same configuration that differ in nothing else show how much that is.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outlay.performance.serving.rows import Row, bundled

METRICS = {"tpot": "tpot_ms", "ttft": "ttft_s", "throughput": "output_tokens_per_s_per_chip"}
_SAME = ("n_chips", "tp", "pp", "dp", "ep", "n_prefill_chips", "n_decode_chips", "input_len", "output_len")


@dataclass(frozen=True)
class Scatter:
    """Differences of two figures of one configuration, as shares of the smaller; a configuration weighs one."""

    differing: str
    metric: str
    configurations: int
    median: float
    mean: float


def scatter(of: Sequence[Row] | None = None) -> list[Scatter]:
    """Return the scatter of each metric between repeats, releases of one engine, and engines.

    Rows of quality C and configurations without a load are left out; figures of full load count as one load.
    """
    known = [row for row in of or bundled() if row.quality != "C" and _load(row)]
    found = []
    for differing, alike, apart in _KINDS:
        cells: dict[tuple[object, ...], list[Row]] = defaultdict(list)
        for row in known:
            cells[*_configuration(row), *alike(row)].append(row)
        for metric, column in METRICS.items():
            each = [_differences(cell, column, apart) for cell in cells.values()]
            typical = [float(np.median(differences)) for differences in each if differences]
            if typical:
                cell_median, cell_mean = float(np.median(typical)), float(np.mean(typical))
                found.append(Scatter(differing, metric, len(typical), cell_median, cell_mean))
    return found


def _release(row: Row) -> str:
    return f"{row.engine} {row.words['engine_version'] or row.words['year']}"


_KINDS: tuple[tuple[str, Callable[[Row], tuple[str, ...]], Callable[[Row, Row], bool]], ...] = (
    ("measured again", lambda row: (row.source, _release(row)), lambda a, b: True),
    ("another release", lambda row: (row.engine.split()[0],), lambda a, b: _release(a) != _release(b)),
    ("another engine", lambda row: (), lambda a, b: a.engine.split()[0] != b.engine.split()[0]),
)


def _load(row: Row) -> str:
    """Return the load of a row as a name: its requests at once, its rate, or full load."""
    if row["concurrency_or_batch"] is not None:
        return f"{row['concurrency_or_batch']:g} at once"
    return f"{row.rate:g} a second" if row.rate else "full" if row.words["scenario"] == "offline" else ""


def _configuration(row: Row) -> tuple[object, ...]:
    words = (row.chip, row.model, row.words["weight_dtype"], row.words["kv_dtype"], row.disaggregated, row.speculative)
    pools = tuple(sorted((name, pool.instances, pool.tp, pool.dp) for name, pool in row.pools.items()))
    return (*words, *(row[name] for name in _SAME), pools, _load(row))


def _differences(cell: Sequence[Row], column: str, apart: Callable[[Row, Row], bool]) -> list[float]:
    pairs = ((a, b) for a, b in itertools.combinations(cell, 2) if apart(a, b))
    values = ((a[column], b[column]) for a, b in pairs)
    return [max(x, y) / min(x, y) - 1.0 for x, y in values if x is not None and y is not None]
