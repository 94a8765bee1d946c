"""Script of a Glue 5 job; its job parameters are --cluster, --archive, --staging and --date, or --from and --to.

Glue adds parameters of its own, such as --JOB_NAME, which are passed over."""

import sys

from job import main

main(sys.argv[1:])
