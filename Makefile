# Every target works on a fresh machine with Python 3.11 (venv), make and git; `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
S3_SERVERS ?= moto swift rgw
SPARK := build/real-spark/packages

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-browser test-s3 test-spark sweep lint kernel docs sql lock golden clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(READY) ## make .venv from the hashed lock, when it is missing or older than the lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "auditforest needs Python 3.11 or later, found " + sys.version.split()[0] + "; name one: make PYTHON=python3.11")'
	@echo "making .venv, which is silent for a few minutes"
	$(PYTHON) -m venv .venv
	@# rrcf comes as a source archive: its build needs the pinned setuptools first, and no other
	sed -n '/^setuptools==/,/[^\\]$$/p' requirements.lock > .venv/setuptools.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/setuptools.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-build-isolation --use-pep517 -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# by all cores, where pip takes one; a package may hold a template that is no Python
	@$(BIN)/python -m compileall -q -j 0 .venv/lib > /dev/null || true
	@touch $(READY)

demo: $(READY) ## rank the sample's last night; no AWS, no configuration
	@$(BIN)/auditforest nightly --cluster prod-usw2 --source data/sample --archive build/demo --from 2026-09-08 --to 2026-09-15

test: $(READY) ## lint, then every test
	@# one core lints; on the other is compiled what each process of the tests would else compile for itself. By the
	@# name MAKE, `make -n` would run the line
	@$(BIN)/python -m models.warm > /dev/null & forest=$$!; \
		$(BIN)/python -m pipelines.compiled.warm > /dev/null & lines=$$!; \
		$(MAKE_COMMAND) --no-print-directory lint; failed=$$?; \
		for each in $$forest $$lines; do wait $$each || failed=$$?; done; exit $$failed
	@# a stretch of files to each, and who is done takes from another's: few files are made ready for twice
	$(BIN)/python -m pytest -q -n auto --dist worksteal

test-browser: $(READY) ## the report in a real Chromium, half a minute; installed by apt where there is none, as root
	@PYTHONPATH=tests $(BIN)/python -m browser.install
	TEST_BROWSER=1 $(BIN)/python -m pytest -q tests/browser

test-s3: $(READY) ## the archive on real S3 servers, installed below build/; S3_SERVERS="moto swift" leaves Ceph out
	@PYTHONPATH=tests $(BIN)/python -m real_s3.install $(S3_SERVERS)
	S3_SERVERS="$(S3_SERVERS)" $(BIN)/python -m pytest -q tests/real_s3

test-spark: $(READY) ## nights counted on a real Spark against DuckDB, about 3 minutes; Spark below build/, Java must be there
	@PYTHONPATH=tests $(BIN)/python -m real_spark.install
	TEST_SPARK=1 PYTHONPATH=$(SPARK) $(BIN)/python -m pytest -q tests/real_spark

sweep: $(READY) ## every fault, at every call of two nights, well over an hour; table in build/sweep.txt (SWEEP=kinds is shorter)
	SWEEP=$(or $(SWEEP),all) $(BIN)/python -m pytest -q tests/sweep/test_sweep_whole.py -n 2

lint: $(READY) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/mypy --strict tests/typing_uses.py
	$(BIN)/lint-imports --no-cache --no-logo

kernel: $(READY) ## let Jupyter and VS Code offer this environment as the kernel "auditforest"
	$(BIN)/python -m ipykernel install --user --name auditforest --display-name auditforest

docs: $(READY) ## build these pages as a site, build/docs/index.html; nothing is fetched
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo build/docs/index.html

sql: $(READY) ## write the feature SQL for Spark and Athena anew, after a change to it
	$(BIN)/python -m features.sql.generate

lock: $(READY) ## refresh the locks: universal, hashed, without a URL
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --extra dev --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links tests/real_s3/swift.in -o tests/real_s3/swift.lock
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links tests/real_spark/spark.in -o tests/real_spark/spark.lock

golden: $(READY) ## rewrite the golden files after a meant change
	$(BIN)/python -m pytest -q --golden tests/e2e/test_golden.py tests/e2e/test_docs_archive.py tests/features/test_listing.py
	$(BIN)/python docs/pages.py

clean: ## remove what was built; your archives elsewhere stay
	rm -rf build .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
