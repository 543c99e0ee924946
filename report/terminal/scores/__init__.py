"""Views of scores in a terminal, one for each kind of score."""
