"""Where audit events come from; base.py says what a source must offer, opening.py chooses one."""
