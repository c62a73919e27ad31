"""What one browser has in hand: its language and appearance, the scenario with its undo, and the plan of it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outlay.runs.record import LOCAL
from outlay.scenario.load import bundled_text

if TYPE_CHECKING:
    from outlay.planning.result import Plan

FIRST = "bytedance-2025"
"""The scenario that opens first."""
MOST_SESSIONS = 500
MOST_STEPS = 200
"""Steps that can be undone."""


@dataclass
class History:
    """Texts of a scenario, one after the other; the one in hand is ``texts[at]``."""

    texts: list[str]
    at: int = 0
    group: object = None
    """What the last step changed; changes of the same thing one after the other are one step."""

    @property
    def text(self) -> str:
        """The text in hand."""
        return self.texts[self.at]

    def put(self, text: str, group: object = None) -> bool:
        """Take a new text in hand; what was undone before is gone. Return whether it differs from the last.

        Parameters
        ----------
        group
            What the change is of; where it is that of the last step, the two are one step.
        """
        if text == self.text:
            return False
        keep = self.at if group is not None and group == self.group and self.at else self.at + 1
        self.texts = [*self.texts[:keep], text][-MOST_STEPS:]
        self.at, self.group = len(self.texts) - 1, group
        return True

    def undo(self) -> bool:
        """Go one text back; return whether there was one."""
        self.at, moved, self.group = max(0, self.at - 1), self.at > 0, None
        return moved

    def redo(self) -> bool:
        """Go one text forward; return whether there was one."""
        last = len(self.texts) - 1
        self.at, moved, self.group = min(last, self.at + 1), self.at < last, None
        return moved


@dataclass
class Session:
    """What one browser has in hand.

    Attributes
    ----------
    name
        How the scenario in hand is called: a bundled name, or what a file or a story was called.
    original
        The text the scenario began as; where it differs from the text in hand, the scenario is edited.
    plan, plan_text
        The finished plan last opened, and the text of the scenario it is of; ``None`` and ``""`` before the first.
    run
        Identifier of the run in the store that made the plan, or makes the next; ``""`` for a packaged plan.
    kept
        What a view keeps for itself between visits, by the view's name.
    running
        Runs handed in that have not ended as far as is known: kind and title, by identifier.
    """

    language: str = "en"
    theme: str = "auto"
    name: str = FIRST
    original: str = ""
    history: History = field(default_factory=lambda: History([""]))
    plan: Plan | None = None
    plan_text: str = ""
    run: str = ""
    owner: str = LOCAL
    kept: dict[str, Any] = field(default_factory=dict)
    running: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The YAML of the scenario in hand."""
        return self.history.text

    @property
    def edited(self) -> bool:
        """Whether the scenario differs from what was opened."""
        return self.text != self.original

    def open_text(self, name: str, text: str) -> None:
        """Take another scenario in hand; the step can be undone, the plan of the last one is put away."""
        self.name, self.original = name, text
        if self.history.text:
            self.history.put(text)
        else:
            self.history = History([text])
        self.plan, self.plan_text, self.run = None, "", ""

    def open_bundled(self, name: str) -> None:
        """Take a bundled scenario in hand."""
        self.open_text(name, bundled_text(name))


_SESSIONS: OrderedDict[str, Session] = OrderedDict()


def session_of(key: str, language: str = "en", owner: str = LOCAL) -> Session:
    """Return what a browser has in hand; a new one begins with the first bundled scenario."""
    if key not in _SESSIONS:
        _SESSIONS[key] = Session(language=language, owner=owner)
        _SESSIONS[key].open_bundled(FIRST)
        while len(_SESSIONS) > MOST_SESSIONS:
            _SESSIONS.popitem(last=False)
    _SESSIONS.move_to_end(key)
    return _SESSIONS[key]


def digest(text: str) -> str:
    """Return a short name for a text, the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def preferred_language(accept: str) -> str:
    """Return the language of the page that a browser's Accept-Language header asks for first.

    Examples
    --------
    >>> preferred_language("zh-CN,zh;q=0.9,en;q=0.8"), preferred_language("de"), preferred_language("en, zh;q=0.5")
    ('zh', 'en', 'en')
    """
    for part in accept.split(","):
        code = part.split(";")[0].strip().casefold()
        if code.startswith("zh"):
            return "zh"
        if code.startswith("en"):
            return "en"
    return "en"
