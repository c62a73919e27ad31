"""An option to order, as instances made by hand are built of."""

from __future__ import annotations

from dataclasses import replace

from outlay.planning.instance import Option


def option(system: str, price: float, quarters: int, **changes: object) -> Option:
    """Eight chips drawing 10 kW, bought in USD from the US, in use at once and legal, unless changed."""
    base = Option(
        mode="buy",
        system=system,
        chip=system,
        vendor=f"{system} Inc",
        vendor_country="US",
        site=0,
        chips=8,
        watts=1e4,
        compute=8e15,
        price=price,
        currency="USD",
        lead=0,
        term=None,
        running=0.0,
        energy_share=0.0,
        legal=(True,) * quarters,
        codes=("NLR",) * quarters,
        rules=((),) * quarters,
    )
    return replace(base, **changes)  # type: ignore[arg-type]
