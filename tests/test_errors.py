"""The errors outlay raises on purpose: their family, their places, and the names they suggest."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import errors
from outlay.errors import InfeasibleError, InputError, OutlayError, ScenarioError, nearest, unknown

NAMES = ["H100 SXM", "H200 SXM", "H20 96GB", "MI300X", "Ascend 910B"]


def test_every_error_is_of_the_family() -> None:
    """One class catches all of them; each says in a docstring what it is for."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 13
    assert all(issubclass(kind, OutlayError) and kind.__doc__ for kind in kinds)


def test_the_users_mistakes_are_input_errors() -> None:
    """They end with exit code 2; an answer that is no does not."""
    assert issubclass(ScenarioError, InputError)
    assert issubclass(errors.UnitError, InputError)
    assert issubclass(errors.CatalogError, InputError)
    assert not issubclass(InfeasibleError, InputError)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"path": "s.yaml", "line": 3, "column": 7}, "s.yaml:3:7: wrong"),
        ({"path": "s.yaml"}, "s.yaml: wrong"),
        ({}, "wrong"),
    ],
)
def test_a_scenario_error_says_where(place: dict[str, object], said: str) -> None:
    """File, line and column, as far as they are known, as editors read them."""
    error = ScenarioError("wrong", **place)  # type: ignore[arg-type]
    assert str(error) == said
    assert (error.path, error.line, error.column) == tuple(place.get(key) for key in ("path", "line", "column"))


def test_an_infeasible_plan_keeps_its_conflict_and_its_ways_out() -> None:
    """In order, as they were found."""
    error = InfeasibleError("cannot hold", ["a", "b"], ["c"])
    assert (str(error), error.conflict, error.relaxations) == ("cannot hold", ("a", "b"), ("c",))


@pytest.mark.parametrize(
    ("name", "first"),
    [("h100 sxn", "H100 SXM"), ("h2O 96gb", "H20 96GB"), ("mi300", "MI300X"), ("910b", "Ascend 910B")],
)
def test_the_nearest_name_comes_first(name: str, first: str) -> None:
    """A slip of a letter, another case, or a part of the name."""
    assert nearest(name, NAMES)[0] == first
    assert unknown("chip", name, NAMES).startswith(f"unknown chip {name!r}; nearest: {first}")


def test_nothing_near_is_said_so() -> None:
    """No guess is better than a wild one; where to look is told."""
    assert unknown("chip", "zzzz", NAMES, see="see: outlay catalog chips") == (
        "unknown chip 'zzzz'; nothing close to it is known (see: outlay catalog chips)"
    )


@given(name=st.text(alphabet=string.printable, max_size=20), limit=st.integers(1, 5))
def test_suggestions_are_names_that_exist(name: str, limit: int) -> None:
    """At most as many as asked for, none twice."""
    found = nearest(name, NAMES, limit)
    assert len(found) <= limit
    assert len(set(found)) == len(found)
    assert set(found) <= set(NAMES)
