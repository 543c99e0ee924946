"""Checks on providers and measurements that are not built in."""
