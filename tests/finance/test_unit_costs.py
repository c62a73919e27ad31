"""Costs per H100-equivalent hour, per run and per million tokens, against a published account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.finance.money import exact, small
from outlay.finance.unit_costs import per_h100_hour, per_million, pools, shared, training_run

# DeepSeek, "DeepSeek-V3/R1 Inference System Overview" (open-infra-index, 1 March 2025): 24 hours of 27 and 28 February
# 2025 on H800 nodes at 2 USD an hour and chip: 226.75 nodes on average, 87,072 USD; 608 bn input tokens, of them 342 bn
# from cache, and 168 bn output tokens; 73,700 input tokens/s a node in prefill, 14,800 output tokens/s in decode.
COST_USD, INPUT, OUTPUT = 87_072.0, 608e9, 168e9


def test_the_published_rates_give_the_published_cost() -> None:
    """73.7k and 14.8k tokens/s a node at 16 USD an hour: the day's bill within 15 % (it agrees within 0.1 %)."""
    cost = pools(2.0, 73_700 / 8, 14_800 / 8, INPUT / OUTPUT)
    day = (cost.input * INPUT + cost.output * OUTPUT) / 1e6
    assert day == pytest.approx(COST_USD, rel=0.15)
    assert day == pytest.approx(COST_USD, rel=0.001)
    assert cost.both == pytest.approx(COST_USD / (INPUT + OUTPUT) * 1e6, rel=0.001)


def test_nodes_by_hours_give_the_same_bill() -> None:
    """226.75 nodes of eight chips for a day at two dollars."""
    assert training_run(2.0, 8 * 1, 1.0) * 226.75 == pytest.approx(COST_USD)


def test_a_training_run_as_published() -> None:
    """DeepSeek-V3 technical report, table 1: 2.788 m H800 hours at 2 USD are 5.576 m USD."""
    assert training_run(2.0, 2048, 2.788e6 / 2048 / 24) == pytest.approx(5.576e6)


@given(
    rate=st.floats(0.1, 20), whole=st.floats(0.01, 10), more=st.floats(1.0, 50), ask=st.floats(1, 1e5),
    answer=st.floats(1, 1e5),
)  # fmt: skip
def test_prompts_and_answers_make_up_the_request(
    rate: float, whole: float, more: float, ask: float, answer: float
) -> None:
    """The two parts weigh to the cost of the whole, whatever the mix."""
    cost = shared(rate, whole, whole * more, ask, answer)
    assert cost.input * ask + cost.output * answer == pytest.approx(cost.both * (ask + answer), rel=1e-9)
    assert cost.output >= 0


def test_equivalents_and_refusals() -> None:
    """A chip of twice the peak at the same price costs half; nothing divides by zero."""
    assert per_h100_hour(3.0, 2 * 989e12) == pytest.approx(1.5)
    with pytest.raises(InputError, match="tokens a second is 0"):
        per_million(2.0, 0.0)
    with pytest.raises(InputError, match="slower than whole requests"):
        shared(2.0, 1.0, 0.5, 100, 100)


def test_money_in_the_digits_of_its_currency() -> None:
    """Cents for dollars, none for yen."""
    assert exact(1234567.891, "USD") == "1,234,567.89 USD"
    assert exact(1234567.891, "JPY") == "1,234,568 JPY"
    assert small(0.060311, "USD") == "0.0603 USD"
    assert small(5_260_149.85, "USD") == "5.26 m USD"
