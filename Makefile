# `make` without a target lists the targets. Everything is installed into .venv, from pinned and hashed requirements.

PYTHON ?= python3
ENVIRONMENT ?= local
SCHEDULES ?= 2000
BIN := .venv/bin
# The pinned requirements are complete: resolving them again could only find a newer version, which has no hash here.
INSTALL := python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps --only-binary :all:
PIP := $(BIN)/$(INSTALL)

.DEFAULT_GOAL := help
# Tests start hundreds of processes, and each of them would compile the project.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help up down status proof example example-cluster check words test test-rest test-all test-changed coverage faults bench \
	bench-compare minio minio-server seaweedfs-server versitygw actionlint s3fs audit docs reference requirements dist test-sdist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: .venv/local ## start the store, create buckets, access keys and environments/local.env, run the access check
	@./mpr up $(ENVIRONMENT)

down: .venv/local ## stop the embedded store, and keep everything; ARGS=--delete deletes a disposable environment
	@./mpr down $(ENVIRONMENT) $(ARGS)

status: .venv/local ## show where the embedded store runs, and how full it is
	@./mpr store status

proof: .venv/local ## run the access check: what each identity may and may not do
	@./mpr check $(ENVIRONMENT)

example: ENVIRONMENT = example
example: .venv/example ## run a media pipeline with a page, on the embedded store (or ENVIRONMENT=minio); ARGS=--once ends when the page responds
	@$(BIN)/python -m examples.pipeline example $(ENVIRONMENT) $(ARGS)

example-cluster: ENVIRONMENT = example
example-cluster: .venv/cluster ## extract frames in two worker processes of Dask
	@$(BIN)/python -m examples.cluster demo $(ENVIRONMENT)

check: .venv/dev words ## ruff, mypy and make words
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

words: .venv/made ## find words that the style guide rules out, with what to say instead
	@$(BIN)/python -m tests.words

test: .venv/dev ## run the fast tests; the last line says what is left out
	@$(PYTEST) --tier fast $(COVERAGE) $(ARGS)

test-rest: .venv/dev ## run the tests that `make test` leaves out
	@$(PYTEST) --tier rest $(COVERAGE) $(ARGS)

test-all: .venv/dev ## run all tests, and check that the fast ones reach the minimum branch coverage
	@$(MAKE) --no-print-directory test COVERAGE="--cov --cov-report="
	@$(MAKE) --no-print-directory coverage test-rest faults SCHEDULES=40

coverage: .venv/dev ## check the minimum branch coverage, after `make test COVERAGE="--cov --cov-report="`
	@$(BIN)/coverage report --include='core/*' --fail-under=95
	@$(BIN)/coverage report --include='infra/*' --fail-under=90

test-changed: .venv/dev ## run the tests nearest to what differs from main, or from BASE=<commit>
	@$(BIN)/python -m tests.impact $(BASE:%=--base %) $(WORKERS) --tier fast $(ARGS)

docs: .venv/docs ## build the documentation site in .local/site; a broken link or reference is an error
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet docs .local/site
	@echo "the site is .local/site/index.html"

reference: .venv/local ## write the generated parts of docs/reference again
	@$(BIN)/python -m docs._generate

faults: .venv/dev ## run 2,000 random schedules of network faults (minutes), or SCHEDULES=<number>
	@FAULT_SCHEDULES=$(SCHEDULES) $(PYTEST) --timeout 3600 $(COVERAGE) tests/core/test_fault_schedules.py tests/core/test_response_fuzz.py

bench: .venv/dev .local/s3fs/made ## compare with other clients; writes docs/explanation/bench.json, .md and .svg; ARGS="--rounds 5"
	@$(BIN)/python -m bench.transfers --tls --json docs/explanation/bench.json $(ARGS)
	@$(BIN)/python -m bench.startup --json docs/explanation/bench.json
	@$(BIN)/python -m bench.scale --json docs/explanation/bench.json
	@$(BIN)/python -m bench.web --json docs/explanation/bench.json
	@$(BIN)/python -m bench.up --json docs/explanation/bench.json
	@$(BIN)/python -m bench.report

bench-compare: .venv/dev ## compare two files of figures: OLD=a.json NEW=b.json
	@$(BIN)/python -m bench.compare $(OLD) $(NEW)

minio: ## build the MinIO server into .local/bin (needs Go), for the tests that use it
	@GOBIN=$(CURDIR)/.local/bin go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

versitygw: ## build the Versity S3 Gateway into .local/bin (needs Go), for the tests that use it
	@GOBIN=$(CURDIR)/.local/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

minio-server: .local/admin.env ## run MinIO at http://localhost:9000, console at :9001, until Ctrl-C
	@test -x .local/bin/minio || $(MAKE) minio
	@. ./.local/admin.env; \
	MINIO_ROOT_USER=$$MPR_ADMIN_ACCESS_KEY_ID MINIO_ROOT_PASSWORD=$$MPR_ADMIN_SECRET_ACCESS_KEY \
	MINIO_API_CORS_ALLOW_ORIGIN=http://localhost:3000,http://localhost:5173 \
	.local/bin/minio server --address 127.0.0.1:9000 --console-address 127.0.0.1:9001 .local/minio

seaweedfs-server: .local/admin.env ## run SeaweedFS in Docker at http://localhost:8333
	@docker compose --env-file .local/admin.env --file deploy/compose.yaml up --detach --wait

actionlint: ## build actionlint into .local/bin (needs Go), for the tests that use it
	@GOBIN=$(CURDIR)/.local/bin go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

s3fs: .local/s3fs/made ## install s3fs and aioboto3 into .local/s3fs, for tests and benchmarks: they need another botocore

audit: .local/audit/made ## look up every pinned requirement in the advisories of PyPI
	@for file in requirements/*.txt; do \
		echo $$file; .local/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$file || exit 1; \
	done

requirements: ## resolve and pin the requirements again (needs uv)
	@uv pip compile pyproject.toml --group local $(PIN) -o requirements/local.txt
	@uv pip compile pyproject.toml --group init --constraint requirements/local.txt $(PIN) -o requirements/init.txt
	@for group in aws gcp r2 copy example cluster docs; do uv pip compile pyproject.toml --group local --group $$group $(PIN) -o requirements/$$group.txt; done
	@uv pip compile pyproject.toml --group local --group aws --group gcp --group r2 --group cluster --group docs --group dev $(PIN) -o requirements/dev.txt
	@printf 's3fs\naioboto3\nfastapi\nuvicorn\n' | uv pip compile - $(PIN) -o requirements/s3fs.txt
	@echo pip-audit | uv pip compile - $(PIN) -o requirements/audit.txt
	@printf 'build\ncyclonedx-bom\nhatchling\ntwine\n' | uv pip compile - $(PIN) -o requirements/release.txt

dist: .local/release/made ## build the sdist and the wheel into dist/, check them, and list their dependencies (CycloneDX)
	@rm -rf dist .local/release/library
	@.local/release/bin/python -m build --no-isolation .
	@.local/release/bin/twine check --strict dist/*
	@$(PYTHON) -m venv .local/release/library
	@.local/release/library/bin/python -m pip --disable-pip-version-check install --quiet dist/*.whl
	@.local/release/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type library --output-reproducible \
		-o .local/release/sbom.cdx.json .local/release/library/bin/python

test-sdist: .venv/dev ## the fast tests, from the sdist that `make dist` has built
	@rm -rf .local/release/sdist
	@mkdir -p .local/release/sdist
	@tar --extract --gzip --strip-components 1 --directory .local/release/sdist --file dist/*.tar.gz
	@cd .local/release/sdist && $(CURDIR)/$(PYTEST) --tier fast $(ARGS)

clean: ## remove files of tests and tools; environments stay
	@rm -rf .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

WORKERS := -n 3 --dist worksteal
PYTEST := $(BIN)/pytest $(WORKERS)
PIN := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mpr-storage needs Python 3.11 or newer; name one with PYTHON=..., such as make up PYTHON=python3.12")'
	@echo "creating .venv (once)"
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/local: .venv/made requirements/local.txt
	@echo "installing requirements (once)"
	@$(PIP) -r requirements/local.txt
	@touch $@

.venv/aws .venv/gcp .venv/r2 .venv/copy .venv/example .venv/cluster .venv/docs: .venv/%: .venv/local requirements/%.txt
	@echo "installing the requirements of $* (once)"
	@$(PIP) -r requirements/$*.txt
	@touch $@

.venv/dev: .venv/local requirements/dev.txt
	@echo "installing the development tools (once)"
	@$(PIP) -r requirements/dev.txt
	@touch $@

# The admin keys of the stores on this machine. Generated once: the access keys of a store belong to its administrator.
.local/admin.env: | .venv/made
	@mkdir -p -m 700 .local
	@umask 077; $(BIN)/python -c 'import secrets; print(f"MPR_ADMIN_ACCESS_KEY_ID=admin{secrets.token_hex(5)}\nMPR_ADMIN_SECRET_ACCESS_KEY={secrets.token_hex(20)}")' >$@

.local/s3fs/made .local/audit/made .local/release/made: .local/%/made: requirements/%.txt
	@$(PYTHON) -m venv --clear .local/$*
	@.local/$*/bin/$(INSTALL) -r requirements/$*.txt
	@touch $@
