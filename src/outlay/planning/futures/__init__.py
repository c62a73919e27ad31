"""Plans made before the next rule is known: futures, decisions, and the solvers for many of them."""
