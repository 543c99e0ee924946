"""Results of recorded runs: finding runs in folders, and scoring them."""
