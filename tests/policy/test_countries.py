"""Country groups by date, and by what was known of them."""

from datetime import date

import pytest

from outlay.errors import InputError
from outlay.policy import Item, Transaction, decide
from outlay.policy.countries import members, memberships, place

H100 = Item("H100 SXM", "Nvidia", "US", {8: 1979.0}, 814.0, 900.0, 3350.0, True)


def code(country, on, known_on=None):
    """Return the code of an H100 bought in a country by one of its own."""
    return decide(H100, Transaction(date.fromisoformat(on), country, country, country), known_on=known_on).code


@pytest.mark.parametrize(
    ("country", "on", "expected"),
    [
        ("NI", "2024-03-14", "NLR"),
        ("NI", "2024-03-15", "LICENCE_PD"),
        ("KH", "2024-06-01", "LICENCE_PD"),
        ("KH", "2025-11-06", "LICENCE_PD"),
        ("KH", "2025-11-07", "LICENCE"),
        ("AE", "2024-06-01", "LICENCE_PA"),
        ("AE", "2026-08-01", "LICENCE"),
        ("IL", "2024-06-01", "NLR"),
        ("MO", "2024-06-01", "LICENCE_PD"),
        ("VN", "2024-06-01", "LICENCE_PA"),
        ("SG", "2024-06-01", "NLR"),
    ],
)
def test_groups_change_with_the_day(country, on, expected):
    """Nicaragua came to D:5, Cambodia left it for D:1 alone; Israel is D:4 and A:6, which frees it."""
    assert code(country, on) == expected


def test_change_of_a_group_is_not_known_before_it_is_announced():
    """In January 2025 a plan for 2026 still holds Cambodia under embargo."""
    assert code("KH", "2026-01-15", date(2025, 1, 22)) == "LICENCE_PD"
    assert code("NI", "2024-06-01", date(2024, 1, 1)) == "NLR"


def test_members_of_a_group_on_a_day():
    """Sorted; an unknown group names those there are."""
    assert "KH" in members("D:5", date(2025, 1, 1))
    assert "KH" not in members("D:5", date(2026, 1, 1))
    with pytest.raises(InputError, match="unknown country group 'D:6'; nearest: D:5"):
        members("D:6", date(2025, 1, 1))


def test_every_membership_has_a_source():
    """With an address."""
    assert all("https://" in entry.source for entry in memberships())


@pytest.mark.parametrize(("text", "found"), [("any", "ZZ"), ("eu", "EU"), ("uae", "AE"), ("Hong Kong", "HK")])
def test_place_reads_countries_and_what_is_none(text, found):
    """Anywhere and the Union stand beside countries."""
    assert place(text) == found
