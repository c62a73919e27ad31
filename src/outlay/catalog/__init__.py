"""Chips, systems, models, sites, prices, supply, costs and exchange rates, each figure with its source."""

from outlay.catalog.records import Chip, Cost, Model, Price, Record, SiteRecord, SupplyRecord, System
from outlay.catalog.store import Catalog, folded, schema

__all__ = [
    "Catalog",
    "Chip",
    "Cost",
    "Model",
    "Price",
    "Record",
    "SiteRecord",
    "SupplyRecord",
    "System",
    "folded",
    "schema",
]
