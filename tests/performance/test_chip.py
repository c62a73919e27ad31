"""Times of operations on a chip: never below the roofline, never falling with size, close to the measured kernels."""

import csv
import re
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.catalog.records import Chip
from outlay.errors import MissingFigureError
from outlay.evidence import Figure, Source
from outlay.performance.chip import (
    BYTES,
    attention_time,
    chip_model,
    gemm_time,
    grouped_gemm_time,
    memory_time,
    tiled,
)

CATALOG = Catalog.load()
H100 = chip_model(CATALOG.chip("H100 SXM"))
SIZES = st.integers(1, 65536)


@given(SIZES, SIZES, SIZES, st.sampled_from(["bf16", "fp8"]))
def test_a_gemm_is_never_below_its_roofline(m: int, n: int, k: int, dtype: str):
    """Not faster than the peak, nor than memory can deliver its operands."""
    seconds = gemm_time(H100, m, n, k, dtype)
    assert seconds >= 2.0 * m * n * k / H100.peak_of(dtype)
    assert seconds >= BYTES[dtype] * (m * k + k * n) / H100.memory_bandwidth


@given(SIZES, SIZES, SIZES, st.integers(1, 3), st.sampled_from([0, 1, 2]))
def test_a_larger_gemm_never_takes_less_time(m: int, n: int, k: int, factor: int, which: int):
    """Monotone in each dimension."""
    larger = [m, n, k]
    larger[which] *= factor
    assert gemm_time(H100, *larger, "bf16") >= gemm_time(H100, m, n, k, "bf16")


@pytest.mark.parametrize("name", ["A100 SXM 80GB", "H100 SXM", "H200 SXM", "B200 SXM", "GB200 (per GPU)"])
def test_measured_gemms_are_met_within_15_per_cent(name: str):
    """The median of the measured grid of each chip; the fits themselves are at 2 to 10 %."""
    text = (resources.files("outlay.performance") / "data" / "measured.csv").read_text(encoding="utf-8")
    chip = chip_model(CATALOG.chip(name))
    kernels = {"A100 SXM 80GB": "A100 SXM", "GB200 (per GPU)": "GB200"}.get(name, name)
    errors = []
    for row in csv.DictReader(text.splitlines()):
        if row["metric"] == "gemm_grid" and row["chip"] == kernels and row["dtype"] == "bf16":
            m, n, k = (int(x) for x in re.findall(r"[mnk](\d+)", row["size"]))
            measured = 2 * m * n * k / (float(row["value"]) * 1e12)
            errors.append(abs(float(gemm_time(chip, m, n, k, "bf16")) / measured - 1))
    assert len(errors) >= 50
    assert np.median(errors) < 0.15


def test_the_last_wave_of_tiles_takes_as_long_as_a_full_one():
    """2,048 x 4,096 on 108 cores: 256 tiles of 256 x 128 are 2.4 waves and take 3; with 256 cores they take one."""
    curve = replace(H100.curve_of("bf16"), half=0.0, split=1.0)
    tiles = 2048 / 256 * 4096 / 128
    assert float(tiled(curve, 256.0, 1.0, 2048.0, 4096.0)) == pytest.approx(256 * 256 * 128)
    assert tiles / 108 == pytest.approx(2.37, abs=0.01)
    # Smaller tiles fill the waves better, which is free where they lose nothing: 2,048 of 64 x 64 are 18.96 waves.
    assert float(tiled(curve, 108.0, 1.0, 2048.0, 4096.0)) == pytest.approx(19 * 108 * 64 * 64)
    assert float(tiled(replace(curve, half=1e9), 108.0, 1.0, 2048.0, 4096.0)) == pytest.approx(3 * 108 * 256 * 128)


def test_few_tiles_leave_cores_idle_but_for_what_is_split():
    """One tile of 64 x 64 on 100 cores takes a hundredth of a wave, and ``split`` of the rest of it."""
    curve = replace(H100.curve_of("bf16"), half=0.0, split=0.25)
    wave = 100 * 64 * 64
    assert float(tiled(curve, 100.0, 1.0, 64.0, 64.0)) == pytest.approx((0.01 + 0.25 * 0.99) * wave)


def test_padding_alone_counts_where_matrix_units_work_together():
    """A chip of one core has no waves; 65 rows take a tile of 128 rows with 64 columns, or two of 64."""
    curve = replace(H100.curve_of("bf16"), half=0.0)
    assert float(tiled(curve, 1.0, 1.0, 65.0, 64.0)) == pytest.approx(128 * 64)


@given(st.floats(1, 1e5), st.floats(1, 1e5), st.floats(1, 64), st.floats(1, 300), st.floats(0, 3e4), st.floats(0, 1))
def test_tiles_never_compute_less_than_is_asked(
    m: float, n: float, groups: float, cores: float, half: float, split: float
):
    """What is computed covers the outputs, and more groups never take less."""
    curve = replace(H100.curve_of("bf16"), half=half, split=split)
    once = float(tiled(curve, cores, groups, m, n))
    assert once >= groups * m * n * (1 - 1e-9)
    assert float(tiled(curve, cores, groups + 1, m, n)) >= once * (1 - 1e-9)


def test_grouped_products_fill_the_waves_together():
    """Eight groups of 512 x 1,024 are 8 x 2 x 8 tiles of 256 x 128: one wave of 132 cores, as one group alone is."""
    curve, (m, n, k) = replace(H100.curve_of("fp8"), half=1e9, split=1.0), (512.0, 1024.0, 4096.0)
    chip = replace(H100, curves={"fp8": curve})
    rate = chip.peak_of("fp8") * curve.efficiency * chip.grouped_efficiency
    by_hand = 2 * 132 * 256 * 128 * (k + curve.k0) * (1 + curve.n0 / n) / rate + curve.launch_s
    assert float(grouped_gemm_time(chip, 8.0, m, n, k, "fp8")) == pytest.approx(by_hand)
    by_hand = 2 * 132 * 256 * 128 * (k + curve.k0) / rate + curve.launch_s
    assert float(grouped_gemm_time(chip, 8.0, m, n, k, "fp8", converted=True)) == pytest.approx(by_hand)


def test_a_grouped_gemm_moves_every_groups_weights():
    """With one row a group it takes as long as reading all weights; never less than one group alone."""
    groups, n, k = 64, 4096, 7168
    seconds = grouped_gemm_time(H100, groups, 1, n, k, "bf16")
    assert seconds >= groups * 2 * n * k / H100.memory_bandwidth
    assert seconds > grouped_gemm_time(H100, 1, 1, n, k, "bf16")


def test_attention_takes_the_fraction_it_is_given():
    """That of a prompt where none is: twice the fraction, half the time beyond the launch."""
    slow, fast = (attention_time(H100, 1e12, 1e6, fraction=part) - H100.launch_s for part in (0.3, 0.6))
    assert slow == pytest.approx(2 * fast) == pytest.approx(1e12 / (0.3 * H100.peak_of("bf16")))
    assert attention_time(H100, 1e12, 1e6) == attention_time(H100, 1e12, 1e6, fraction=H100.attention_forward)


def test_moving_nothing_takes_no_time():
    """And moving something takes at least the datasheet's bandwidth and a launch."""
    assert memory_time(H100, 0.0) == 0.0
    assert memory_time(H100, 3.35e9) > 1e-3


def test_a_chip_without_kernels_says_so():
    """The class prior is named in provenance and notes; known best rates scale the curve."""
    trainium = chip_model(CATALOG.chip("Trainium1"))
    assert trainium.provenance == "class prior"
    assert "no kernel of this chip was measured" in trainium.notes[0]
    mi300x = chip_model(CATALOG.chip("MI300X"))
    assert mi300x.provenance == "achieved fraction"
    whole = (4096, 9728, 16384)  # 16 x 76 tiles are four waves of 304 compute units
    rate = 2.0 * np.prod(whole) / float(gemm_time(mi300x, *whole, "bf16"))
    assert rate / mi300x.peak_of("bf16") == pytest.approx(0.514, abs=0.02)


def test_a_missing_figure_is_an_error_not_a_zero():
    """No memory bandwidth, no peak, no fp8: each is named."""
    figure = Figure(100.0, "TFLOP/s", "datasheet", Source("x", "y"))
    with pytest.raises(MissingFigureError, match="no source gives a peak"):
        chip_model(Chip("mystery"))
    with pytest.raises(MissingFigureError, match="memory_gb"):
        chip_model(Chip("mystery", {"bf16_tflops": figure}))
    with pytest.raises(MissingFigureError, match="fp8 peak"):
        chip_model(CATALOG.chip("A100 SXM 80GB")).peak_of("fp8")


def test_arrays_broadcast():
    """One call times many GEMMs."""
    assert gemm_time(H100, np.ones((3, 1)), np.ones(4), 8.0, "bf16").shape == (3, 4)


def test_the_type_whose_best_rate_is_known_reaches_it():
    """Ascend 910C: int8 products reach 0.77 to 0.83 of their peak (arXiv:2506.12708, INT8 GEMM), so 0.80 of it."""
    model = chip_model(CATALOG.chip("Ascend 910C"))
    assert model.curves["int8"].efficiency == 0.80
    assert model.curves["bf16"].efficiency == pytest.approx(0.80)
