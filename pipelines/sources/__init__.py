"""Where audit events come from: one window in, raw lines with their provenance out."""
