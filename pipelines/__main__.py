"""`python -m pipelines` is `auditforest`."""

from pipelines.cli import main

if __name__ == "__main__":
    main()
