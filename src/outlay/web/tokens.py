"""Tokens: who may come in. Only hashes are kept; a token is 256 random bits, so one round of SHA-256 hides it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

import sqlalchemy as sa

from outlay.errors import InputError, unknown
from outlay.runs import Store
from outlay.runs.database import changing, reading
from outlay.runs.record import LOCAL, new_id
from outlay.runs.schema import tokens

SIGN = "outlay_"
"""What tokens begin with, so that a leaked one can be found."""
SESSION_S = 12 * 3600.0
DAYS = 90.0
USED_EVERY_S = 60.0


@dataclass(frozen=True)
class Token:
    """A token, without its secret."""

    id: str
    name: str
    owner: str
    created: float
    expires: float
    revoked: float | None
    used: float | None

    @property
    def live(self) -> bool:
        """Whether it lets anybody in."""
        return self.revoked is None and self.expires > time.time()


def new_token(store: Store, name: str, *, owner: str = "", days: float = DAYS) -> tuple[Token, str]:
    """Make a token and return it with its secret, which is shown once and kept nowhere.

    Parameters
    ----------
    owner
        Whose runs it shows; by default the name, so that each token has runs of its own.
    """
    if not name.strip():
        msg = "a token needs a name, such as that of the person it is for"
        raise InputError(msg)
    if days <= 0:
        msg = f"--days {days:g}: expected more than zero"
        raise InputError(msg)
    owner = owner or name
    if owner == LOCAL:
        msg = f"{LOCAL!r} is whoever works on this machine itself; give another name or owner"
        raise InputError(msg)
    return _made(store, "token", name, owner, days * 86_400, None)


def new_session(store: Store, token: Token) -> str:
    """Open a session of a browser with a token; it ends with the token, or after ``SESSION_S``."""
    seconds = min(SESSION_S, token.expires - time.time())
    return _made(store, "session", token.name, token.owner, seconds, token.id)[1]


def _made(store: Store, kind: str, name: str, owner: str, seconds: float, parent: str | None) -> tuple[Token, str]:
    secret, now = SIGN + secrets.token_urlsafe(32), time.time()
    made = Token(new_id(), name, owner, now, now + seconds, None, None)
    row = {
        "id": made.id,
        "kind": kind,
        "name": name,
        "owner": owner,
        "hash": _hash(secret),
        "parent": parent,
        "created": now,
        "expires": made.expires,
    }
    with changing(store.engine) as connection:
        connection.execute(tokens.delete().where(tokens.c.kind == "session", tokens.c.expires < now))
        connection.execute(tokens.insert(), row)
    return made, secret


def token_of(store: Store, secret: str, *, kinds: tuple[str, ...] = ("token", "session")) -> Token | str:
    """Return the token a secret is of, or why it lets nobody in: ``unknown``, ``expired`` or ``revoked``."""
    wanted = _hash(secret)
    parent = sa.alias(tokens)
    query = (
        sa.select(tokens, parent.c.revoked.label("parent_revoked"))
        .outerjoin(parent, parent.c.id == tokens.c.parent)
        .where(tokens.c.hash == wanted, tokens.c.kind.in_(kinds))
    )
    with reading(store.engine) as connection:
        row = connection.execute(query).mappings().first()
    if row is None or not hmac.compare_digest(row["hash"], wanted):
        return "unknown"
    if row["revoked"] is not None or row["parent_revoked"] is not None:
        return "revoked"
    now = time.time()
    if row["expires"] <= now:
        return "expired"
    if row["used"] is None or row["used"] < now - USED_EVERY_S:
        with changing(store.engine) as connection:
            connection.execute(tokens.update().where(tokens.c.id == row["id"]).values(used=now))
    return _token(row)


def all_tokens(store: Store) -> list[Token]:
    """Return every token, the newest first."""
    query = sa.select(tokens).where(tokens.c.kind == "token").order_by(tokens.c.created.desc())
    with reading(store.engine) as connection:
        return [_token(row) for row in connection.execute(query).mappings()]


def revoke(store: Store, name: str) -> Token:
    """Let nobody in with a token any more, by its id or name, nor with the sessions it opened."""
    known = [token for token in all_tokens(store) if token.revoked is None]
    found = [token for token in known if name in (token.id, token.name)]
    if not found:
        raise InputError(unknown("token", name, [label for t in known for label in (t.name, t.id)]))
    if len(found) > 1:
        msg = f"{len(found)} tokens are called {name!r}; give the id: {', '.join(token.id for token in found)}"
        raise InputError(msg)
    now = time.time()
    with changing(store.engine) as connection:
        connection.execute(tokens.update().where(tokens.c.id == found[0].id).values(revoked=now))
        connection.execute(tokens.delete().where(tokens.c.parent == found[0].id))
    return found[0]


def end_session(store: Store, secret: str) -> None:
    """End a session."""
    with changing(store.engine) as connection:
        connection.execute(tokens.delete().where(tokens.c.hash == _hash(secret), tokens.c.kind == "session"))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: sa.RowMapping) -> Token:
    return Token(**{name: row[name] for name in Token.__dataclass_fields__})
