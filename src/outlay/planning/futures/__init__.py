"""Plans made before the next rule is known: futures, the decisions they tell apart, and the solvers for many of them."""
