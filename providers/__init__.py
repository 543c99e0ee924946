"""Access to models: requests, errors, settings, pools and their adapters."""
