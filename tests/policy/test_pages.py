"""Pages of the documentation come from the records."""

from outlay.policy import FLAGS, all_rules
from outlay.policy.pages import index, page, pages


def test_there_is_a_page_for_every_rule_and_the_index_leads_there():
    """Nothing is typed in: each record has its page, linked from the index."""
    made = pages()
    assert len(made) == len(all_rules()) + 1
    for entry in all_rules():
        assert f"]({entry.id}.md)" in made["rules/index.md"]
        text = made[f"rules/{entry.id}.md"]
        assert entry.title in text
        assert all(cited.address in text for cited in entry.citations)
        assert "Not legal advice" in text


def test_index_lists_switches_and_how_far_the_sources_reach():
    """A reader learns what was not verified."""
    text = index()
    assert all(f"`{flag}`" in text for flag in FLAGS)
    assert "2026-09-18" in text


def test_page_shows_numbers_with_their_side():
    """Inclusive and strict lines are told apart."""
    by_id = {entry.id: page(entry) for entry in all_rules()}
    assert "at 4800 or more" in by_id["US-03"]
    assert "above 2 |" in by_id["US-05"]
    assert "2025-09-17" in by_id["US-14"]
