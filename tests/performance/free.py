"""An engine that takes no time of its own, so that operations alone are seen."""

from outlay.performance.serving.latency import Engine

FREE = Engine(
    launch_s=0.0,
    request_s=0.0,
    kernel_s=0.0,
    admit_s=0.0,
    token_s=0.0,
    decode=1.0,
    attention=1.0,
    network=1.0,
    prefill=1.0,
)
