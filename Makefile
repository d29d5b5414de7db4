# Two commands do it: `make demo` and `make test`. Each installs what is missing and says so; the second run
# starts at once. See CONTRIBUTING.md.

SHELL := /bin/bash
.DEFAULT_GOAL := help
ARGS ?=

# An ordinary user on Debian has nft and ip, but not their directory in PATH.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help demo test lint lock wheel image bench fuzz clean

help: ## say what there is
	@sed -nE 's/^([a-z]+): ## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

demo: ## bring up the sample city and show everything at work (ARGS=--once ends by itself)
	@make/setup demo
	@exec .venv/bin/masugata demo $(ARGS)

test: ## style, types, imports, all tests, then unit tests on the built wheel (ARGS=... goes to pytest)
	@make/setup test
	@exec make/test $(ARGS)

lint: ## style, types and the direction of imports only
	@make/setup python
	@exec make/lint

lock: ## write requirements/ anew with the newest allowed versions
	@make/setup python
	@exec make/lock $(ARGS)

wheel: ## build dist/masugata-*.whl and install it in .venv-wheel
	@make/setup python
	@exec make/wheel

image: ## build the container image (needs an engine: docker or podman)
	@exec make/image

bench: ## measure, and say with what
	@make/setup bench
	@exec make/bench $(ARGS)

fuzz: ## feed hostile bytes to the C that reads them, a minute a target (ARGS="300 parse")
	@make/setup test
	@exec make/fuzz $(ARGS)

clean: ## remove everything that make has made here
	rm -rf .venv .venv-wheel .stamps build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
