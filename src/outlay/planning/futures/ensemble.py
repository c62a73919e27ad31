"""What differs between futures, as arrays: how likely, what is delivered when, what is asked, what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError
from outlay.planning.futures.rights import NONE, Rights

if TYPE_CHECKING:
    from outlay.planning.instance import Instance

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
REFUND = 0.9
"""Part of the price that comes back for an order that may not be delivered, where the scenario gives none."""


@dataclass(frozen=True)
class Ensemble:
    """Futures as arrays over (future N, option K, quarter T, site S, service W).

    Attributes
    ----------
    probability
        Of shape (N,), summing to one.
    share
        Of shape (N, K, T): part of an order placed in a quarter that is delivered; the rest is refunded in part.
    price
        Of shape (N, K, T): price over the price known now. Orders are sums of money, so a dearer unit means fewer.
    delay
        Of shape (N, K, T): quarters by which an order arrives late.
    demand
        Of shape (N, W, T): average tokens/s.
    power
        Of shape (N, S, T): watts at the meter.
    node
        Of shape (N, T): what is known when the orders of a quarter are placed; futures with the same number have not
        been told apart yet, and must share their orders.
    happenings
        By future: its events in words, with their quarters.
    refund
        Part of the price that comes back for what is not delivered.
    """

    names: tuple[str, ...]
    probability: Floats
    share: Floats
    price: Floats
    delay: Integers
    demand: Floats
    power: Floats
    node: Integers
    happenings: tuple[tuple[str, ...], ...] = ()
    refund: float = REFUND
    rights: Rights = NONE
    """Answers that there are to what happens."""
    history: tuple[tuple[tuple[str, int], ...], ...] = field(default=())
    """By future: (event, quarter it takes effect in), for those that happen."""

    def __post_init__(self) -> None:
        total = float(self.probability.sum())
        if abs(total - 1.0) > 1e-9 or float(self.probability.min(initial=0.0)) < 0:
            msg = f"the probabilities of the futures must be zero or more and sum to 1; they sum to {total:.6g}"
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.probability)

    @property
    def quarters(self) -> int:
        """Quarters of the horizon."""
        return int(self.node.shape[1])

    @property
    def delivered(self) -> Floats:
        """Units delivered per unit ordered at the price known now, of shape (N, K, T)."""
        return np.asarray(self.share / self.price)

    def take(self, futures: Sequence[int] | Integers, probability: Floats | None = None) -> Ensemble:
        """Return some futures as an ensemble of their own; their probabilities are scaled to one unless given."""
        at = np.asarray(futures, dtype=np.int64)
        weight = self.probability[at] / self.probability[at].sum() if probability is None else probability
        return Ensemble(
            names=tuple(self.names[n] for n in at),
            probability=np.asarray(weight, float),
            share=self.share[at],
            price=self.price[at],
            delay=self.delay[at],
            demand=self.demand[at],
            power=self.power[at],
            node=self.node[at],
            happenings=tuple(self.happenings[n] for n in at) if self.happenings else (),
            refund=self.refund,
            rights=self.rights,
            history=tuple(self.history[n] for n in at) if self.history else (),
        )

    def blind(self) -> Ensemble:
        """Return the same futures with nothing learnt: every order is placed now, whatever comes."""
        return replace(self, node=np.zeros_like(self.node))

    def clairvoyant(self) -> Ensemble:
        """Return the same futures with everything known from the first quarter on."""
        known = np.repeat(np.arange(len(self))[:, None], self.quarters, axis=1)
        return replace(self, node=known)

    def mean(self) -> Ensemble:
        """Return the one future in which everything takes its expected value."""
        p = self.probability
        return Ensemble(
            names=("mean",),
            probability=np.ones(1),
            share=_mean(p, self.share),
            price=1.0 / np.maximum(_mean(p, 1.0 / self.price), 1e-12),
            delay=np.rint(_mean(p, self.delay.astype(float))).astype(np.int64),
            demand=_mean(p, self.demand),
            power=_mean(p, self.power),
            node=np.zeros((1, self.quarters), dtype=np.int64),
            happenings=((),),
            refund=self.refund,
            rights=self.rights,
            history=((),),
        )


def certain(instance: Instance) -> Ensemble:
    """Return the one future in which everything goes as it is known today."""
    quarters = len(instance.quarters)
    legal = np.array([option.legal for option in instance.options], dtype=float)
    options = len(instance.options)
    return Ensemble(
        names=("as known",),
        probability=np.ones(1),
        share=legal.reshape(1, options, quarters),
        price=np.ones((1, options, quarters)),
        delay=np.zeros((1, options, quarters), dtype=np.int64),
        demand=np.array([[service.demand for service in instance.services]], dtype=float).reshape(1, -1, quarters),
        power=np.array([[site.power for site in instance.sites]], dtype=float).reshape(1, -1, quarters),
        node=np.zeros((1, quarters), dtype=np.int64),
        happenings=((),),
        history=((),),
    )


def number(keys: Sequence[object]) -> Integers:
    """Return keys as small whole numbers, equal for equal keys, in order of first appearance."""
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def _mean(probability: Floats, values: Floats) -> Floats:
    return np.tensordot(probability, values, axes=1)[None]
