# Everything a newcomer or a CI machine needs; each target sets up what it uses.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= results/model
FLAGS ?=

# What the benchmarks take: CORPUS, and MODELS WORKERS NODES EPOCHS ROUNDS ANALOGIES SIMILARITY RESULTS QUICK, all of them optional.
MEASURE = $(if $(CORPUS),--corpus '$(CORPUS)') $(if $(MODELS),--models $(MODELS)) $(if $(WORKERS),--workers $(WORKERS)) \
	$(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ANALOGIES),--analogies '$(ANALOGIES)') \
	$(if $(SIMILARITY),--similarity $(SIMILARITY)) $(WHERE)
WHERE = $(if $(RESULTS),--results '$(RESULTS)') $(if $(QUICK),--quick) $(FLAGS)

.PHONY: help demo train test test-ray test-faults endurance check fuzz notebook bench bench-compare bench-scaling bench-peers bench-quality bench-ray roofline clean

help:
	@echo 'make demo                 set up, train on the built-in sample, evaluate, draw pictures (under a minute)'
	@echo 'make test                 set up, run the tests'
	@echo 'make test-ray             set up Ray in an environment of its own, run the tests of training on a cluster'
	@echo 'make test-faults          the whole matrix of faults: kills, full disks, signals ... (docs/faults.md; 20 minutes)'
	@echo 'make endurance MINUTES=30 one long run whose workers are killed: does anything grow?'
	@echo 'make train CORPUS=text8   train on text8 or a file; more flags in FLAGS="--epochs 3 --dim 200", OUT=results/mine'
	@echo 'make check                lint and type-check'
	@echo 'make fuzz                 a minute of fuzzing all readers of files; SECONDS=600 for each kind, KIND="model settings"'
	@echo 'make notebook             build and run docs/tour.ipynb from docs/tour.py'
	@echo 'make bench                time each part; make bench-compare sets that beside earlier commits'
	@echo 'make bench-scaling CORPUS=FILE   speed and accuracy by workers'
	@echo 'make bench-peers CORPUS=FILE     speed, whole time, memory and accuracy beside gensim and fastText'
	@echo 'make bench-quality CORPUS=FILE   accuracy by settings'
	@echo 'make bench-ray CORPUS=FILE       what more nodes of a Ray cluster bring, all of them on this machine'
	@echo 'make roofline CORPUS=FILE        what share of the peak training reaches, and where the rest goes'
	@echo '                          benchmarks with QUICK=1 take under two minutes; benchmarks/README.md has their settings'
	@echo 'make clean                remove what the above made, except trained models and downloads'

demo: $(VENV)/ready
	$(BIN)/parw2v train --corpus sample --min_count 2 --epochs 40 --evaluate --plot --out results/demo/model

train: $(VENV)/ready
	@test -n "$(CORPUS)" || { echo 'say which text: make train CORPUS=sample, text8 or a file'; exit 2; }
	$(BIN)/parw2v train --corpus '$(CORPUS)' --out '$(OUT)' $(FLAGS)

test: $(VENV)/ready-test
	$(BIN)/python -m pytest

test-ray: $(VENV)-ray/ready
	$(VENV)-ray/bin/python -m pytest tests/test_cluster.py tests/test_benchmarks.py::test_nodes_runs

test-faults: $(VENV)/ready-test
	$(BIN)/python -m pytest -m faults --faults --faults_results='$(or $(RESULTS),benchmarks/results)'

endurance: $(VENV)/ready
	$(BIN)/python benchmarks/endurance.py --min_count 2 $(if $(MINUTES),--minutes $(MINUTES)) $(if $(CORPUS),--corpus '$(CORPUS)') $(WHERE)

check: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(VENV)/ready-fuzz
	$(BIN)/python tests/fuzz.py $(KIND) $(if $(SECONDS),--seconds $(SECONDS))

notebook: $(VENV)/ready-docs
	$(BIN)/python docs/notebook.py

bench: $(VENV)/ready-test
	$(BIN)/python benchmarks/bench_parts.py $(WHERE)

bench-compare: $(VENV)/ready-test
	$(BIN)/pytest-benchmark compare --columns=median,iqr --group-by=name --sort=name $(RUNS)

bench-scaling: $(VENV)/ready
	$(BIN)/python benchmarks/scaling.py $(MEASURE)

bench-peers: $(VENV)/ready $(VENV)-peers/ready
	$(BIN)/python benchmarks/peers.py --peer_python $(VENV)-peers/bin/python $(MEASURE)

bench-quality: $(VENV)/ready $(if $(GENSIM),$(VENV)-peers/ready)
	$(BIN)/python benchmarks/quality.py $(if $(GENSIM),--peer_python $(VENV)-peers/bin/python) \
		$(if $(GRID),--grid $(GRID)) $(MEASURE)

bench-ray: $(VENV)-ray/ready
	$(VENV)-ray/bin/python benchmarks/nodes.py $(if $(NODES),--nodes $(NODES)) $(MEASURE)

roofline: $(VENV)/ready
	$(BIN)/python benchmarks/roofline.py $(MEASURE)

clean:
	rm -rf $(VENV) $(VENV)-peers $(VENV)-ray build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks results/demo results/quick \
		results/bench-*
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

# atheris has packages for some Pythons only; without one the program says so.
$(VENV)/ready-fuzz: $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary atheris --editable '.[fuzz]' || true
	@touch $@

$(VENV)/ready-docs: $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

$(VENV)-peers/ready:
	@$(PYTHON) -m venv $(VENV)-peers
	@echo 'installing gensim and building fastText from its source distribution into $(VENV)-peers (a minute or two)'
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check gensim==4.4.0
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-binary fasttext fasttext==0.9.3 || \
		echo 'fastText could not be built (it needs a C++17 compiler): benchmarks leave it out; to try again: make clean'
	@touch $@

$(VENV)-ray/ready: pyproject.toml
	@test -x $(VENV)-ray/bin/python || $(PYTHON) -m venv $(VENV)-ray
	@echo 'installing Ray (240 MB) into $(VENV)-ray'
	@$(VENV)-ray/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test,ray]'
	@touch $@
