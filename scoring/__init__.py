"""Statistics on the tables of recorded runs: scores, intervals, text metrics and trees."""
