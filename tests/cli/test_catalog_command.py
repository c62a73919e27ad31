"""`outlay catalog`, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "outlay.cli.main", "catalog", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_chip_shows_figures_sources_and_what_is_missing() -> None:
    """The values that lost are shown with the reason, and what no source gives is named."""
    done = run("chip", "h20 96gb")
    assert done.returncode == 0
    for part in ("H20 96GB", "bf16_tflops", "148 TFLOP/s", "[press-report]", "or 550 W", "in no source:", "https://"):
        assert part in done.stdout


def test_lists_are_filtered() -> None:
    """By country, by a figure that is there or is not, by day."""
    chips = json.loads(run("chips", "--country", "CN", "--has", "bf16_tflops", "--json").stdout)
    assert chips
    assert all(chip["vendor_country"] == "CN" and chip["bf16_tflops"] for chip in chips)
    without = json.loads(run("chips", "--country", "CN", "--missing", "bf16_tflops", "--json").stdout)
    assert not {chip["name"] for chip in chips} & {chip["name"] for chip in without}
    prices = json.loads(run("prices", "H20", "--until", "2025-01-22", "--json").stdout)
    assert prices
    assert all(price["chip"] == "H20 96GB" for price in prices)


def test_statements_are_filtered_by_day_and_country() -> None:
    """A country may be given by name or code; what bears no date was not known on any day."""
    every = json.loads(run("supply", "--json").stdout)
    early = json.loads(run("supply", "--country", "CN", "--until", "2025-01-22", "--json").stdout)
    assert 0 < len(early) < len(every)
    assert all(row["place"] == "China" and "2025-0" not in row["date"].replace("2025-01", "") for row in early)


def test_every_list_prints() -> None:
    """Each kind, as a table."""
    for what in ("chips", "systems", "models", "sites", "prices", "supply", "costs"):
        done = run(what)
        assert done.returncode == 0, done.stderr
        assert what in done.stdout.splitlines()[0]


def test_bad_input_exits_2_with_the_nearest() -> None:
    """Unknown names, fields and kinds."""
    for arguments, message in (
        (("chip", "H20O"), "unknown chip 'H20O'; nearest: "),
        (("model", "Lama-3.1-8B"), "nearest: Llama-3.1-8B"),
        (("chips", "--has", "tpd_w"), "unknown field 'tpd_w'; nearest: tdp_w"),
        (("chip",), "name a chip"),
        (("chps",), "chps"),
        (("chips", "--catalog", "none.yaml"), "none.yaml: cannot be read"),
        (("chips", "--country", "Chian"), "unknown country 'Chian'"),
        (("chips", "--until", "2025-01-01"), "--until narrows prices, supply and costs; it says nothing of chips"),
        (("chip", "H100", "--vendor", "AMD"), "--vendor narrows lists; it says nothing of chip"),
        (("prices", "H2000"), "unknown chip or priced item 'H2000'; nearest: H200"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, done.stdout
        assert message in done.stderr
        assert "Traceback" not in done.stderr
