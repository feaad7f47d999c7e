# The two commands: `make serve` runs Cogyard with its starter models, `make test` runs all tests.
.PHONY: help setup serve test test-fast fuzz check fmt lock

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## make the environment (.venv)
	@sh scripts/setup

serve: setup ## run the server with the starter models
	@exec .venv/bin/cogyard serve --install models

test: ## set up what the tests need and run them all
	@sh scripts/setup-tests
	@sh scripts/run-tests $(ARGS)

test-fast: setup ## the tests that build no model environments
	.venv/bin/pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

fuzz: setup ## 50,000 generated requests, for the night (CASES=…)
	.venv/bin/python scripts/fuzz_api.py --cases $(or $(CASES),50000)

check: setup ## format, lint, types, layers
	.venv/bin/ruff format --check src tests bench
	.venv/bin/ruff check src tests bench
	.venv/bin/mypy
	.venv/bin/lint-imports

fmt: setup ## format the code
	.venv/bin/ruff format src tests bench
	.venv/bin/ruff check --fix src tests bench

lock: setup ## renew uv.lock
	.tools/bin/uv lock --upgrade
