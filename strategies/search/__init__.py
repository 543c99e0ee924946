"""Search policies: the template tree and the selectors that choose from it."""
