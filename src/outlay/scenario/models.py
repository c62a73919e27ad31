"""Models a scenario defines itself, as records like the catalogue's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay.catalog.records import Model
from outlay.evidence import Figure, Source

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.schema import OwnModel


def own_model(name: str, own: OwnModel, catalog: Catalog) -> Model:
    """Return the record of a model given by its dimensions, on top of the catalogue's model it is like.

    Every figure taken over keeps its own source; the totals of the other model do not carry over.
    """
    base = catalog.model(own.like) if own.like else None
    figures = dict(base.figures) if base else {}
    for field in [f for f in figures if f.startswith(("params_", "train_", "gpu_hours"))]:
        del figures[field]
    source = Source(own.evidence.by or own.evidence.reason, own.evidence.address)
    for field, value in own.fields.items():
        written = ("yes" if value else "no") if isinstance(value, bool) else value
        figures[field] = Figure(written, "", own.evidence.status, source, note=own.evidence.reason)
    return Model(
        name=name,
        figures=figures,
        family=base.family if base else "",
        vendor="",
        vendor_country="",
        type=base.type if base else "",
    )
