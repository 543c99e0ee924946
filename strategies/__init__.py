"""Pure opinions: which template next, how to rewrite it, what a response claims."""
