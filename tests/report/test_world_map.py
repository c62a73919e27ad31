"""The map: a projection that keeps areas, outlines in the package, sites where they are, names that do not meet."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.report.world_map import land, middle, project, site_map


def test_projection_is_that_of_its_paper():
    """Width and height of the whole map, as its authors give them (x to 2.7066, y to 1.3173 of the radius)."""
    assert project(180.0, 0.0)[0] == pytest.approx(2.70663, abs=1e-5)
    assert project(0.0, 90.0)[1] == pytest.approx(1.31736, abs=1e-5)


@given(st.floats(-170, 170), st.floats(-80, 80))
def test_equal_areas_stay_equal(longitude, latitude):
    """A small box keeps its area on the sphere, wherever it stands."""
    step = 0.01

    def shift(east, north):
        return project(longitude + east, latitude + north)

    (x0, y0), (x1, y1), (x2, y2) = shift(0, 0), shift(step, 0), shift(0, step)
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    sphere = math.radians(step) * (math.sin(math.radians(latitude + step)) - math.sin(math.radians(latitude)))
    assert area == pytest.approx(sphere, rel=1e-3)


def test_land_has_the_countries_of_the_catalogue_and_their_middles_lie_in_them():
    """Every large country is there; the middle of one is within its own bounds."""
    for country in ("US", "CN", "NO", "JP", "MY", "AE", "DE", "SG", "IN", "BR"):
        place = middle(country)
        if country == "SG":
            assert place is None  # too small for an outline at this scale
            continue
        ring = land()[country][0]
        assert min(x for x, _ in ring) < place[0] < max(x for x, _ in ring)
        assert min(y for _, y in ring) < place[1] < max(y for _, y in ring)


def test_sites_stand_where_they_are_and_one_without_a_place_is_marked(plan):
    """Coordinates are used; where there are none the middle of the country is, with a diamond and words."""
    here = replace(plan.sites[0], country="JP", latitude=35.69, longitude=139.69)
    somewhere = replace(plan.sites[0], name="Somewhere", country="US", latitude=None, longitude=None)
    chart = site_map(replace(plan, sites=[here, somewhere]))
    discs = chart.data[2]
    assert (discs["x"][0], discs["y"][0]) == project(139.69, 35.69)
    assert (discs["x"][1], discs["y"][1]) == middle("US")
    assert discs["marker"]["symbol"] == ["circle", "diamond"]
    assert "somewhere in the country" in chart.alt
    assert chart.rows[1][2:4] == ["–", "–"]


def test_no_site_no_map(plan):
    """A plan whose sites are nowhere has no map."""
    nowhere = replace(plan.sites[0], country="SG", latitude=None, longitude=None)
    assert site_map(replace(plan, sites=[nowhere])) is None


def test_names_of_neighbours_stand_apart(plan):
    """Two sites side by side do not have their names on the same side."""
    one = replace(plan.sites[0], name="Datong", country="CN", latitude=40.09, longitude=113.29)
    two = replace(plan.sites[0], name="Ulanqab", country="CN", latitude=40.99, longitude=113.13)
    positions = site_map(replace(plan, sites=[one, two])).data[2]["textposition"]
    assert len(set(positions)) == 2
