# Two commands set everything up: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
CORE := qgen_core/pyproject.toml plugins/qgen_hep/pyproject.toml constraints.txt
PLUGINS := $(sort $(dir $(wildcard plugins/*/pyproject.toml)))
RUN := runs/jets

.PHONY: demo test test-long test-mlflow reliability docs gallery bench equal dist clean

demo: $(VENV)/.installed-core
	rm -rf $(RUN)
	$(BIN)/qgen train recipes/jets.toml --run $(RUN)
	$(BIN)/qgen generate $(RUN) -n 100000 -o $(RUN)/generated.h5
	$(BIN)/qgen evaluate $(RUN)

test: $(VENV)/.installed-all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -m "not long" -n auto

test-long: $(VENV)/.installed-all
	$(BIN)/python -m pytest -q -m long

# MLflow wants older versions of some packages than the other plugins, so it has an environment of its own.
test-mlflow:
	test -x .mlflow/bin/python || $(PYTHON) -m venv .mlflow
	.mlflow/bin/python -m pip install --quiet --disable-pip-version-check -c plugins/qgen_track/tests/constraints.txt -e ./qgen_core -e "./plugins/qgen_track[mlflow,tensorboard]" pytest pytest-timeout
	.mlflow/bin/python -m pytest -q plugins/qgen_track

# The full campaigns of faults; their counts go into docs/reliability.md.
reliability: $(VENV)/.installed-all
	$(BIN)/python tests/reliability/campaigns.py --write

docs: $(VENV)/.installed-all
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

# Runs all pages of the gallery and stores what they show; CACHE=FOLDER runs those that have changed.
gallery: $(VENV)/.installed-all
	$(BIN)/python docs/make_gallery.py $(if $(CACHE),--cache $(CACHE))

# Peers are installed into .bench; QUICK=1 stays under five minutes and takes those of one environment.
# CASE="training/brick/8 hybrid/6" measures chosen cases; with AGAINST=PATH they compare this checkout
# with another one in alternation, without peers.
bench:
ifdef AGAINST
	$(BIN)/python -m benchmarks.compare $(AGAINST) --case $(CASE)
else
	$(PYTHON) -m benchmarks.environments $(if $(QUICK),--quick)
	.bench/peers/bin/python -m benchmarks.run $(if $(QUICK),--quick) $(if $(CASE),--case $(CASE))
endif

# Results of this checkout and of another one, recipe by recipe: equal bit for bit, or what differs.
equal:
	$(BIN)/python -m benchmarks.equal $(AGAINST)

# Wheels and sdists of all distributions, checked and tried in fresh environments: docs/releasing.md.
dist: build/release/tools/.installed
	build/release/tools/bin/python -m release.dist

build/release/tools/.installed: release/requirements.txt
	$(PYTHON) -m venv build/release/tools
	build/release/tools/bin/python -m pip install --quiet --disable-pip-version-check -r release/requirements.txt
	touch $@

$(VENV)/.installed-core: $(CORE)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "qgen needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ./qgen_core -e ./plugins/qgen_hep
	touch $@

$(VENV)/.installed-all: $(VENV)/.installed-core tests/requirements.txt docs/requirements.txt $(wildcard plugins/*/pyproject.toml)
	$(PIP) -e "./qgen_core[cma,pandas,search]" $(addprefix -e ./,$(PLUGINS)) -e "./plugins/qgen_dask[jobqueue]" -e "./plugins/qgen_hep[root,parquet,pythia]" -e "./plugins/qgen_torch[flows]" -e "./plugins/qgen_track[tensorboard]" -r tests/requirements.txt -r docs/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) .bench .mlflow build dist runs docs/_build
