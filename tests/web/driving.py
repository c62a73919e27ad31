"""What a person does in every view: open it, take a scenario in hand."""

SOLVE_MS = 120_000
"""How long a solve may be waited for."""


def open_view(tab, server, path, ready="#exports"):
    """Open a view and wait until it stands."""
    tab.goto(f"{server}{path}")
    tab.wait_for_selector(ready)
    return tab


def take_scenario(tab, scenario):
    """Take a bundled scenario in hand."""
    with tab.expect_navigation():
        tab.select_option("#scenario-in-hand", scenario)
    tab.wait_for_selector("#exports")
