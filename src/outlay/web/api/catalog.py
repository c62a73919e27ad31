"""The catalogue over HTTP: records by kind, each figure with its source."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from outlay.catalog import Catalog
from outlay.errors import CatalogError
from outlay.web.api.common import PROBLEMS, NotFoundError

router = APIRouter(prefix="/api/catalog", tags=["catalog"], responses=PROBLEMS)
Kind = Literal["chips", "systems", "models", "sites"]


class Names(BaseModel):
    """What the catalogue holds, and the hash of its data."""

    hash: str
    chips: list[str]
    systems: list[str]
    models: list[str]
    sites: list[str]
    currencies: list[str]


class CatalogRecord(BaseModel):
    """A record: each figure with value, unit, status, source and the values that compete with it."""

    model_config = {"extra": "allow"}
    kind: str
    name: str
    figures: dict[str, Any]
    missing: list[str]


@router.get("")
def names() -> Names:
    """List the names of all records."""
    from outlay.runs.record import catalogue_hash

    catalog = Catalog.load()
    return Names(
        hash=catalogue_hash(),
        chips=sorted(catalog.chips),
        systems=sorted(catalog.systems),
        models=sorted(catalog.models),
        sites=sorted(catalog.sites),
        currencies=sorted(catalog.currencies),
    )


@router.get("/{kind}/{name:path}")
def record(kind: Kind, name: Annotated[str, Path(max_length=200)]) -> CatalogRecord:
    """Return a record by its name, or by another name of it."""
    catalog = Catalog.load()
    find = {"chips": catalog.chip, "systems": catalog.system, "models": catalog.model, "sites": catalog.site}
    try:
        found = find[kind](name)
    except CatalogError as error:
        raise NotFoundError(str(error)) from None
    plain = {key: value for key, value in vars(found).items() if key != "figures"}
    figures = {field: asdict(figure) for field, figure in found.figures.items()}
    return CatalogRecord(kind=found.kind, **plain, figures=figures, missing=list(catalog.missing(found)))
