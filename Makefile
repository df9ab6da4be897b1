# Everything a newcomer or a CI machine needs; each target sets up what it uses.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= results/model
FLAGS ?=

.PHONY: help demo train test check bench bench-gensim clean

help:
	@echo 'make demo                 set up, train on the built-in sample, evaluate, draw pictures (under a minute)'
	@echo 'make test                 set up, run the tests'
	@echo 'make train CORPUS=text8   train on text8 or a file; more flags in FLAGS="--epochs 3 --dim 200", OUT=results/mine'
	@echo 'make check                lint and type-check'
	@echo 'make bench                time each part'
	@echo 'make bench-gensim CORPUS=FILE   speed and accuracy beside gensim'
	@echo 'make clean                remove what the above made, except trained models and downloads'

demo: $(VENV)/ready
	$(BIN)/parw2v train --corpus sample --min_count 2 --epochs 40 --evaluate --plot --out results/demo/model

train: $(VENV)/ready
	@test -n "$(CORPUS)" || { echo 'say which text: make train CORPUS=sample, text8 or a file'; exit 2; }
	$(BIN)/parw2v train --corpus '$(CORPUS)' --out '$(OUT)' $(FLAGS)

test: $(VENV)/ready-test
	$(BIN)/python -m pytest

check: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/ready-test
	$(BIN)/python -m pytest benchmarks -p no:cacheprovider --benchmark-only --benchmark-columns=median,iqr,rounds \
		--benchmark-disable-gc -o addopts= -o python_files='bench_*.py'

bench-gensim: $(VENV)/ready $(VENV)-peers/ready
	@test -n "$(CORPUS)" || { echo 'say which text: make bench-gensim CORPUS=FILE'; exit 2; }
	$(BIN)/python benchmarks/compare.py --corpus '$(CORPUS)' --peer-python $(VENV)-peers/bin/python $(FLAGS)

clean:
	rm -rf $(VENV) $(VENV)-peers build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks results/demo
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------ environments

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'parw2v needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12'; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing parw2v into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/ready-test: $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)-peers/ready:
	@$(PYTHON) -m venv $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check gensim==4.4.0
	@touch $@
