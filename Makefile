# Everything is made in this clone, on first use: `.venv`, and what a command needs in it. A stamp in `.venv` says that
# it is there; a change of pyproject.toml outdates the stamps. `make PYTHON=python3.13 ...` chooses the interpreter.

PYTHON ?= python3
VENV := .venv
BENCH := .venv-bench
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq
SANITIZE := $(addprefix --nbval-sanitize-with=,$(wildcard tests/nbval.cfg))

# $(call apt,PACKAGES) installs Debian packages; false where that cannot be done: no root, no apt-get, or no network.
apt = { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing $(1) (Debian) ..." && \
	export DEBIAN_FRONTEND=noninteractive && { apt-get -qq update; \
	apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $(1); } >/dev/null; }

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: demo test lab lint bench traps screenshots fuzz help clean chromium redis

demo: $(VENV)/.demo ## Run the first tutorial here in the terminal, and write its HTML report
	@mkdir -p reports
	@$(BIN)/graflow-nb run notebooks/01_quickstart.ipynb --html reports/quickstart.html

test: $(VENV)/.test chromium redis ## Run every test: tests/, the doctests, the notebooks (ARGS="-k widget" narrows it)
	@$(BIN)/python -m pytest tests graflow_nb notebooks --nbval-lax --nbval-current-env $(SANITIZE) $(ARGS)

lab: $(VENV)/.lab ## Open JupyterLab on the tutorials
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

lint: $(VENV)/.lint ## Check style and types: ruff, mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(BENCH)/.peers chromium redis ## Compare with the peers, side by side, in a venv of their own
	@$(BENCH)/bin/python benchmarks/run_all.py $(ARGS)

traps: $(BENCH)/.peers ## Ask us and the peers: is a result ever wrong after a change? (ARGS="--short --peers joblib")
	@$(BENCH)/bin/python benchmarks/trap_table.py $(ARGS)

screenshots: $(VENV)/.test chromium ## Take the README's pictures of the widget anew
	@$(BIN)/python notebooks/screenshots.py

fuzz: $(VENV)/.test ## Edit notebooks at random for an hour: is a run ever wrong, or for nothing? (TIMES=1: as make test)
	@FUZZ=$(or $(TIMES),30) $(BIN)/python -m pytest --timeout 0 tests/test_stateful.py tests/test_stateful_notebook.py $(ARGS)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

clean: ## Remove what these commands made
	@rm -rf $(VENV) $(BENCH) build dist reports .pytest_cache .mypy_cache .ruff_cache .hypothesis .graflow_nb notebooks/.graflow_nb
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- what they stand on

# Debian's python3 comes without venv's ensurepip; pip is upgraded because --group needs 25.1.
$(VENV)/.pip $(BENCH)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "graflow_nb needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1 | head -n 1)" >&2; \
	echo "Name a newer one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(@D) ..."
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	$(call apt,$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')) || { \
	echo "$(PYTHON) cannot make a venv: its module ensurepip is missing. On Debian or Ubuntu, install python3-venv." >&2; \
	exit 1; }
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	@echo "Installing graflow_nb and what the tutorials import ..."
	@$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.lab: $(VENV)/.pip pyproject.toml
	@echo "Installing graflow_nb and JupyterLab ..."
	@$(PIP) -e '.[lab]'
	@touch $@

$(VENV)/.test: $(VENV)/.pip pyproject.toml
	@echo "Installing graflow_nb and what its tests need ..."
	@$(PIP) -e '.[demo]' --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.pip pyproject.toml
	@echo "Installing graflow_nb and the linters ..."
	@$(PIP) -e '.[demo]' --group lint
	@touch $@

# A peer that cannot be installed here is left out of the comparison, and named.
$(BENCH)/.peers: $(BENCH)/.pip pyproject.toml benchmarks/requirements.txt
	@echo "Installing graflow_nb and its peers ..."
	@$(BENCH)/bin/python -m pip install -qq -e '.[demo]'
	@sed 's/[[:space:]]*#.*//' benchmarks/requirements.txt | while read -r peer; do test -z "$$peer" || \
	$(BENCH)/bin/python -m pip install -qq "$$peer" || \
	echo "** NOT COMPARED: $$peer could not be installed" >&2; done
	@touch $@

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	$(call apt,chromium fonts-dejavu-core fonts-liberation) || \
	echo "** NO CHROMIUM: the browser tests are left out. On Debian: apt-get install chromium" >&2

redis:
	@command -v redis-server >/dev/null || $(call apt,redis-server) || \
	echo "** NO REDIS: what needs one is left out. On Debian: apt-get install redis-server" >&2
