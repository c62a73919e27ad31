"""The summary in the terminal: what must be in it, and how it behaves where there is little or much to say."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from outlay.planning.result import Audit, AuditCheck
from outlay.report.summary import ROWS, print_summary, sparkline


def _text(plan, width=100):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_summary(plan, console)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def text(plan):
    """Summary of the sample at 100 columns, its line breaks undone."""
    return " ".join(_text(plan).split())


@pytest.mark.parametrize(
    "essential",
    [
        *("Huawei", "Cambricon", "Nvidia", "Hamar NO", "Ascend 910B2"),
        *("40.0 bn CNY", "6.80 bn USD", "60 %", "at least 30 %"),
        *("38.7 %", "103 days (88 to 124)", "does not run: no site has chips left"),
        *("82 %", "5.50 trn to 52.0 trn"),
        *("One more billion CNY for chips in China is worth 71.0 m USD.", "LICENSE_REQUIRED_DENIAL"),
        *(
            "denied by ByteDance spokesperson",
            "assumed: Growth of demand after 2025Q1, x 1.35 a quarter; Salvage",
            "TikTok divestiture",
        ),
        *("optimal: value 3.42 bn USD, within 0.41 %", "all 5 checks hold"),
    ],
)
def test_essentials_are_there(text, essential):
    """A person finds what is bought, what it does, what binds and what is doubted."""
    assert essential in text


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(plan, width):
    """Nothing runs over the edge."""
    assert max(map(len, _text(plan, width).splitlines())) <= width


def test_piped_text_is_plain(plan):
    """A pipe gets no control codes."""
    assert "\x1b" not in _text(plan)


def test_failed_audit_is_shouted(plan):
    """A broken limit is named with its figures."""
    checks = [AuditCheck("budget China chips", False, "spent 41 of 40"), *plan.audit.checks[1:]]
    text = _text(replace(plan, audit=Audit(False, checks)))
    assert "1 of 5 checks FAIL" in text
    assert "budget China chips: spent 41 of 40" in text
    assert "checks hold" not in text


def test_markup_in_names_is_printed_as_it_is(plan):
    """Square brackets in a name are not read as colours."""
    bought = replace(plan.purchases[0], vendor="[red]Huawei[/red]")
    assert "[red]Huawei[/red]" in _text(replace(plan, title="[bold]x[/bold]", purchases=[bought]), width=140)


def test_empty_plan_says_so(plan):
    """A plan that buys nothing is a plan."""
    empty = replace(
        plan, purchases=[], training=[], services=[], limits=[], blocked=[], evidence=[], notes=[], deadlines=[]
    )
    text = _text(empty)
    assert "buys nothing" in text
    assert "Bought and leased" not in text


def test_plan_without_a_bound_is_printed(plan):
    """Where the solver proved nothing, a dash stands for the gap."""
    text = " ".join(_text(replace(plan, status="feasible", gap=float("inf"), bound=float("inf"))).split())
    assert "feasible: value 3.42 bn USD, within – of the best possible" in text


def test_long_tables_say_what_is_left_out(plan):
    """What is cut off is counted."""
    many = [replace(plan.purchases[0], site=f"Site {number}") for number in range(ROWS + 3)]
    assert "and 3 more" in _text(replace(plan, purchases=many))


def test_long_horizons_are_shown_by_year(plan):
    """Sixteen quarters do not fit side by side; years do, and nothing is lost."""
    quarters = [f"{year}Q{number}" for year in range(2025, 2029) for number in range(1, 5)]
    bought = [replace(plan.purchases[0], quarter=quarter, units=1, chips=8) for quarter in quarters]
    text = _text(replace(plan, quarters=quarters, purchases=bought, services=[]))
    assert "2025 2026 2027 2028" in text
    assert " 32   32   32   32 128" in text


def test_sparkline_scales_to_its_top():
    """Zero is empty, the top is full, and no demand at all is no error."""
    assert sparkline([0.0, 1.0, 4.0, 8.0], 8.0) == " ▁▄█"
    assert sparkline([0.0, 0.0], 0.0) == "  "


def test_ways_closed_for_one_reason_stand_together(plan):
    """Ten chips refused for one reason make one line."""
    first = plan.blocked[0]
    ways = [replace(first, chip=chip, country=country) for chip in ("H100", "H200") for country in ("NO", "MY")]
    text = " ".join(_text(replace(plan, blocked=ways)).split())
    assert text.count(first.words) == 1
    assert "buy H100 and H200 in NO and MY, 2025Q1-2026Q4: LICENSE_REQUIRED_DENIAL." in text
