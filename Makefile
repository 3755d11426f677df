# Targets create .venv by themselves; "make help" lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

# Paths reach the shell through the environment and are quoted there, so that names with spaces,
# quotes, $ and line breaks arrive as they are.
# $(value) keeps make itself from expanding a $ in them.
override SRC := $(value SRC)
override OUT := $(value OUT)
override CONFIG := $(value CONFIG)
override DATA := $(value DATA)
override REDO := $(value REDO)
override ARGS := $(value ARGS)
export SRC OUT CONFIG DATA REDO ARGS

# ARGS is split as a shell splits words and quotes, and nothing in it is expanded.
define SPLIT
import os, shlex, sys
try:
    print(shlex.join(shlex.split(os.environ.get("ARGS", ""))))
except ValueError as error:
    sys.exit(f"error: ARGS: {error}")
endef
export SPLIT

.PHONY: help install colorize-archive train evaluate report review status test test-slow test-faults test-s3 test-gpu test-browser lint docs bench bench-scale clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

install: $(STAMP) ## create .venv with the pinned dependencies

$(STAMP): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@test -x $(PY) || "$(PYTHON)" -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(STAMP)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

# make's own exit code is always 2; the job's is printed.
define run
@words=$$($(PY) -c "$$SPLIT") || exit 1; eval "set -- $$words"; $(PY) -m $(1) || { code=$$?; echo "exit code $$code"; exit $$code; }
endef

# Where a run that finished, but for some inputs, leaves its last line: make says it as its own last.
LAST := $(shell mktemp -u "$${TMPDIR:-/tmp}/colorize-last-XXXXXX")
end_with = $(if $(1),$(error $(1)))

# Before anything is installed.
.PHONY: need-DATA need-OUT
need-DATA need-OUT:
	@name=$(@:need-%=%); test -n "$${!name}" || { echo "error: $$name= is missing: make $(firstword $(MAKECMDGOALS)) $$name=..." >&2; exit 1; }

colorize-archive: run-colorize ## colorize SRC (without it: a built-in sample) [OUT=] [CONFIG=] [REDO=list.txt] [ARGS=]
	$(call end_with,$(shell cat "$(LAST)" 2>/dev/null; rm -f "$(LAST)"))

.PHONY: run-colorize
run-colorize: $(STAMP)
	@words=$$($(PY) -c "$$SPLIT") || exit 1; eval "set -- $$words"; \
	$(PY) -m jobs.colorize_archive --last-line "$(LAST)" $${OUT:+--out "$$OUT"} $${CONFIG:+--config "$$CONFIG"} $${REDO:+--redo-list "$$REDO"} "$$@" $${SRC:+-- "$$SRC"} \
	|| { code=$$?; echo "exit code $$code"; test -e "$(LAST)" || exit $$code; }

train: need-DATA $(STAMP) ## train a generator on DATA [CONFIG=configs/train/flagship.yaml] [ARGS=]
	$(call run,jobs.train $${CONFIG:+--config "$$CONFIG"} "$$@" -- "$$DATA")

evaluate: need-DATA $(STAMP) ## figures of the shipped generator on DATA (color photos or clips) [CONFIG=] [ARGS=]
	$(call run,jobs.evaluate $${CONFIG:+--config "$$CONFIG"} "$$@" -- "$$DATA")

report: need-OUT $(STAMP) ## make the page of a finished run again: OUT=
	$(call run,jobs.report "$$@" -- "$$OUT")

review: need-OUT $(STAMP) ## look at results in the browser, say colors, accept, reject: OUT=
	$(call run,colorize_core review "$$@" -- "$$OUT")

status: need-OUT $(STAMP) ## how far a run is: OUT=
	$(call run,jobs.archive_status "$$@" -- "$$OUT")

# Two at once: much of the suite waits for processes that it started.
test: $(DEV_STAMP) ## the test suite, without what has a target of its own
	$(PY) -m pytest -q -n 2 --dist worksteal -m "not slow and not faults and not s3 and not browser and not gpu"

test-slow: $(DEV_STAMP) ## tests that take long: proofs over many sizes, codecs and presets
	$(PY) -m pytest -q -m "slow and not faults and not s3 and not browser and not gpu"

test-faults: $(DEV_STAMP) ## many kills, full disks, lost machines
	$(PY) -m pytest -q -m faults

test-s3: $(DEV_STAMP) ## object storage, on a server that the tests start
	$(PY) -m pytest -q -m "s3 and not faults"

test-gpu: $(DEV_STAMP) ## what needs a CUDA device
	$(PY) -m pytest -q -m gpu

test-browser: $(DEV_STAMP) ## pages in headless Chromium (must be installed)
	$(PY) -m pytest -q -m browser

lint: $(DEV_STAMP) ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

docs: $(DEV_STAMP) ## generated pages, pictures and schemas, and all docstrings in site/
	$(PY) -m docs.settings
	$(PY) -m docs.house
	$(PY) -W error -m docs.api

bench: $(STAMP) ## speed and quality figures of this machine
	$(call run,bench "$$@")

bench-scale: $(STAMP) ## what the driver costs alone, and an archive that is finished [ARGS="--photos 1000000"]
	$(call run,bench.scale "$$@")

clean: ## remove .venv and caches, never a result
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
