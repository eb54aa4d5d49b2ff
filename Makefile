.DEFAULT_GOAL := help
.PHONY: help test quick lint clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## Run every test
	cargo test --locked --workspace

quick: ## Check the code without running the property tests
	cargo check --locked --workspace --all-targets

lint: ## Format and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

clean: ## Remove what was built
	cargo clean
