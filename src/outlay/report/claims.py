"""Claims of a story as people read them: their amounts, and a tone and a sign for each status."""

from __future__ import annotations

from outlay.evidence.reading.records import ClaimStatus, StoryClaim
from outlay.units import human

TONES: dict[ClaimStatus, tuple[str, str]] = {
    "denied": ("bad", "✕"),
    "reported": ("warn", "◐"),
    "analyst estimate": ("warn", "≈"),
    "under consideration": ("warn", "…"),
    "company statement": ("info", "●"),
    "market data": ("info", "▪"),
    "official": ("good", "✓"),
    "declined": ("plain", "–"),
    "no response": ("plain", "–"),
    "not verified": ("plain", "?"),
}
"""A colour and a sign that says the same without it."""


def amount_of(claim: StoryClaim, *, plain: bool = False) -> str:
    """Return what a claim says, such as ``about 40.0 bn CNY (5.50 bn USD)``; ``plain``: as one would type it."""
    if claim.quantity is None:
        return claim.words
    if isinstance(claim.quantity, str):
        return claim.quantity
    numbers = [claim.quantity] if claim.upper is None or plain else [claim.quantity, claim.upper]
    if claim.kind in {"share", "change"}:
        text = " to ".join(f"{100 * number:.4g}%" for number in numbers)
    elif plain and claim.kind == "money":
        text = f"{claim.quantity / 1e9:.10g} billion {claim.unit}"
    else:
        text = " to ".join(human(number) if not plain else f"{number:.10g}" for number in numbers)
        text = f"{text} {claim.unit}".strip()
    if plain:
        return text
    quoted = "".join(f" ({human(other.quantity)} {other.unit})" for other in claim.quoted)
    return f"{'' if claim.bound in {'exactly', 'range'} else claim.bound + ' '}{text}{quoted}"
