"""Answers one request: adapters, limits and retry behind one method."""
