.DEFAULT_GOAL := help
.PHONY: pictures llamacpp bench-models bench-control bench-replay help tools setup demo friday test failures fuzz quick lint advisories bench client docs sbom wheel clean

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## Say what is missing to build
	@for tool in python3 cargo cc; do command -v $$tool >/dev/null || { \
		echo "error: $$tool is not installed; Lockgate is built with Python 3.11 or later, Rust (https://rustup.rs) and a C compiler" >&2; exit 1; }; done
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: python3 is %d.%d; Lockgate needs 3.11 or later" % sys.version_info[:2])'

$(READY): requirements/dev.txt | tools
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

setup: tools $(READY) ## Build the package into .venv; .venv/bin/lockgate then runs
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" MATURIN_PEP517_ARGS='--profile dev' pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

demo: setup ## Run a shop behind the gateway, with sample traffic; ARGS="--help" lists its options
	@$(PY) -m examples.shop $(ARGS)

test: setup ## Run every test
	cargo test --locked --workspace
	$(PY) -m pytest

friday: setup ## Change the shop's policies on a Friday afternoon: one good change, two bad ones, told as they happen
	@$(PY) -m examples.shop.friday $(ARGS)

failures: setup ## Treat a running gateway as outages of others did, and print what stopped each; ONLY="F8 F14" does these again
	@rm -rf target/failures
	@LOCKGATE_FAILURES=target/failures $(PY) -m pytest $(or $(foreach class,$(ONLY),$$(printf 'tests/failures/test_f%02d_*.py' $(class:F%=%))),tests/failures) \
		--quiet --junitxml=target/failures/results.xml; \
		ended=$$?; PYTHONPATH=tests $(PY) -m failures.report target/failures && exit $$ended

SECONDS ?= 60

fuzz: ## Give each parser random input for SECONDS=60; a finding prints its input
	BOLERO_RANDOM_TEST_TIME_MS=$$(( $(SECONDS) * 1000 )) BOLERO_RANDOM_ITERATIONS=18446744073709551615 \
		cargo test --locked --workspace --lib --no-fail-fast fuzz::

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

# The package as it is released, in target/bench.
define RELEASED
cargo build --locked --release -p lockgate-python
mkdir -p target/bench && rm -rf target/bench/lockgate && cp -r python/lockgate target/bench/
rm -f target/bench/lockgate/_engine*.so && cp $${CARGO_TARGET_DIR:-target}/release/lib_engine.so target/bench/lockgate/_engine.abi3.so
endef

bench: $(READY) ## Measure beside the peers that scripts/install-bench-peers installs
	$(RELEASED)
	PYTHONPATH=target/bench:.tools/bench:. $(PY) -m benchmarks.gateway $(BENCH)
	PYTHONPATH=target/bench:. $(PY) -m benchmarks.reload
	PYTHONPATH=target/bench:. $(PY) -m benchmarks.reload --changes 10000 --every 1 --routes 1
	PYTHONPATH=target/bench:. $(PY) -m benchmarks.rollout
	PYTHONPATH=target/bench:. $(PY) -m benchmarks.rollback

llamacpp: setup ## Try models against a real llama.cpp server, which scripts/install-llamacpp compiles
	scripts/install-llamacpp
	$(PY) -m pytest tests/llm/with_llamacpp.py

bench-models: $(READY) ## Measure calls of models beside the peers that scripts/install-model-peers installs
	$(RELEASED)
	PYTHONPATH=target/bench:. $(PY) -m benchmarks.models $(BENCH)

advisories: ## Look dependencies up in the database of known weaknesses; needs the network
	scripts/install-lint-tools
	.tools/bin/cargo-deny --locked check advisories

bench-replay: tools ## Measure a replay of a million requests on one core
	cargo build --locked --release -p lockgate-replay --example measure
	taskset -c 0 cargo run --locked --release --quiet -p lockgate-replay --example measure -- target/bench/replay

client: setup ## Write the operations and models of lockgate.client from the admin API
	PYTHONPATH=scripts $(PY) -m client

bench-control: setup ## Measure the console with ten million calls recorded; EVENTS=1000000 is done sooner
	$(PY) -m benchmarks.control --events $(or $(EVENTS),10000000)

docs: setup ## Write docs/reference from the code, and build the site into site/
	PYTHONPATH=scripts $(PY) -m reference
	$(VENV)/bin/mkdocs build --strict

pictures: setup ## Write the pictures of console and portal in docs/images; needs scripts/install-chromium
	PYTHONPATH=scripts:tests $(PY) -m pictures

sbom: $(READY) ## Write requirements/lockgate.cdx.json, the bill of materials, from the locks
	PYTHONPATH=scripts $(PY) -m sbom

wheel: sbom ## Build a wheel, with its bill of materials, into target/wheels
	$(VENV)/bin/maturin build --release --locked

clean: ## Remove what was built
	cargo clean
	rm -rf $(VENV) site python/lockgate/_engine*.so
