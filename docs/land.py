"""Writes the outlines of countries that the map is drawn from, out of Natural Earth's shapes at 1:110 million.

Natural Earth is in the public domain. The shapes (``ne_110m_admin_0_countries``) also come with GeoPandas before 1.0 as
``naturalearth_lowres``: ``python docs/land.py naturalearth_lowres.shp src/outlay/report/data/land.json``.
"""

from __future__ import annotations

import itertools
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pycountry

PLACES = 1
"""Decimals kept: a tenth of a degree is 11 km, less than a pixel of a map of the world."""
LEAST_DEGREES = 0.6
"""Islands smaller than this, both ways, are left out unless they are all of a country."""


def write(shapes: Path, out: Path) -> None:
    """Write the rings of each country, longitude and latitude by turns, by its ISO 3166 code."""
    land: dict[str, list[list[float]]] = {}
    for fields, rings in zip(_records(shapes.with_suffix(".dbf")), _rings(shapes), strict=True):
        known = pycountry.countries.get(alpha_3=fields["iso_a3"])
        large = [ring for ring in rings if _spread(ring) >= LEAST_DEGREES] or rings[:1]
        name = known.alpha_2 if known else fields["name"]
        land[name] = [[round(value, PLACES) for point in _thinned(ring) for value in point] for ring in large]
    source = "Natural Earth, 1:110m countries, public domain"
    out.write_text(json.dumps({"source": source, "land": land}, ensure_ascii=False, separators=(",", ":")) + "\n")


def _records(table: Path) -> Iterator[dict[str, str]]:
    """Read a dBASE table."""
    data = table.read_bytes()
    count, start, length = *struct.unpack("<I", data[4:8]), *struct.unpack("<HH", data[8:12])
    fields, at = [], 32
    while data[at] != 0x0D:
        fields.append((data[at : at + 11].split(b"\0")[0].decode(), data[at + 16]))
        at += 32
    for number in range(count):
        at, record = start + number * length + 1, {}
        for name, width in fields:
            record[name] = data[at : at + width].decode("latin1").strip()
            at += width
        yield record


def _rings(shapes: Path) -> Iterator[list[list[tuple[float, float]]]]:
    """Read the polygons of a shape file."""
    data, at = shapes.read_bytes(), 100
    while at < len(data):
        (words,) = struct.unpack(">i", data[at + 4 : at + 8])
        body = data[at + 8 : at + 8 + 2 * words]
        parts, points = struct.unpack("<2i", body[36:44])
        starts = [*struct.unpack(f"<{parts}i", body[44 : 44 + 4 * parts]), points]
        flat = struct.unpack(f"<{2 * points}d", body[44 + 4 * parts : 44 + 4 * parts + 16 * points])
        yield [
            [(flat[2 * i], flat[2 * i + 1]) for i in range(first, last)] for first, last in itertools.pairwise(starts)
        ]
        at += 8 + 2 * words


def _spread(ring: list[tuple[float, float]]) -> float:
    return max(max(axis) - min(axis) for axis in zip(*ring, strict=True))


def _thinned(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a ring without points that fall together once rounded."""
    kept: list[tuple[float, float]] = []
    for longitude, latitude in ring:
        point = (round(longitude, PLACES), round(latitude, PLACES))
        if not kept or point != kept[-1]:
            kept.append(point)
    return kept


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
