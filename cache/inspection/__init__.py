"""Looks at the store: check every answer, explain one, find the nearest one to a miss."""
