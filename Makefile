# make demo | make test | make check. Everything goes into .venv; nothing else is touched.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip
BUILD = pyproject.toml constraints.txt

.PHONY: demo test check format clean

demo: $(VENV)/.installed
	$(VENV)/bin/rankqa demo --out runs/demo

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -n 2

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/pyright

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean:
	rm -rf $(VENV) build dist runs .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "rankqa needs Python 3.11 or later, this is %s; try make PYTHON=python3.11" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(BUILD)
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/bin/python $(BUILD)
	$(PIP) install --quiet -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: $(VENV)/bin/python $(BUILD)
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test
