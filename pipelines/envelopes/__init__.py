"""What each source wraps around an event: found out by the first bytes, taken off, the events left one a line."""
