"""A plan whose search is soon begun and long: for tests that watch it, stop it or kill it."""

from outlay.scenario.load import bundled_text

_before, _, _runs = bundled_text("bytedance-2025").partition("  - name: moe-200b\n")
_, _name, _last = _runs.partition("  - name: experiments-2026\n")
LONG = _before + _name + _last.replace("    evidence: *experiments\n", "")
"""The bundled story with one training run of its five, built in a quarter of the time: to a gap of 0 the solver seeks
for more than ten seconds, first the blocks of the run and then units."""
