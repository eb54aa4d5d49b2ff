.DEFAULT_GOAL := help
.PHONY: help setup demo test quick lint advisories docs wheel clean

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

quick: $(READY) ## Check the code, and test the crates that have uncommitted changes
	cargo check --locked --workspace --all-targets
	@crates=$$(git status --porcelain -- rust | sed -n 's|^.. rust/\([a-z]*\)/.*|-p lockgate-\1|p' | sort -u); \
	if [ -n "$$crates" ]; then echo cargo test --locked $$crates; cargo test --locked $$crates; fi
	$(VENV)/bin/ruff check
	$(PY) -m mypy

lint: setup ## Format, clippy, licences of dependencies, ruff and mypy; warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	scripts/install-lint-tools
	.tools/bin/cargo-deny --locked --all-features check --hide-inclusion-graph bans licenses sources
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(PY) -m mypy

advisories: ## Look dependencies up in the database of known weaknesses; needs the network
	scripts/install-lint-tools
	.tools/bin/cargo-deny --locked check advisories

docs: setup ## Write docs/reference from the code, and build the site into site/
	PYTHONPATH=scripts $(PY) -m reference
	$(VENV)/bin/mkdocs build --strict

wheel: $(READY) ## Build a wheel into target/wheels
	$(VENV)/bin/maturin build --release --locked

clean: ## Remove what was built
	cargo clean
	rm -rf $(VENV) site python/lockgate/_engine*.so
