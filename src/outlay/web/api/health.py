"""Whether the server answers, and by which version."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from outlay import __version__

router = APIRouter(prefix="/api/health", tags=["health"])


class Health(BaseModel):
    """The server answers."""

    ok: bool
    version: str


@router.get("")
def health() -> Health:
    """Say that the server answers."""
    return Health(ok=True, version=__version__)
