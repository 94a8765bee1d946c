"""Every figure we quote, as a command."""
