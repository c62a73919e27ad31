"""Serving: what chips answer of a model, from the kernels of a step to the fleet that bears a rate of requests."""
