"""What a browser has in hand: undo, redo, and the language it asks for."""

from hypothesis import given
from hypothesis import strategies as st

from outlay.scenario.load import bundled_text
from outlay.web.page.state import FIRST, MOST_STEPS, History, preferred_language, session_of


@given(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=20))
def test_undo_goes_back_through_every_text_and_redo_forward(written):
    """Undo retraces each change to the first text; redo gives the last again."""
    history = History([""])
    seen = ["", *(text for text in written if history.put(text))]
    back = [history.text]
    while history.undo():
        back.append(history.text)
    assert back == seen[::-1]
    while history.redo():
        pass
    assert history.text == seen[-1]


def test_a_new_text_forgets_what_was_undone():
    """After undo and a change there is nothing to redo."""
    history = History(["a"])
    history.put("b")
    history.undo()
    history.put("c")
    assert not history.redo()
    assert history.texts == ["a", "c"]


def test_history_is_bounded():
    """The oldest steps go first."""
    history = History(["0"])
    for step in range(MOST_STEPS + 10):
        history.put(f"{step + 1}")
    assert len(history.texts) == MOST_STEPS
    assert history.text == f"{MOST_STEPS + 10}"


def test_session_opens_a_bundled_scenario_and_knows_when_it_is_edited():
    """The first thing in hand is a bundled scenario; a change marks it."""
    session = session_of("browser-1")
    assert (session.name, session.text, session.edited) == (FIRST, bundled_text(FIRST), False)
    session.history.put(session.text + "\n")
    assert session_of("browser-1").edited
    assert not session_of("browser-2").edited


def test_language_follows_the_browser():
    """The first of the page's languages that a browser asks for."""
    asked = ["zh-CN,zh;q=0.9", "en-GB", "fr,zh-TW", "", "de"]
    assert [preferred_language(accept) for accept in asked] == ["zh", "en", "zh", "en", "en"]
