"""One run over several kinds of chip: hand-computed cases, limits that must hold, and published runs."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, MissingFigureError, NoFitError
from outlay.performance import mixed_runs, training
from outlay.performance.chip import chip_model, rows
from outlay.performance.mixed import (
    Kind,
    Layout,
    Link,
    Part,
    exchange_seconds,
    pipeline,
    ring_seconds,
    units,
)
from outlay.performance.mixed_pipelines import fastest_pipeline, lower_bound, unit_table
from outlay.performance.mixed_search import Place, best_mixed, slower_network
from outlay.performance.mixed_stages import in_flight_period, pipeline_seconds, split_layers, waits
from outlay.performance.network import fabric
from outlay.performance.search import best_training
from outlay.performance.strategy import Strategy, stacks
from outlay.performance.transformer import architecture, parameters

CATALOG = Catalog.load()
ARCH = architecture(CATALOG.model("Llama-3-8B"))
STACK = stacks()["current"]
SECONDS = st.floats(0.01, 10.0)


def place(name: str, chips: int) -> Place:
    """Return some chips of a system of the catalogue."""
    system = CATALOG.resolve_system(name)
    return Place(system, CATALOG.chip(system.chip), chips)


def kind(name: str, chips: int, slowdown: float = 1.0) -> Kind:
    """Return a kind of chip of the catalogue."""
    where = place(name, chips)
    chip = replace(chip_model(where.chip), slowdown=slowdown, narrow=1.0, host=1.0)
    return Kind(name, chips, chip, fabric(where.system, where.chip))


def part(one: Kind, stages: int, *, tp: int = 1, micro_batch: int = 1) -> Part:
    """Return stages without recomputation."""
    strategy = Strategy.of(tp=[float(tp)], micro_batch=float(micro_batch))
    return Part(one, units(ARCH, one, strategy, 4096, "bf16", STACK)[0], stages)


def simulated(stage: list[float], transfer: list[float], micro_batches: int) -> float:
    """Return the seconds of 1F1B, event by event: a third of a stage forward, two backward, sends beside."""
    p, forward, backward = len(stage), [s / 3 for s in stage], [2 * s / 3 for s in stage]
    order = []
    for i in range(p):
        warm = min(p - i - 1, micro_batches)
        steady = itertools.chain.from_iterable(
            [("F", m + warm), ("B", m)] if m + warm < micro_batches else [("B", m)] for m in range(micro_batches)
        )
        order.append([*(("F", m) for m in range(warm)), *steady])
    done: dict[tuple[str, int, int], float] = {}
    clock, at = [0.0] * p, [0] * p
    while any(at[i] < len(order[i]) for i in range(p)):
        for i in range(p):
            while at[i] < len(order[i]):
                which, m = order[i][at[i]]
                source = i - 1 if which == "F" else i + 1
                ready = 0.0
                if 0 <= source < p:
                    if (which, m, source) not in done:
                        break
                    ready = done[which, m, source] + transfer[min(i, source)]
                clock[i] = max(clock[i], ready) + (forward if which == "F" else backward)[i]
                done[which, m, i] = clock[i]
                at[i] += 1
    return max(clock)


def test_unequal_stages_by_hand():
    """Stages of 2, 3 and 1 s with waits of 0, 1 and 0 s and five micro-batches: 7 s to fill, then four times 4 s."""
    assert float(pipeline_seconds([2.0, 3.0, 1.0], [0.0, 1.0, 0.0], 5)) == 23.0


@given(SECONDS, st.integers(1, 12), st.integers(1, 64))
def test_equal_stages_are_the_textbook_pipeline(seconds, stages, micro_batches):
    """(m + p - 1) periods (arXiv:2104.04473, section 2.2.1)."""
    found = float(pipeline_seconds([seconds] * stages, [0.0] * stages, micro_batches))
    assert found == pytest.approx((micro_batches + stages - 1) * seconds)


@given(st.lists(SECONDS, min_size=2, max_size=5), st.integers(1, 30))
def test_without_transfers_the_formula_bounds_the_simulated_pipeline(stage, micro_batches):
    """Filling and the slowest stage: events of 1F1B never end later, nor before the slowest stage is through."""
    told = float(pipeline_seconds(stage, [0.0] * len(stage), micro_batches))
    events = simulated(stage, [0.0] * (len(stage) - 1), micro_batches)
    assert micro_batches * max(stage) <= events * (1 + 1e-9)
    assert events <= told * (1 + 1e-9)


@given(st.lists(SECONDS, min_size=2, max_size=4), st.floats(0.0, 30.0))
def test_a_thin_link_sets_the_period_the_simulation_shows(stage, seconds):
    """Over many micro-batches no period is shorter than what the micro-batches in flight allow."""
    transfer = [seconds] * (len(stage) - 1)
    count = 48  # a multiple of every number of micro-batches in flight
    period = (simulated(stage, transfer, 2 * count) - simulated(stage, transfer, count)) / count
    assert period >= in_flight_period(stage, transfer) * (1 - 1e-6) - 1e-9
    assert in_flight_period(stage, [0.0] * len(transfer)) <= max(stage) * (1 + 1e-9)


def test_two_stages_over_a_thin_link_by_hand():
    """Stages of 1 s and links of 3 s: a micro-batch is back after 1 + 3 + 1 + 3 s, and two are in flight: 4 s each."""
    assert in_flight_period([1.0, 1.0], [3.0]) == 4.0
    many = (simulated([1.0, 1.0], [3.0], 200) - simulated([1.0, 1.0], [3.0], 100)) / 100
    assert many == pytest.approx(4.0, rel=1e-6)


def test_waits_by_hand():
    """Links of 1 and 3 s: the first stage waits 1 s, the middle one 1 + 3 s, the last one twice for its own."""
    np.testing.assert_allclose(waits([1.0, 3.0]), [1.0, 4.0, 6.0])
    np.testing.assert_allclose(waits([]), [0.0])


@given(
    st.lists(st.tuples(SECONDS, st.floats(0.0, 5.0), st.integers(1, 6)), min_size=2, max_size=3),
    st.integers(2, 12),
)
def test_no_other_split_of_layers_is_faster(stages, layers):
    """The greedy split equals the best of all splits."""
    each, extra, most = (np.array(values) for values in zip(*stages, strict=True))
    every = [counts for counts in itertools.product(*(range(1, room + 1) for room in most)) if sum(counts) == layers]
    if not every:
        with pytest.raises(NoFitError, match=f"{layers} layers do not fit"):
            split_layers(layers, each, extra, most)
        return
    best = min(max(np.array(counts) * each + extra) for counts in every)
    found = split_layers(layers, each, extra, most)
    assert found.sum() == layers
    assert (found <= most).all()
    assert max(found * each + extra) == pytest.approx(best)


@given(
    st.lists(st.tuples(st.integers(1, 3), SECONDS), min_size=2, max_size=3),
    st.integers(9, 16),
    st.integers(1, 40),
    st.floats(0.0, 20.0),
)
@settings(max_examples=300)
def test_the_bound_of_the_search_is_never_above_a_split(parts, layers, micro_batches, head):
    """No split of the layers beats the bound, with the head on any kind, so pruning by it loses nothing."""
    stages, layer_s = (np.array(values, dtype=float) for values in zip(*parts, strict=True))
    each = np.repeat(layer_s, stages.astype(int))
    head_s = head * layer_s / layer_s.max()
    bound = float(lower_bound(layers, stages, layer_s, float(micro_batches), head_s))
    ends = [np.where(np.arange(each.size) == last, head_s.repeat(stages.astype(int)), 0.0) for last in range(each.size)]
    generator = np.random.default_rng(0)
    splits = [split_layers(layers, each, np.zeros(each.size), np.full(each.size, layers))]
    splits += [
        1 + generator.multinomial(layers - each.size, generator.dirichlet(np.ones(each.size))) for _ in range(20)
    ]
    splits += [split_layers(layers, each, extra, np.full(each.size, layers)) for extra in ends]
    for counts, extra in itertools.product(splits, ends):
        assert bound <= float(pipeline_seconds(counts * each, extra, micro_batches)) * (1 + 1e-9)


def test_links_by_hand():
    """25 GB in 1 s at 25 GB/s; a trunk of 100 GB/s halves that for 8 chips; a host copies twice at its link's rate."""
    link = Link(25e9, latency_s=0.5, trunk=100e9)
    assert float(link.seconds(25e9)) == pytest.approx(1.5)
    assert float(link.seconds(25e9, chips=8)) == pytest.approx(2.5)
    assert float(link.seconds(0.0)) == 0.0
    through = Link(25e9, through_host=True)
    assert float(through.seconds(25e9)) == pytest.approx(1.0 + 2 * 25e9 / training.HOST_LINK)


def test_exchange_by_hand():
    """Three sites of 64, 64 and 32 chips: each chip of the last sends 4/3 of 4 bytes a parameter over 32."""
    fleet = [kind("H100 SXM", chips) for chips in (64, 64, 32)]
    link = Link(1e9)
    size = 4.0 * parameters(ARCH).total / 32
    assert exchange_seconds(ARCH, fleet, link) == pytest.approx(4 / 3 * size / 1e9)
    assert exchange_seconds(ARCH, fleet, link, outer_steps=10) == pytest.approx(4 / 3 * size / 1e10)
    assert exchange_seconds(ARCH, fleet[:1], link) == 0.0
    assert float(ring_seconds(link, size, 3)) == pytest.approx(4 / 3 * size / 1e9)
    assert float(ring_seconds(Link(1e9, latency_s=0.25), size, 3)) == pytest.approx(4 / 3 * size / 1e9 + 4 * 0.25)


@pytest.mark.parametrize(("tp", "stages", "dp"), [(1, 2, 4), (2, 4, 2), (4, 2, 8), (8, 1, 4)])
def test_two_halves_of_one_kind_make_the_plain_pipeline(tp, stages, dp):
    """Stages of one chip named as two kinds take as long as the training model says of the same strategy.

    To 2 %: the training model fills with mean stages, here the head is on the last.
    """
    half = kind("H100 SXM", tp * stages * dp)
    same = Link(
        float(half.fabric.scaleout_bandwidth * half.fabric.scaleout_efficiency), float(half.fabric.scaleout_latency)
    )
    batch = dp * 32
    layout = Layout((part(half, stages, tp=tp), part(half, stages, tp=tp)), dp, 1)
    even = np.full(2 * stages, ARCH.layers / (2 * stages))
    mixed = pipeline(ARCH, layout, same, batch, 4096, STACK, even)
    strategy = Strategy.of(tp=float(tp), pp=2.0 * stages, dp=float(dp), micro_batch=1.0, recompute=0.0)
    plain = training.evaluate(ARCH, half.chip, half.fabric, strategy, batch, 4096, stack=STACK)
    assert mixed.step_time_s == pytest.approx(float(plain.step_time_s), rel=0.02)
    assert sum(mixed.breakdown.values()) == pytest.approx(mixed.step_time_s)
    assert float(mixed.memory.max()) == pytest.approx(float(plain.memory_bytes), rel=0.02)
    # A split makes the slowest stage fastest; what its gradients take longer may cost a thousandth of the step.
    unequal = pipeline(ARCH, layout, same, batch, 4096, STACK)
    assert (unequal.stage_s + unequal.wait_s).max() <= (mixed.stage_s + mixed.wait_s).max() * (1 + 1e-9)
    assert unequal.step_time_s <= mixed.step_time_s * 1.002


def test_two_sites_with_one_network_make_the_plain_run():
    """Replicas at two sites joined as their chips are take what all chips take at one site, to 3 %."""
    half = place("H100 SXM", 64)
    mixed = best_mixed(ARCH, [half, half], batch_tokens=2**21, ways=("replicas",))
    plain = best_training(ARCH, half.system, 128, batch_tokens=2**21, chip=half.chip)
    assert mixed.step_time_s == pytest.approx(plain.step_time_s, rel=0.03)
    assert [one.share for one in mixed.kinds] == [0.5, 0.5]
    assert [one.name for one in mixed.kinds] == ["H100 SXM #1", "H100 SXM #2"]


@pytest.mark.parametrize("chips", [8, 64, 256])
@pytest.mark.parametrize("rate", [1e6, 1e9, 1e12])
def test_chips_that_may_stay_idle_never_slow_the_run(chips, rate):
    """A slower kind beside a fast one, over any link: at worst it stays unused."""
    fast, slow = place("H100 SXM", 64), place("A100 SXM 80GB", chips)
    alone = best_training(ARCH, fast.system, 64, batch_tokens=2**21, chip=fast.chip)
    mixed = best_mixed(ARCH, [fast, slow], Link(rate), batch_tokens=2**21)
    assert mixed.step_time_s <= alone.step_time_s * (1 + 1e-9)
    assert mixed.gain is not None
    assert mixed.gain >= 1 - 1e-9
    assert mixed.ways["alone"] <= alone.step_time_s * (1 + 1e-9)
    assert mixed.way in ("pipeline", "replicas") or mixed.idle


def test_a_third_kind_never_slows_the_best_of_two():
    """Sets of kinds are searched too."""
    two = [place("H100 SXM", 32), place("H200 SXM", 32)]
    pair = best_mixed(ARCH, two, Link(1e10), batch_tokens=2**20)
    three = best_mixed(ARCH, [*two, place("A100 SXM 80GB", 8)], Link(1e10), batch_tokens=2**20)
    assert three.step_time_s <= pair.step_time_s * (1 + 1e-9)


def test_a_thinner_link_is_never_faster_and_ends_with_one_kind_alone():
    """Step times rise as the link gets thinner, up to those of the best kind alone."""
    fleet = [place("H100 SXM", 64), place("H200 SXM", 64)]
    found = [best_mixed(ARCH, fleet, Link(rate), batch_tokens=2**21) for rate in (1e12, 1e10, 1e8, 1e6, 1e3)]
    steps = [one.step_time_s for one in found]
    assert steps == sorted(steps)
    assert found[0].way != "alone"
    assert found[0].gain is not None
    assert found[0].gain > 1.5
    assert found[-1].way == "alone"
    assert found[-1].gain == pytest.approx(1.0)
    assert found[-1].idle == ("H100 SXM",)


def test_a_fast_link_leaves_the_slowest_kind():
    """Replicas over an endless link take what their slowest kind takes."""
    fleet = [place("H100 SXM", 64), place("A100 SXM 80GB", 64)]
    mixed = best_mixed(ARCH, fleet, Link(np.inf), batch_tokens=2**21, ways=("replicas",))
    assert mixed.step_time_s == pytest.approx(max(one.busy_s for one in mixed.kinds))
    assert sum(one.share for one in mixed.kinds) == pytest.approx(1.0)
    assert sum(one.sequences for one in mixed.kinds) == mixed.batch_sequences
    assert mixed.kinds[0].share > mixed.kinds[1].share
    assert sum(mixed.breakdown.values()) == pytest.approx(mixed.step_time_s)


def test_the_pruned_search_finds_the_best_of_all_pipelines():
    """The same as trying every layout of a small space without any bound."""
    fleet = [kind("H100 SXM", 16), kind("A100 SXM 80GB", 8)]
    link = slower_network(fleet)
    tables = [unit_table(ARCH, one, 4096, "bf16", STACK) for one in fleet]
    tried, layout, times = fastest_pipeline(ARCH, fleet, tables, link, 64, 4096, STACK)
    assert layout is not None
    assert times is not None
    every = []
    for dp in (1, 2, 4, 8):
        for micro_batch in (1, 2, 4):
            choices = [
                [
                    Part(one, unit, one.chips // (dp * key[0]))
                    for key, unit in table.items()
                    if key[1] == micro_batch and one.chips % (dp * key[0]) == 0 and one.chips // (dp * key[0]) < 32
                ]
                for one, table in zip(fleet, tables, strict=True)
            ]
            for parts in itertools.product(*choices):
                if 64 % (dp * micro_batch) == 0 and sum(one.stages for one in parts) <= 32:
                    every += [Layout(order, dp, micro_batch) for order in (parts, parts[::-1])]
    assert tried == len(every)
    steps = []
    for one in every:
        try:
            steps.append(pipeline(ARCH, one, link, 64, 4096, STACK).step_time_s)
        except NoFitError:
            continue
    assert times.step_time_s == pytest.approx(min(steps), rel=1e-12)
    assert (times.memory <= [part.kind.chip.memory_bytes for part in layout.parts for _ in range(part.stages)]).all()


def test_layers_follow_speed():
    """A pipeline over a fast and a slow kind gives the fast one more layers, and all layers to somebody."""
    fleet = [place("H100 SXM", 32), place("A100 SXM 80GB", 32)]
    mixed = best_mixed(ARCH, fleet, Link(1e8), batch_tokens=2**20, ways=("pipeline",))
    layers = {one.name: sum(one.layers) for one in mixed.kinds}
    assert sum(layers.values()) == ARCH.layers
    assert layers["H100 SXM"] > layers["A100 SXM 80GB"]
    assert sum(one.share for one in mixed.kinds) == pytest.approx(1.0)
    assert all(one.memory <= one.memory_limit for one in mixed.kinds)


@pytest.mark.parametrize(
    ("fleet", "options", "message"),
    [
        ([("H100 SXM", 64)], {}, "2 to 3 kinds"),
        ([("H100 SXM", 64)] * 4, {}, "got 4"),
        ([("H100 SXM", 64), ("H100 SXM", 0)], {}, "chips must be 1 or more, not 0"),
        ([("H100 SXM", 64)] * 2, {"sequence": 10**7}, "longer than Llama-3-8B's context"),
        ([("H100 SXM", 64)] * 2, {"ways": ("pipelines",)}, "unknown way to mix 'pipelines'; nearest: pipeline"),
        ([("H100 SXM", 64)] * 2, {"ways": ("pipeline",), "outer_steps": 5}, "outer steps need whole replicas"),
        ([("H100 SXM", 64)] * 2, {"stack": "curent"}, "unknown software generation"),
    ],
)
def test_contradictions_are_refused(fleet, options, message):
    """The message names what is wrong."""
    with pytest.raises(InputError, match=message):
        best_mixed(ARCH, [place(*one) for one in fleet], **options)


def test_a_model_that_fits_nowhere_is_refused_with_each_kind_alone():
    """Both kinds and why each alone fails stand in the text."""
    with pytest.raises(NoFitError, match=r"Llama-3.1-405B fits no mixed plan on 8 x H100 SXM .* A100 SXM 80GB alone"):
        best_mixed(
            CATALOG.model("Llama-3.1-405B"), [place("H100 SXM", 8), place("A100 SXM 80GB", 8)], batch_tokens=2**20
        )


def test_a_model_that_no_kind_holds_alone_may_fit_together():
    """Memory adds up over kinds, and the gain over nothing is not a number."""
    model = CATALOG.model("Llama-3-70B")
    fleet = [place("H100 SXM", 16), place("A100 SXM 80GB", 16)]
    mixed = best_mixed(model, fleet, batch_tokens=2**20)
    assert mixed.way == "pipeline"
    if all(one.tokens_per_s is None for one in mixed.alone):
        assert mixed.gain is None
    else:
        assert mixed.gain > 1


def test_published_runs_within_the_bar():
    """Sailor's measured plans whose figures agree with each other: 9 % in the mean, with nothing fitted to them."""
    runs = [run for run in mixed_runs.published() if run.consistent]
    mixed = [run for run in runs if run.mixed]
    assert (len(mixed_runs.published()), len(runs), len(mixed)) == (36, 34, 8)
    assert np.abs(mixed_runs.errors(runs)).mean() <= 0.09
    assert np.abs(mixed_runs.errors(mixed)).mean() <= 0.09


def test_a_published_run_by_hand():
    """Two replicas of 24 layers on 2 x Titan RTX and 2 x RTX 3090: the slower, 64 micro-batches, a ring of two."""
    run = next(one for one in mixed_runs.published() if one.name == "sailor-mit-n2-d2")
    titan = 0.00477 + 24 * (0.0166927 + 0.0292099) + 0.019002 + 0.033385
    held = 24 * 12596224 + 53608448 + 51513344
    exchange = 4.0 * held / 2 / (1.157e8 / 2)
    assert mixed_runs.predict(run) == pytest.approx(64 * titan + exchange + 0.004271, rel=1e-6)


def test_published_files_name_their_sources():
    """Every row of the data files has a source that exists."""
    known = {row["source"] for row in rows("mixed_sources.csv")}
    for name in ("mixed_runs.csv", "mixed_profiles.csv", "mixed_links.csv"):
        assert {row["source"] for row in rows(name)} <= known
    assert all(row["note"] for row in rows("mixed_runs.csv") if row["status"] != "measured")


def test_what_was_not_measured_is_refused():
    """A profile or a link that no file holds is named."""
    with pytest.raises(MissingFigureError, match="no measured profile of OPT-350M on 16 x GH200"):
        mixed_runs.profile("OPT-350M", mixed_runs.Replica("GH200", 16), 1)
    with pytest.raises(MissingFigureError, match="no measured link from 4 x GH200"):
        mixed_runs.link(mixed_runs.Replica("GH200", 4), mixed_runs.Replica("RTX 3090", 4))
    with pytest.raises(InputError, match="is not CHIP"):
        mixed_runs.parse_plan("11: RTX 3090")
