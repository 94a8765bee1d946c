"""The back-test: known attacks acted out in copies of real nights, and where they would have ranked."""
