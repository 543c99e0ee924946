"""Rate limits, concurrency, retry, failover and budgets of a pool."""
