"""Simulated endpoint: the simulated models behind an HTTP server with faults and quotas."""
