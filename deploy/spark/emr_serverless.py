"""Entry point of a job run on EMR Serverless; takes --cluster, --archive, --staging and --date, or --from and --to."""

import sys

from job import main

main(sys.argv[1:])
