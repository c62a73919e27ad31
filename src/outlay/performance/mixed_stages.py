"""Unequal stages of a 1F1B pipeline: step, waits for transfers, micro-batches in flight, split of layers."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import NoFitError

Array = NDArray[np.float64]


def pipeline_seconds(stage_s: ArrayLike, wait_s: ArrayLike, micro_batches: ArrayLike) -> Array:
    """Return the seconds of 1F1B over unequal stages.

    The first micro-batch passes every stage, the others leave the slowest one by one; for equal stages these are the
    m + p - 1 periods of arXiv:2104.04473, section 2.2.1.

    Parameters
    ----------
    stage_s, wait_s
        Seconds of a micro-batch on each stage, forward and backward, and those it waits there for transfers; the
        last axis counts stages.

    Examples
    --------
    >>> float(pipeline_seconds([2.0, 3.0], [0.0, 0.0], 4))
    14.0
    """
    period = np.asarray(stage_s, dtype=float) + np.asarray(wait_s, dtype=float)
    return np.asarray(period.sum(-1) + (np.asarray(micro_batches) - 1) * period.max(-1))


def waits(transfer_s: ArrayLike) -> Array:
    """Return the seconds each stage waits a micro-batch, given those of one transfer between each stage and the next.

    A stage waits for what it receives, once over each of its links, and sends while it computes. The last stage has no
    other micro-batch to go on with: its gradient must leave and the next activation come before it continues. So does
    Sailor's simulator (SOSP 2025, runtime_simulator.py, estimate_p2p_pipeline_times), where the first of four or more
    stages waits twice too; nothing derives that, and it is not kept.

    Examples
    --------
    >>> waits([1.0, 3.0])
    array([1., 4., 6.])
    """
    link = np.asarray(transfer_s, dtype=float)
    found = np.zeros(link.size + 1)
    found[:-1] += link
    found[1:] += link
    found[-1] += link[-1] if link.size else 0.0
    return found


def in_flight_period(stage_s: ArrayLike, transfer_s: ArrayLike) -> float:
    """Return the least seconds from one micro-batch to the next that the micro-batches in flight allow.

    Stage i of p has p - i micro-batches between their forward and their backward pass (arXiv:2205.05198, section
    4.2.3), and each is back once it has passed all later stages and, both ways, all links between: by Little's law the
    period is that round trip over p - i. Without transfers it is never above the slowest stage.

    Examples
    --------
    >>> in_flight_period([1.0, 1.0], [3.0])
    4.0
    """
    stage, link = np.asarray(stage_s, dtype=float), np.append(np.asarray(transfer_s, dtype=float), 0.0)
    round_trip = np.cumsum((stage + 2 * link)[::-1])[::-1]
    return float((round_trip / np.arange(stage.size, 0, -1)).max())


def split_layers(layers: int, layer_s: ArrayLike, extra_s: ArrayLike, most: ArrayLike) -> Array:
    """Return the layers of each stage that make the slowest stage fastest.

    Parameters
    ----------
    layer_s, extra_s
        Seconds of a layer on each stage, and of what it has beside layers.
    most
        Layers that fit each stage.

    Raises
    ------
    NoFitError
        If the stages together, with one layer each at least, cannot hold the layers.

    Notes
    -----
    Exact: a layer at a time to the stage that is then fastest; an exchange of two layers cannot lower the maximum,
    because each stage's time only rises with its layers.

    Examples
    --------
    >>> split_layers(10, [1.0, 4.0], [0.0, 0.0], [10, 10])
    array([8., 2.])
    """
    each, extra, room = (np.asarray(value, dtype=float).tolist() for value in (layer_s, extra_s, most))
    if min(room) < 1 or sum(room) < layers or len(room) > layers:
        msg = f"{layers} layers do not fit {len(room)} stages that hold {', '.join(f'{max(n, 0):.0f}' for n in room)}"
        raise NoFitError(msg)
    count = [1] * len(room)
    queue = [(2 * each[i] + extra[i], i) for i in range(len(room)) if room[i] >= 2]
    heapq.heapify(queue)
    for _ in range(layers - len(room)):
        seconds, i = heapq.heappop(queue)
        count[i] += 1
        if count[i] < room[i]:
            heapq.heappush(queue, (seconds + each[i], i))
    return np.array(count, dtype=float)
