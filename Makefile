.DEFAULT_GOAL := help
.PHONY: help setup demo test fuzz quick lint wheel clean

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements/dev.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

setup: $(READY) ## Build the package into .venv; .venv/bin/lockgate then runs
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" MATURIN_PEP517_ARGS='--profile dev' pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

demo: setup ## Run the first policy in front of a service, with sample traffic
	$(PY) examples/first-policy/demo.py

test: setup ## Run every test
	cargo test --locked --workspace
	$(PY) -m pytest

SECONDS ?= 60

fuzz: ## Give each parser random input for SECONDS=60; a finding prints its input
	BOLERO_RANDOM_TEST_TIME_MS=$$(( $(SECONDS) * 1000 )) BOLERO_RANDOM_ITERATIONS=18446744073709551615 \
		cargo test --locked --workspace --lib --no-fail-fast fuzz::

quick: $(READY) ## Check the code without running the tests
	cargo check --locked --workspace --all-targets
	$(VENV)/bin/ruff check
	$(PY) -m mypy

lint: setup ## Format, clippy, ruff and mypy; warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(PY) -m mypy

wheel: $(READY) ## Build a wheel into target/wheels
	$(VENV)/bin/maturin build --release --locked

clean: ## Remove what was built
	cargo clean
	rm -rf $(VENV) python/lockgate/_engine*.so
