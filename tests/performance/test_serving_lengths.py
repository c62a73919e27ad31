"""Requests of many lengths: moments by hand and by drawing, percentiles, lists of requests, and what they move."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, NoFitError
from outlay.performance.serving.configurations import Workload
from outlay.performance.serving.lengths import BINS, listed, lognormal, measured, slowest
from outlay.performance.serving.search import best_serving

CATALOG = Catalog.load()


def test_two_requests_by_hand():
    """(100, 10) and (300, 30): what is seen in flight is the long one three times of four."""
    found = measured([(100.0, 10.0), (300.0, 30.0)], "two")
    assert found.input == 200
    assert found.output == 20
    assert found.attended == (100**2 + 300**2) / 2 / 200 == 250
    assert found.context == pytest.approx(0.25 * 105 + 0.75 * 315)
    seen = 0.25 * (100**2 + 100 * 10 + 10**2 / 3) + 0.75 * (300**2 + 300 * 30 + 30**2 / 3)
    assert found.context_spread == pytest.approx(math.sqrt(seen - found.context**2 - 20**2 / 12))
    assert found.longest == 330


def test_the_time_to_read_varies_as_tokens_or_as_their_square():
    """Without attention the variation of the lengths, with nothing else that of their squares."""
    found = measured([(100.0, 1.0), (300.0, 1.0)], "two")
    assert float(found.variation(0.0)) == pytest.approx(0.25)
    assert float(found.variation(1.0)) == pytest.approx((100**4 + 300**4) / 2 / 50_000**2 - 1)


def test_lengths_that_are_one_are_what_formulas_for_one_have():
    """Half of the answer is written, nothing beyond that varies, and requests stay for 2/3 of their variance."""
    found = lognormal(3000.0, 500.0, 0.0, 0.0)
    assert found.context == 3250
    assert found.attended == 3000
    assert found.context_spread == pytest.approx(0.0, abs=1e-3)
    assert float(found.variation(0.3)) == pytest.approx(0.0)
    assert found.persistence == pytest.approx(2 / 3, abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(inputs=st.floats(0.1, 1.0), outputs=st.floats(0.1, 1.0))
def test_lognormal_moments_are_those_of_drawn_requests(inputs, outputs):
    """Context in flight, attended length and their like within 5 % of two million drawn requests."""
    draw = np.random.default_rng(3)
    found = lognormal(1000.0, 300.0, inputs, outputs)
    sigmas = [math.sqrt(math.log1p(cv**2)) for cv in (inputs, outputs)]
    n, m = (
        mean * np.exp(draw.normal(-(sigma**2) / 2, sigma, 500_000))
        for mean, sigma in zip((1000.0, 300.0), sigmas, strict=True)
    )
    assert found.attended == pytest.approx((n**2).mean() / n.mean(), rel=0.05)
    written = m * draw.random(len(m))
    context = np.average(n + written, weights=m)
    assert found.context == pytest.approx(context, rel=0.05)
    spread = np.average((n + written - context) ** 2, weights=m)
    assert found.context_spread**2 + 300**2 / 12 == pytest.approx(spread, rel=0.15)
    assert float(found.variation(0.0)) == pytest.approx(inputs**2, rel=1e-6)
    assert np.mean(found.prompts) == pytest.approx(1000.0)
    assert found.prompts[BINS // 2] == pytest.approx(np.median(n), rel=0.02)


@pytest.mark.parametrize("cv", [0.4, 0.8, 1.2])
@pytest.mark.parametrize("count", [8, 32, 128])
def test_the_cache_of_drawn_requests_fits(cv, count):
    """For 96 to 99.5 % of the time, seen by requests in flight: answers weighted by their length."""
    draw, sigma = np.random.default_rng(1), math.sqrt(math.log1p(cv * cv))
    work = Workload(2000.0, 500.0, lengths=lognormal(2000.0, 500.0, cv, cv))
    prompts = 2000.0 * np.exp(draw.normal(-(sigma**2) / 2, sigma, (20_000, count)))
    answers = 500.0 * np.exp(draw.normal(sigma**2 / 2, sigma, (20_000, count)))
    held = (prompts + answers * draw.random(answers.shape)).sum(1)
    assert 0.96 < (held <= count * work.held(float(count))).mean() < 0.995


def test_requests_that_stay_by_drawing():
    """Requests of a Poisson stream, averaged over one, have ``persistence`` of their variance, within 5 %."""
    draw, cv = np.random.default_rng(5), 0.8
    found, sigma = lognormal(10.0, 1.0, 0.0, cv), math.sqrt(math.log1p(cv * cv))
    count, span = 400_000, 40_000.0
    begins, stays = draw.uniform(0, span, count), np.exp(draw.normal(-(sigma**2) / 2, sigma, count))
    grid = np.linspace(0, span, 2_000_001)
    there = np.cumsum(
        np.bincount(np.searchsorted(grid, begins), minlength=len(grid) + 1)
        - np.bincount(np.minimum(np.searchsorted(grid, begins + stays), len(grid)), minlength=len(grid) + 1)
    )
    total = np.concatenate([[0.0], np.cumsum(there)]) * (grid[1] - grid[0])
    some = draw.choice(np.flatnonzero((begins > 100) & (begins < span - 100)), 60_000, replace=False)
    step = grid[1] - grid[0]
    ends = [np.minimum((at / step).astype(int), len(total) - 1) for at in (begins[some], begins[some] + stays[some])]
    wide = np.maximum((ends[1] - ends[0]) * step, step)
    means = (total[ends[1]] - total[ends[0]]) / wide
    # the request that is looked at is itself one of those there, whatever the others do
    assert np.var(means) / (count / span) == pytest.approx(found.persistence, rel=0.05)


@given(share=st.floats(0.5, 0.995), busy=st.floats(0.01, 0.95), wait=st.floats(0.01, 2.0), width=st.floats(0.0, 1.0))
def test_the_slowest_share_is_late_as_often_as_asked(share, busy, wait, width):
    """Of own times and waits that are drawn together, 1 - share are later."""
    away = width * (np.linspace(0.0, 1.0, 400) - 0.5)
    found = float(slowest(np.array([1.0]), away, np.array([busy]), np.array([wait]), share)[0])
    left = found + 1e-9 - (1.0 + away)
    late = np.where(left < 0, 1.0, busy * np.exp(-np.maximum(left, 0.0) / wait)).mean()
    assert late <= 1.0 - share + 1e-6
    left = left - 1e-6 - 1e-6 * found
    assert np.where(left < 0, 1.0, busy * np.exp(-np.maximum(left, 0.0) / wait)).mean() >= 1.0 - share - 1e-2


def test_a_trace_is_read_by_its_own_names():
    """Azure's, BurstGPT's and plain names, blank lines and other columns aside."""
    plain = listed("input,output\n100,10\n\n300,30\n")
    azure = listed("TIMESTAMP,ContextTokens,GeneratedTokens\nx,100,10\ny,300,30\n")
    burst = listed(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n1,m,100,10,110,a\n2,m,300,30,330,a"
    )
    assert plain.moments == azure.moments == burst.moments
    assert plain.words == "2 requests"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: no column 'input' among none"),
        ("inputs,output\n1,1\n", "line 1: no column 'input' among inputs, output; nearest: inputs"),
        ("input,output\n", "has no requests"),
        ("input,output\n1,1\n\n5,0\n", "line 4: a length must be a number of tokens above zero; got 0; nearest: 1"),
        ("input,output\n1,1\n-5,2\n", "line 3: .* got -5"),
        ("input,output\n1\n", "line 2: .* got nothing"),
        ("input,output\nmany,2\n", "line 2: .* got many"),
        ("input,output\n1,inf\n", "line 2: .* got inf"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_by_its_line(text, words):
    """The line and what was found there."""
    with pytest.raises(InputError, match=words):
        listed(text)


@pytest.mark.parametrize(("cv", "close"), [(-0.1, "0"), (math.nan, "0"), (11.0, "10")])
def test_a_variation_that_cannot_be_is_refused(cv, close):
    """Which one, and the nearest that can."""
    with pytest.raises(InputError, match=rf"--input-cv must be .* nearest: {close}$"):
        lognormal(100.0, 10.0, cv, 0.0)


def best(**wanted):
    """Search with usual lengths and targets."""
    asked = {"input_tokens": 2000, "output_tokens": 500, "ttft_s": 2.0, "tpot_s": 0.05} | wanted
    model = CATALOG.model("Llama-3.1-70B")
    return best_serving(model, CATALOG.resolve_system("DGX H100"), catalog=CATALOG, **asked)


@settings(max_examples=10, deadline=None)
@given(cv=st.floats(0.05, 2.0))
def test_lengths_that_differ_never_serve_more(cv):
    """More context in flight, more work of prompts and more cache serve fewer tokens."""
    one, other = best(batch=32), best(batch=32, lengths=lognormal(2000.0, 500.0, cv, cv))
    assert other.output_tokens_per_s_per_chip < one.output_tokens_per_s_per_chip
    assert other.memory_bytes["kv cache"] > one.memory_bytes["kv cache"]
    assert other.memory_bytes["weights"] == one.memory_bytes["weights"]


def test_a_search_over_one_length_given_as_a_list_is_the_same():
    """A list of equal requests is one length."""
    one, other = best(), best(lengths=measured([(2000.0, 500.0)] * 3, "three"))
    assert other.strategy == one.strategy
    assert other.tpot_s == pytest.approx(one.tpot_s)
    assert other.ttft_s == pytest.approx(one.ttft_s)


def test_requests_longer_than_the_model_reads():
    """A listed request too long is refused; the tail of a distribution is told."""
    with pytest.raises(NoFitError, match="131,072 tokens; prompt and answer have 200,001"):
        best(lengths=measured([(200_000.0, 1.0), (10.0, 1.0)], "two"), input_tokens=100_005.0, output_tokens=1.0)
    long = best(input_tokens=60_000, ttft_s=60.0, tpot_s=0.2, lengths=lognormal(60_000.0, 500.0, 1.0, 0.0))
    assert any("% of the requests are longer than the 131,072 tokens" in words for words in long.warnings)
