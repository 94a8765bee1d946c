"""Detectors: numpy in, numpy out. Imports nothing of ours."""
