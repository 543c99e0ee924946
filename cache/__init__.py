"""Content-addressed store of model responses, and the providers that read from it."""
