"""Arrivals by chance: the queueing approximation against a discrete-event simulation of an engine, and its edges."""

import math
import random
import statistics
from dataclasses import replace

import numpy as np
import pytest
import simpy

from outlay.catalog import Catalog
from outlay.performance.serving.fleet import bears, load_at, most_requests, replicas_for, under
from outlay.performance.serving.latency import Engine, most_prompts, open_arrivals
from outlay.performance.serving.lengths import lognormal
from outlay.performance.serving.search import best_serving

CATALOG = Catalog.load()
FREE = Engine(
    launch_s=0.0,
    request_s=0.0,
    kernel_s=0.0,
    admit_s=0.01,
    token_s=0.0,
    decode=1.0,
    attention=1.0,
    network=1.0,
    prefill=1.0,
)
LOADS = 2.0 ** np.arange(0.0, 12.0)
BASE_S, EACH_S, PREFILL_S, ANSWER = 0.010, 0.0002, 0.040, 200
"""A step takes 10 ms and 0.2 ms a request more; a prompt 40 ms; an answer has 200 tokens."""


class Machine:
    """An engine that runs steps: each takes every request one token further and reads at most one prompt."""

    def __init__(self, env, requests, rate, draw, sizes=None):
        self.env, self.waiting, self.decoding, self.done = env, [], [], []
        self.sizes = sizes or (lambda: (PREFILL_S, ANSWER))
        self.kick = env.event()
        env.process(self.arrive(requests, rate, draw))
        env.process(self.step())

    def arrive(self, requests, rate, draw):
        for _ in range(requests):
            yield self.env.timeout(draw.expovariate(rate))
            prompt, answer = self.sizes()
            self.waiting.append({"came": self.env.now, "prompt": prompt, "answer": answer})
            if not self.kick.triggered:
                self.kick.succeed()

    def step(self):
        while True:
            if not self.waiting and not self.decoding:
                self.kick = self.env.event()
                yield self.kick
            reads = self.waiting.pop(0) if self.waiting else None
            busy = BASE_S + EACH_S * len(self.decoding) if self.decoding else BASE_S
            yield self.env.timeout(busy + (reads["prompt"] if reads else 0.0))
            for request in self.decoding:
                request["left"] -= 1
            ended = [request for request in self.decoding if request["left"] == 0]
            for request in ended:
                request["ended"] = self.env.now
                self.done.append(request)
            self.decoding = [request for request in self.decoding if request["left"]]
            if reads:
                self.decoding.append({**reads, "first": self.env.now, "left": reads["answer"]})


def simulated(rate, requests=4000, sizes=None):
    """Simulate an engine; return times to the first token and per token of the requests after a warm-up."""
    env = simpy.Environment()
    machine = Machine(env, requests, rate, random.Random(7), sizes)
    env.run(until=1.2 * requests / rate + 100)
    kept = sorted(machine.done, key=lambda request: request["came"])[requests // 10 :]
    first = [request["first"] - request["came"] for request in kept]
    token = [(request["ended"] - request["first"]) / request["answer"] for request in kept]
    return first, token


def reckoned(rate):
    """Return what the approximation says of the same engine."""
    engine = Engine(**{**vars(FREE), "admit_s": 0.0})
    one = np.ones(1)
    return open_arrivals((BASE_S + EACH_S * LOADS)[None, :], LOADS, PREFILL_S * one, rate * one, ANSWER, engine)


@pytest.mark.parametrize("rate", [2.0, 5.0, 8.0, 9.5])
def test_the_approximation_agrees_with_a_simulation(rate):
    """Means within 10 % of a simulated engine up to three quarters of its capacity of 12.5 a second."""
    first, token = simulated(rate)
    found = reckoned(rate)
    assert found.stable[0]
    assert float(found.tpot_s[0]) == pytest.approx(statistics.fmean(token), rel=0.10)
    assert float(found.ttft_s[0]) == pytest.approx(statistics.fmean(first), rel=0.20)
    tenths = statistics.quantiles(token, n=10)[8], statistics.quantiles(first, n=10)[8]
    assert float(found.tpot_quantile(0.9)[0]) == pytest.approx(tenths[0], rel=0.15)
    assert float(found.ttft_quantile(0.9)[0]) == pytest.approx(tenths[1], rel=0.35)


class Together(Machine):
    """Engines that step together as attention groups that share experts do: all wait for the one that takes longest."""

    def __init__(self, env, groups, requests, rate, draw):
        self.groups = [Machine.__new__(Machine) for _ in range(groups)]
        for one in self.groups:
            one.env, one.waiting, one.decoding, one.done = env, [], [], []
            one.sizes, one.kick = lambda: (PREFILL_S, ANSWER), env.event()
            env.process(one.arrive(requests, rate, draw))
        env.process(self.step_all(env))

    def step_all(self, env):
        while True:
            reads = [one.waiting.pop(0) if one.waiting else None for one in self.groups]
            busy = [
                BASE_S + EACH_S * len(one.decoding) + (read["prompt"] if read else 0.0)
                for one, read in zip(self.groups, reads, strict=True)
            ]
            yield env.timeout(max(busy))
            for one, read in zip(self.groups, reads, strict=True):
                for request in one.decoding:
                    request["left"] -= 1
                one.done += [{**request, "ended": env.now} for request in one.decoding if request["left"] == 0]
                one.decoding = [request for request in one.decoding if request["left"]]
                if read:
                    one.decoding.append({**read, "first": env.now, "left": read["answer"]})


@pytest.mark.parametrize(("groups", "rate"), [(2, 2.0), (2, 5.0), (4, 2.0), (4, 4.0), (8, 2.0)])
def test_groups_that_step_together_agree_with_a_simulation(groups, rate):
    """A prompt of one group holds the others up: means of tokens within 10 %, of first tokens within 25 %."""
    env = simpy.Environment()
    machines = Together(env, groups, 1500, rate, random.Random(7))
    env.run(until=1.2 * 1500 / rate + 100)
    done = [request for one in machines.groups for request in one.done[150:]]
    token = statistics.fmean((request["ended"] - request["first"]) / request["answer"] for request in done)
    first = statistics.fmean(request["first"] - request["came"] for request in done)
    engine, one = Engine(**{**vars(FREE), "admit_s": 0.0}), np.ones(1)
    steps = (BASE_S + EACH_S * LOADS)[None, :]
    found = open_arrivals(steps, LOADS, PREFILL_S * one, rate * one, ANSWER, engine, groups=groups)
    alone = open_arrivals(steps, LOADS, PREFILL_S * one, rate * one, ANSWER, engine)
    assert float(found.tpot_s[0]) == pytest.approx(token, rel=0.10)
    assert float(found.ttft_s[0]) == pytest.approx(first, rel=0.25)
    assert abs(float(alone.tpot_s[0]) - token) > abs(float(found.tpot_s[0]) - token)


@pytest.mark.parametrize("groups", [2, 4, 8, 32])
@pytest.mark.parametrize("prompts", [0.01, 0.1, 0.5, 2.0, 10.0])
def test_the_most_prompts_are_those_of_poisson_counts(groups, prompts):
    """The expected largest of so many Poisson counts over their mean, summed exactly, within 15 %."""
    below = np.cumsum([math.exp(-prompts + n * math.log(prompts) - math.lgamma(n + 1)) for n in range(80)])
    exact = float((1.0 - below**groups).sum()) / prompts
    assert float(most_prompts(groups, prompts)) == pytest.approx(exact, rel=0.15)


def test_one_group_waits_for_its_own_prompts_alone():
    """With one group a step waits for what it reads."""
    assert float(most_prompts(1.0, 0.3)) == 1.0


LINEAR_S, SQUARE_S = 1e-5, 1e-9
"""Seconds of a prompt a token and a squared token: 40 ms at 3,000 tokens, a quarter of it attention."""


def drawn(cv):
    """Return what draws the time of a prompt and the tokens of an answer, lognormal, mean 3,000 and 200 tokens."""
    draw, sigma = random.Random(11), math.sqrt(math.log1p(cv * cv))

    def sizes():
        tokens, answer = (mean * draw.lognormvariate(-sigma * sigma / 2, sigma) for mean in (3000.0, float(ANSWER)))
        return LINEAR_S * tokens + SQUARE_S * tokens**2, max(round(answer), 1)

    return sizes


def mixed(rate, cv):
    """Return what the approximation says of the same engine under lengths that differ."""
    found, one = lognormal(3000.0, ANSWER, cv, cv), np.ones(1)
    linear, square = LINEAR_S * found.input, SQUARE_S * found.input * found.attended
    own = np.array([LINEAR_S * n + SQUARE_S * n * n for n in found.prompts])
    engine = Engine(**{**vars(FREE), "admit_s": 0.0})
    steps = (BASE_S + EACH_S * LOADS)[None, :]
    times = open_arrivals(
        steps,
        LOADS,
        (linear + square) * one,
        rate * one,
        ANSWER,
        engine,
        varied=found.variation(square / (linear + square)),
    )
    return replace(times, away_s=own - own.mean(), persistence=found.persistence)


@pytest.mark.parametrize("cv", [0.4, 0.8])
@pytest.mark.parametrize("rate", [2.0, 5.0, 8.0])
def test_lengths_that_differ_agree_with_a_simulation(rate, cv):
    """Means of tokens within 10 %, of first tokens within 20 %; 90th percentiles within 15 %, the 99th within 20 %."""
    first, token = simulated(rate, 12000, drawn(cv))
    found = mixed(rate, cv)
    assert float(found.tpot_s[0]) == pytest.approx(statistics.fmean(token), rel=0.10)
    assert float(found.ttft_s[0]) == pytest.approx(statistics.fmean(first), rel=0.20)
    assert float(found.tpot_quantile(0.9)[0]) == pytest.approx(statistics.quantiles(token, n=10)[8], rel=0.15)
    assert float(found.ttft_quantile(0.9)[0]) == pytest.approx(statistics.quantiles(first, n=10)[8], rel=0.15)
    assert float(found.ttft_quantile(0.99)[0]) == pytest.approx(statistics.quantiles(first, n=100)[98], rel=0.20)


def test_one_length_would_miss_the_wait_for_long_prompts():
    """At 8 a second and a variation of 0.8 the formulas for one length are a quarter short of the 90th percentile."""
    first, _ = simulated(8.0, 12000, drawn(0.8))
    tenth = statistics.quantiles(first, n=10)[8]
    assert float(reckoned(8.0).ttft_quantile(0.9)[0]) < 0.75 * tenth
    assert float(mixed(8.0, 0.8).ttft_quantile(0.9)[0]) > 0.85 * tenth


def test_littles_law_holds():
    """Requests in decode are rate x answer x time of a token."""
    found = reckoned(8.0)
    assert float(found.requests[0]) == pytest.approx(8.0 * ANSWER * float(found.tpot_s[0]), rel=1e-3)


def test_more_prompts_than_can_be_read_are_not_stable():
    """At 25 prompts a second of 40 ms each nothing is left for tokens."""
    assert not reckoned(25.0).stable[0]


@pytest.fixture(scope="module")
def found():
    """Give a searched configuration."""
    return best_serving(
        CATALOG.model("Llama-3.1-70B"),
        CATALOG.resolve_system("DGX H100"),
        input_tokens=2000,
        output_tokens=500,
        ttft_s=2.0,
        tpot_s=0.05,
        catalog=CATALOG,
    )


def test_latencies_rise_with_the_load(found):
    """A higher rate of arrivals makes neither latency shorter."""
    most = found.output_tokens_per_s_per_chip * found.chips_per_replica / 500
    rates = np.linspace(0.05, 0.9, 12) * most
    times = under(found.setup, rates)
    assert (np.diff(times.ttft_s) > 0).all()
    assert (np.diff(times.tpot_s) > 0).all()


def test_the_highest_load_keeps_the_targets_and_more_would_not(found):
    """What a replica bears meets the targets; a tenth more does not, or does not fit the memory."""
    most = found.output_tokens_per_s_per_chip * found.chips_per_replica / 500
    load = bears(found.setup, 2.0, 0.05, 1.5 * most)
    assert load.ttft_s <= 2.0
    assert load.tpot_s <= 0.05
    more = load_at(found.setup, 1.1 * load.requests_per_s)
    assert more.tpot_s > 0.05 or more.requests_in_decode > most_requests(found.setup)


def test_a_target_for_most_requests_admits_less_than_one_for_the_mean(found):
    """Keeping 99 % of the requests within a target leaves a lower load than keeping the mean."""
    most = found.output_tokens_per_s_per_chip * found.chips_per_replica / 500
    mean, nearly_all = (bears(found.setup, 2.0, 0.05, 1.5 * most, share) for share in (None, 0.99))
    assert nearly_all.requests_per_s < mean.requests_per_s
    assert replicas_for(50.0, nearly_all) >= replicas_for(50.0, mean)


def test_no_load_meets_impossible_targets(found):
    """A token cannot take a microsecond."""
    assert bears(found.setup, 2.0, 1e-6, 10.0) is None


def test_lengths_of_no_variation_change_nothing(found):
    """Lognormal lengths of variation zero are lengths that are all the same."""
    same = replace(found.setup, work=replace(found.setup.work, lengths=lognormal(2000.0, 500.0, 0.0, 0.0)))
    most = found.output_tokens_per_s_per_chip * found.chips_per_replica / 500
    one, other = load_at(found.setup, most / 2), load_at(same, most / 2)
    assert other.ttft_quantiles_s == pytest.approx(one.ttft_quantiles_s, rel=1e-9)
    assert other.tpot_quantiles_s == pytest.approx(one.tpot_quantiles_s, rel=1e-3)
    assert most_requests(same) == pytest.approx(most_requests(found.setup))


def test_lengths_that_differ_bear_less(found):
    """Requests that differ leave a lower load within the targets, and room for fewer at once."""
    varied = replace(found.setup, work=replace(found.setup.work, lengths=lognormal(2000.0, 500.0, 1.0, 1.0)))
    most = 1.5 * found.output_tokens_per_s_per_chip * found.chips_per_replica / 500
    one, other = (bears(setup, 1.0, 0.05, most, 0.9) for setup in (found.setup, varied))
    assert other.requests_per_s < one.requests_per_s
    assert most_requests(varied) < most_requests(found.setup)
