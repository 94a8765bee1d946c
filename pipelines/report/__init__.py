"""A ranking as HTML, CSV and JSON: pure functions of their arguments."""
