"""Predicted against published: the bars of accuracy, what is refused and why, and fits that never saw their rows."""

from dataclasses import replace

import numpy as np
import pytest

from outlay.performance import fitting, validation
from outlay.performance.runs import stack_of
from outlay.performance.strategy import stacks

REPORT = validation.report()
FAMILIES = {errors.family: errors for errors in REPORT.families()}
RUNS = validation.published(validation.Catalog.load())[0]


def test_the_median_error_out_of_sample_is_within_twenty_per_cent():
    """The bar of this model: median 20 % over all rows that a fit did not see, and over their groups."""
    every = FAMILIES[validation.ALL]
    assert every.median_out_of_sample < 0.20
    assert every.by_group_out_of_sample < 0.20
    assert abs(every.bias_out_of_sample) < 0.10


@pytest.mark.parametrize("family", ["NVIDIA A100", "NVIDIA H100", "NVIDIA GB200", "Ascend 910B", "TPU v5p", "TPU v5e"])
def test_well_measured_families_are_within_twenty_per_cent(family: str):
    """Families with many published runs, out of sample."""
    assert FAMILIES[family].median_out_of_sample < 0.20


def test_nine_of_ten_development_rows_are_answered():
    """What is refused has a reason a person can check."""
    every = FAMILIES[validation.ALL]
    assert every.answered / every.rows > 0.9
    assert every.rows == 1258
    assert all(reason for _, _, reason in REPORT.refused)
    assert dict(REPORT.reasons())["LoRA: most weights are frozen, which is not modelled"] == 27


def test_most_measured_runs_lie_within_the_band():
    """The band promises eight of ten."""
    assert FAMILIES[validation.ALL].within_band_out_of_sample > 0.75


def test_weak_rows_are_shown_and_not_fitted():
    """Quality C and averages of whole runs, with their restarts, take no part in a fit."""
    quality = {row.id: row.quality for row in REPORT.rows}
    assert all(quality[row.id] in "AB" for row in REPORT.rows if row.fitted)
    assert any(not row.fitted for row in REPORT.rows)
    assert all(row.out_of_sample is None for row in REPORT.rows if not row.fitted)


def test_folds_hold_out_whole_groups():
    """No group of related runs stands on both sides of a fold, and every run is held out once."""
    fitted = validation.fitted(RUNS)
    masks = fitting.folds(fitted)
    assert np.all(sum(mask.astype(int) for mask in masks) == 1)
    for mask in masks:
        inside = {run.group for run, held in zip(fitted, mask, strict=True) if held}
        outside = {run.group for run, held in zip(fitted, mask, strict=True) if not held}
        assert not inside & outside
        assert inside


def test_slowdowns_recover_what_made_the_data():
    """Runs whose measured time is the model's own with a known slowdown give that slowdown back."""
    some = [run for run in validation.fitted(RUNS) if run.family == "NVIDIA H100" and run.stack.name == "current"][::4]
    start = fitting.Fit({}, stacks())
    made = [replace(run, measured_s=float(run.times(1.5, start.stacks["current"]).step_time_s.min())) for run in some]
    result = fitting.fit_slowdowns(made, start)
    assert result.slowdown["NVIDIA H100"] == pytest.approx(1.5, rel=0.02)


def test_a_group_weighs_one_however_many_rows_it_has():
    """Weights of the rows of a group add up to one in each family."""
    fitted = validation.fitted(RUNS)
    weight = fitting.weights(fitted)
    assert weight.sum() == pytest.approx(len({(run.family, run.group) for run in fitted}))


def test_weighted_median_by_hand():
    """Half of the weight lies below."""
    assert fitting.weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 5.0])) == 2.0


@pytest.mark.parametrize(
    ("framework", "year", "stack"),
    [
        ("Megatron-LM", 2021, "megatron-2021"),
        ("Megatron-DeepSpeed", 2024, "megatron-2021"),
        ("llm-foundry/Composer FSDP", 2023, "pytorch-2023"),
        ("torchtitan", 2025, "pytorch-2024"),
        ("Megatron-Bridge (NeMo 26.04)", 2026, "current"),
        ("MaxText (JAX)", 2025, "xla-2024"),
        ("MindSpore/MindFormers", 2024, "mindspeed-2024"),
        ("HAI-LLM", 2025, "dualpipe-2024"),
        ("Meta in-house (FSDP+TP+PP+CP)", 2024, "current"),
    ],
)
def test_software_generations(framework: str, year: int, stack: str):
    """By framework, then by year; every name is a known stack."""
    assert stack_of(framework, year) == stack
    assert stack in stacks()


def test_a_report_of_one_family_holds_only_that_family():
    """`--family h100`, ignoring case."""
    part = REPORT.of_family("h100")
    assert {row.family for row in part.rows} == {"NVIDIA H100"}
