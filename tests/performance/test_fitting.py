"""The hierarchical fit: it finds what made the data, pools what few runs say, and its slopes are right."""

from dataclasses import replace

import numpy as np
import pytest

from outlay.performance import fitting, validation
from outlay.performance.chip import PRIOR
from outlay.performance.families import conformal
from outlay.performance.fitting import NUMBERS, Problem
from outlay.performance.strategy import stacks

RUNS = validation.fitted(validation.bundled()[0])
SOME = [run for run in RUNS if run.family in ("NVIDIA H100", "NVIDIA A100")][::6]


def made(runs, effects):
    """Return the runs as if they had been measured where the model with these effects says."""
    problem = Problem(runs)
    seconds = np.exp(problem.predict(problem.latent(effects)))
    return [replace(run, measured_s=float(s)) for run, s in zip(runs, seconds, strict=True)]


def test_a_family_that_is_slower_is_found():
    """Runs made with one family half as slow again give that back, within what pooling draws it to the others."""
    problem = Problem(SOME)
    effects = np.zeros(problem.count)
    place = problem.places["family"].index("NVIDIA H100")
    effects[problem.effects["slowdown", "family"].start + place] = (
        np.log(1.5) / NUMBERS["slowdown"].deviations["family"]
    )
    again = Problem(made(SOME, effects))
    fit = again.fit(again.solve(), stacks())
    slow, usual = (fit.of(family, "", "pytorch-2023").slowdown for family in ("NVIDIA H100", "NVIDIA A100"))
    assert slow / usual == pytest.approx(1.5, rel=0.1)


def test_nothing_to_explain_moves_nothing():
    """Runs measured where the centres predict them leave every effect at zero."""
    problem = Problem(SOME)
    again = Problem(made(SOME, np.zeros(problem.count)))
    assert again.solve() == pytest.approx(0, abs=1e-3)


def test_shipped_numbers_predict_as_the_problem_does():
    """The arrays of a fit and the formulas run by run are one model."""
    problem = Problem(SOME)
    effects = np.random.default_rng(1).normal(size=problem.count) * 0.3
    fit = problem.fit(effects, stacks())
    assert fitting.errors(SOME, fit) == pytest.approx(problem.errors(effects), abs=1e-9)


def test_slopes_are_differences():
    """Of each number, against a step ten times as wide."""
    problem = Problem(SOME[:20])
    latent = problem.latent(np.zeros(problem.count))
    at = problem.predict(latent)
    slopes = problem.slopes(latent, at)
    for name in ("slowdown", "elementwise", "jitter"):
        wide = problem.predict({**latent, name: latent[name] + 0.01})
        assert slopes[name] == pytest.approx((wide - at) / 0.01, abs=0.02)


def test_deviations_are_those_the_runs_ask_for():
    """Effects drawn four times as wide as assumed ask for a wider deviation, and none for a narrower one."""
    problem = Problem(SOME)
    at = ("elementwise", "stack")
    effects = np.zeros(problem.count)
    narrow = problem.spreads(effects)
    effects[problem.effects[at]] = 4.0
    wide = problem.spreads(effects)
    assert narrow[at] < NUMBERS["elementwise"].deviations["stack"] < wide[at]
    assert wide[at] >= 4 * NUMBERS["elementwise"].deviations["stack"]


def test_a_family_never_seen_takes_its_generation():
    """And a generation never seen the class."""
    problem = Problem(SOME)
    fit = problem.fit(problem.solve(), stacks())
    assert fit.of("NVIDIA H999", "Hopper") == fit.families["Hopper"]
    assert fit.of("unheard of", "") == fit.families[PRIOR]


def test_a_stack_better_made_for_one_family_shows_there_alone():
    """The slowdown of a pair that no run has is that of its family."""
    problem = Problem(SOME)
    effects = np.zeros(problem.count)
    pair = problem.places[fitting.PAIR].index("NVIDIA H100, pytorch-2023")
    effects[problem.effects["slowdown", fitting.PAIR].start + pair] = 1.0
    fit = problem.fit(effects, stacks())
    assert fit.pairs["NVIDIA H100", "pytorch-2023"] == pytest.approx(
        np.exp(NUMBERS["slowdown"].deviations[fitting.PAIR])
    )
    assert fit.pairs["NVIDIA A100", "pytorch-2023"] == pytest.approx(1.0)
    assert fit.of("NVIDIA H100", "Hopper", "none").slowdown == fit.families["NVIDIA H100"].slowdown


def test_left_out_errors_are_those_of_a_fit_that_did_not_see_the_group():
    """A group whose times are all halved does not hide in its own fit; of the other groups nothing is asked."""
    group = SOME[0].group
    odd = [replace(run, measured_s=run.measured_s / 2) if run.group == group else run for run in SOME]
    mine = np.array([run.group == group for run in odd])
    straight, error = (fitting.left_out(runs, lambda run: str(run.group == group)) for runs in (SOME, odd))
    assert error[mine] == pytest.approx(straight[mine] + np.log(2), abs=0.05)


def test_the_band_of_many_equal_errors_by_hand():
    """Of errors spread evenly from -1 to 1, nine tenths lie within 0.9; a stranger's band is no narrower."""
    error = np.linspace(-1, 1, 2001)
    names = np.array(["one"] * 2001)
    groups = np.arange(2001).astype(str)
    bands = conformal(names, groups, np.ones(2001), error, error)
    assert np.log(bands["one"].high) == pytest.approx(0.9, abs=0.01)
    assert np.log(bands["one"].low) == pytest.approx(-0.9, abs=0.01)
    assert bands[PRIOR].high >= bands["one"].high


def test_a_family_of_few_groups_takes_the_band_of_all():
    """Three groups say little of a tenth."""
    error = np.concatenate([np.linspace(-1, 1, 100), np.zeros(3)])
    names = np.array(["many"] * 100 + ["few"] * 3)
    bands = conformal(names, np.arange(103).astype(str), np.ones(103), error, error)
    assert bands["few"].high > 2
    assert bands["few"].groups == 3
