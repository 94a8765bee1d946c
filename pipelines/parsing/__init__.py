"""Bytes to rows or quarantine: what a line holds, which columns are read from an event, what is left out of it."""
