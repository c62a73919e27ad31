"""Fits everything again to the measurements that come with the package: kernels and links, then published runs."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from outlay.performance.chip import FITTED, PRIOR, rows
from outlay.performance.kernel_fitting import KERNEL_COLUMNS, fit_kernels
from outlay.performance.link_fitting import LINK_COLUMNS, fit_links

if TYPE_CHECKING:
    from outlay.performance.families import Band
    from outlay.performance.fitting import Fit
    from outlay.performance.strategy import Stack


def table(columns: Sequence[str], lines: Sequence[Mapping[str, str]]) -> str:
    """Return rows as the text of a data file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def calibrate(
    folder: Path, progress: Callable[[str], None] = lambda _: None, *, kernels_only: bool = False
) -> list[Path]:
    """Fit everything again and write the data files into ``folder``; return the files written.

    First kernels and links, from measured kernels and collectives; then, on top of them, slowdowns, software
    generations and bands, from published training runs.
    """
    measured = rows("measured.csv")
    progress("kernels and links")
    files = {
        "kernels.csv": table(KERNEL_COLUMNS, fit_kernels(measured)),
        "links.csv": table(LINK_COLUMNS, fit_links(measured)),
    }
    if not kernels_only:
        files |= fit_training(progress)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def fit_training(progress: Callable[[str], None] = lambda _: None) -> dict[str, str]:
    """Return the texts of the files fitted to the published training runs: numbers, bands, held-out predictions."""
    from outlay.catalog import Catalog
    from outlay.performance import fitting, validation
    from outlay.performance.families import conformal
    from outlay.performance.strategy import STACK_NUMBERS, stacks

    runs = validation.fitted(validation.published(Catalog.load())[0])
    fit = fitting.solve(runs, stacks())
    error = fitting.left_out(runs, lambda run: run.group, functools.partial(_say, progress, "without"))
    strange = fitting.left_out(runs, lambda run: run.family, functools.partial(_say, progress, "without all of"))
    family, group = (np.array([getattr(run, name) for run in runs]) for name in ("family", "group"))
    bands = conformal(family, group, fitting.Problem(runs).weight, error, strange)
    held = [
        {"id": run.id, "predicted_s": f"{run.measured_s * np.exp(e):.6g}"} for run, e in zip(runs, error, strict=True)
    ]
    return {
        "families.csv": table(_FAMILY_COLUMNS, _family_rows(fit, bands)),
        "stacks.csv": table(("name", "since", *STACK_NUMBERS), [_stack_row(stack) for stack in fit.stacks.values()]),
        "held_out.csv": table(("id", "predicted_s"), held),
        "pairs.csv": table(
            ("family", "stack", "slowdown"),
            [
                {"family": family, "stack": stack, "slowdown": f"{value:.4g}"}
                for (family, stack), value in sorted(fit.pairs.items())
            ],
        ),
        "narrow.csv": table(
            ("dtype", "narrow"), [{"dtype": kind, "narrow": f"{value:.4g}"} for kind, value in fit.narrow.items()]
        ),
        "calibrated_on.csv": table(("file", "sha256"), [hashed(name) for name in CALIBRATED_ON]),
    }


def _say(progress: Callable[[str], None], part: str, text: str) -> None:
    progress(f"{part} {text}")


CALIBRATED_ON = ("measured.csv", "training_runs.csv")
_FAMILY_COLUMNS = ("family", *FITTED, "low", "high", "rows", "groups")


def hashed(name: str) -> dict[str, str]:
    """Return the hash of a data file, by which a calibration that has not seen its present state is known."""
    data = (resources.files("outlay.performance") / "data" / name).read_bytes()
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


def _stack_row(stack: Stack) -> dict[str, str]:
    from outlay.performance.strategy import STACK_NUMBERS

    values = {name: getattr(stack, name) for name in ("name", "since", *STACK_NUMBERS)}
    return {key: value if isinstance(value, str) else f"{value:.4g}" for key, value in values.items()}


def _family_rows(fit: Fit, bands: Mapping[str, Band]) -> list[dict[str, str]]:
    found = []
    for name, numbers in fit.families.items():
        band = bands.get(name, bands[PRIOR])
        row = {number: f"{getattr(numbers, number):.4g}" for number in FITTED}
        ends = {"low": f"{band.low:.4g}", "high": f"{band.high:.4g}"}
        found.append({"family": name, **row, **ends, "rows": str(band.rows), "groups": str(band.groups)})
    return found
