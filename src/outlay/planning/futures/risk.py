"""What a plan is judged by over many futures: expected value, the mean of the worst, the very worst, regret."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.errors import InputError
from outlay.planning.futures.ensemble import Floats


@dataclass(frozen=True)
class Risk:
    """Weight of the conditional value at risk in the objective, and its level.

    Examples
    --------
    >>> Risk(0.3, 0.9).measure(np.array([10.0, 20.0]), np.array([0.5, 0.5]))
    13.5
    """

    weight: float = 0.0
    level: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            msg = f"risk level {self.level:g}: expected more than 0 and less than 1, such as 0.9 for the worst tenth"
            raise InputError(msg)
        if not 0 <= self.weight <= 1:
            msg = f"risk weight {self.weight:g}: expected 0 (expected value alone) to 1 (the worst futures alone)"
            raise InputError(msg)

    def measure(self, value: Floats, probability: Floats) -> float:
        """Return ``(1 - weight) E[value] + weight CVaR[value]``."""
        expected = float(probability @ value)
        if not self.weight:
            return expected
        return (1 - self.weight) * expected + self.weight * cvar(value, probability, self.level)

    def slopes(self, value: Floats, probability: Floats) -> Floats:
        """Return a supergradient of the measure in the value of each future, of shape (N,)."""
        return (1 - self.weight) * probability + self.weight * tail_weights(value, probability, self.level)


def tail_weights(value: Floats, probability: Floats, level: float) -> Floats:
    """Return the weights, summing to one, with which the worst ``1 - level`` of probability enters the CVaR."""
    room = 1.0 - level
    weights = np.zeros(len(value))
    for n in np.argsort(value, kind="stable"):
        weights[n] = min(probability[n], room)
        room -= weights[n]
        if room <= 0:
            break
    return weights / (1.0 - level)


def cvar(value: Floats, probability: Floats, level: float) -> float:
    """Return the mean of the worst ``1 - level`` of futures: acceptable to Artzner et al. (1999), for gains.

    Examples
    --------
    >>> cvar(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.25), 0.5)
    1.5
    """
    return float(tail_weights(value, probability, level) @ value)
