"""The same forest as models.reference in compiled code: single precision, several rows and columns at a time."""
