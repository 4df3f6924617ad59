# Every target sets up what it needs; the second time is quick.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STARTER := artifacts/starter
MULTILINGUAL ?= $(wildcard artifacts/multilingual)
DATASETS ?= ../shared/datasets
export BENTOML_DO_NOT_TRACK := true

# pip as one moving line on a terminal, else as a line for every 25 steps; the rest is shown whole
ROUTINE := ^(Collecting|Found existing|Uninstalling|Requirement|Using|Downloading|Preparing|Getting|Installing|Checking|Building|Created|Looking|Obtaining|Successfully built|Successfully uninstalled|Attempting|Stored|Processing|WARNING: Location)
SHOW = awk -v live="$$(test -t 2 && echo 1)" '{sub(/^ +/, "")} /^Successfully installed/ {printf "%s      %d packages\n", live ? "\r\033[K" : "", NF - 2; next} $$0 ~ /$(ROUTINE)/ {n++; if (live) printf "\r\033[K      %d  %.60s", n, $$0; else if (n % 25 == 0) printf "      %d  %.60s\n", n, $$0; fflush(); next} {print (live && n ? "\n" : "") $$0}'

.DEFAULT_GOAL := help
.PHONY: help setup serve test test-all check format bench house demo multilingual starter starter-report results replay clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed $(STARTER)/manifest.json  ## install everything and assemble the starter router

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v.major}.{v.minor}; set PYTHON=...")'
	@echo "[1/2] installing into $(VENV) (about a minute or two the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt -e '.[train,serve,dev]' 2>&1 | $(SHOW)
	@touch $@

$(STARTER)/manifest.json: $(VENV)/.installed serving/starter/manifest.json
	@echo "[2/2] exporting the encoder and assembling the starter router"
	@$(BIN)/python -m training.commands.starter assemble --out $(STARTER)

multilingual: artifacts/multilingual/manifest.json  ## assemble the starter for prompts in 16 languages

artifacts/multilingual/manifest.json: $(VENV)/.installed serving/starter/multilingual/manifest.json
	@$(BIN)/python -m training.commands.starter assemble --multilingual --out $(@D)

serve: setup  ## serve the starter router (BUNDLE=path for another) on PORT (3000)
	@$(BIN)/tierwise serve $(BUNDLE)

# One thread of linear algebra in each of two processes: more of them only wait for each other.
TEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

test: setup  ## run the tests that are neither slow nor start the service, in minutes
	@$(TEST) -m "not slow and not service" $(PYTEST_ARGS)

test-all: setup  ## run every test, with coverage, as CI does
	@$(TEST) --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

check: $(VENV)/.installed  ## lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.installed  ## apply lint fixes and formatting
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format .

bench: setup  ## measure the hot path, the gateway, training and ingest, in one run
	-@$(BIN)/python -m tests.bench.hot_path
	@$(BIN)/python -m tests.bench.training
	@$(BIN)/python -m tests.bench.ingest
	@$(BIN)/python -m tests.bench.gateway
	@$(BIN)/python -m tests.bench.all_tables --datasets $(DATASETS)

house: $(VENV)/.installed  ## files, lines, import circles and long functions, against an older commit
	@$(BIN)/python -m tests.bench.house

demo: setup  ## simulated outcomes -> bundle -> decision -> frontier, in about a minute
	@$(BIN)/tierwise data simulate --out artifacts/demo/data --n-prompts 1200 --seed 7
	@$(BIN)/tierwise train --data artifacts/demo/data/outcomes.parquet --prompts artifacts/demo/data/prompts.parquet --out artifacts/demo/bundle
	@$(BIN)/tierwise route artifacts/demo/bundle "Prove that the square root of 2 is irrational." --threshold 0.5
	@$(BIN)/tierwise sweep artifacts/demo/bundle --data artifacts/demo/data/outcomes.parquet --prompts artifacts/demo/data/prompts.parquet --html artifacts/demo/frontier.html --csv artifacts/demo/frontier.csv
	@echo "open artifacts/demo/frontier.html"

starter: $(VENV)/.installed  ## rebuild the committed starter heads from DATASETS
	@OPENBLAS_CORETYPE=Haswell $(BIN)/python -m training.commands.starter build --datasets $(DATASETS)
	@$(BIN)/python -m tests.training.commands.starter_decisions

SHOWN = --bundle $(or $(BUNDLE),$(STARTER)) --datasets $(DATASETS)
LADDERS = mcpmark,pm_llm,bullshitbench,generalization

starter-report: setup  ## show the starter (BUNDLE=path for another) on DATASETS; writes training/STARTER.md
	@$(BIN)/python -m training.benchmarks.starter_sources $(SHOWN) --own
	@$(BIN)/python -m training.benchmarks.leave_source_out $(SHOWN)
	@$(BIN)/python -m training.benchmarks.ordinary $(SHOWN)
	@$(BIN)/python -m training.benchmarks.languages $(SHOWN) $(and $(MULTILINGUAL),--multilingual $(MULTILINGUAL))
	@$(BIN)/python -m training.benchmarks.effort $(SHOWN) --sources $(LADDERS)
	@$(BIN)/python -m training.benchmarks.starter_report

results: setup  ## train, evaluate and compare on every dataset of DATASETS; writes training/RESULTS.md
	@$(BIN)/python -m training.benchmarks.results --datasets $(DATASETS) --readme README.md

replay: setup  ## replay outcome tables of DATASETS as one-arm feedback; writes artifacts/replay
	@$(BIN)/python -m training.benchmarks.replay_all --datasets $(DATASETS)

clean:  ## remove everything that was built
	rm -rf $(VENV) artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
