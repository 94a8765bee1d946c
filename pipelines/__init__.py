"""The nightly job: the only package that sees AWS, the clock, the disk and the screen."""
