# Every target sets up what it needs in .venv; PYTHON chooses the interpreter it is made with.
PYTHON ?= python3
SCENARIO ?= bytedance-2025
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help plan plans test lint types docs bench picture lock clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/made: 
	$(PYTHON) -m venv .venv
	touch $@

.venv/core: .venv/made pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

.venv/dev: .venv/core
	$(PIP) --editable '.[dev]'
	touch $@

.venv/docs: .venv/core
	$(PIP) --editable '.[docs]'
	touch $@

plan: .venv/core  ## Plan the bundled scenario; leaves the page and the workbook in out/
	@mkdir -p out
	$(BIN)/outlay plan $(SCENARIO) --html out/$(SCENARIO).html --xlsx out/$(SCENARIO).xlsx

.PHONY: web
web: .venv/core  ## Open the page on this machine
	$(BIN)/outlay web

test: .venv/dev  ## Run every test
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: .venv/dev  ## Check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/dev  ## Check the types of the package
	$(BIN)/mypy

docs: .venv/docs  ## Write the tables from the code and build the documentation into site/
	$(BIN)/python docs/tables.py
	$(BIN)/mkdocs build --strict

.venv/bench: .venv/dev
	$(PIP) --editable '.[bench,cluster]'
	touch $@

bench: .venv/bench  ## Measure speed and size as ratios
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/futures.py
	$(BIN)/python benchmarks/strategies.py
	$(BIN)/python benchmarks/web.py

picture: .venv/dev plan  ## Draw the picture of a plan the README shows
	$(BIN)/python docs/picture.py out/$(SCENARIO).html docs/images/plan.png

plans: .venv/core  ## Solve the bundled scenarios again: the plans the page opens with
	$(BIN)/python -m outlay.web.page.finished

lock:  ## Write the versions a fresh environment resolves to
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev,docs,cluster,bench,team]'
	build/lock/bin/python -m pip freeze --exclude outlay > constraints.txt

clean:  ## Remove what the targets made
	rm -rf .venv build dist site out
