# Every target that runs something builds .venv first, and again only after pyproject.toml or constraints.txt changed.
VENV  := .venv
STAMP := $(VENV)/.installed
PY    := $(VENV)/bin/python
ARGS  ?=
PRESET_FLAG := $(if $(PRESET),--preset $(PRESET))
CODE := qssl_tf trainers tuning benchmarks docs examples tests setup.py
PEERS := .peers
WORKERS := --numprocesses 2 --dist loadfile --no-loadscope-reorder
# A process keeps what XLA compiled until it ends, so each part of the suite has one of its own: 3 GB at most.
COUNT := 8
PARTS := $(foreach number,1 2 3 4 5 6 7 8,part-$(number))
AT_ONCE := --no-print-directory --keep-going --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync)
# What this make was told is not for those that tests start; a folder of a test that failed is kept.
TEST = unset MAKEFLAGS MFLAGS MAKELEVEL; $(PY) -m pytest -m "not long" $(QUICK)
QUICK := --quick-figures

# The versions that were tested with TensorFlow Quantum where it has wheels, else those without it.
# Python 3.11 on other machines has neither: the newest NumPy needs 3.12.
CHOOSE := 'import platform as p, sys; v = sys.version_info; print("constraints.txt" if (p.system(), p.machine()) == ("Linux", "x86_64") and v < (3, 13) else "constraints-newest.txt" if v >= (3, 12) else "/dev/null")'
# The newest TensorFlow, without TensorFlow Quantum, beside .venv.
NEWEST := .venv-newest
NEWEST_STAMP := $(NEWEST)/.installed
NEWEST_TESTS := tests/models tests/quantum tests/compiler tests/data tests/evaluation tests/training tests/test_without_tfq.py
# The commands in a row, which other tests run in .venv, so that it is a long one there.
NEWEST_COMMANDS := tests/trainers/test_newest.py

.DEFAULT_GOAL := help
.PHONY: help install pretrain linear-eval search ibmq-infer reproduce bench bench-peers tour snapshots tensorboard docs test $(PARTS) test-long test-all test-newest profile check format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  PRESET=paper chooses a preset of make pretrain; ARGS="--seed 3" passes flags through.'

install: $(STAMP) ## Build .venv (Python 3.11 to 3.13; PYTHON=... chooses one)

$(STAMP): pyproject.toml constraints.txt constraints-newest.txt
	@if ! $(PY) -c '' 2>/dev/null; then \
	  for python in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)))' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "error: Python 3.11, 3.12 or 3.13 is needed and none was found; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; \
	  fi; \
	  echo "building $(VENV) with $$found (about two minutes, 2 GB)"; \
	  "$$found" -m venv --clear $(VENV) || exit 2; \
	fi
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint $$($(PY) -c $(CHOOSE)) --editable '.[dev]'
	@touch $@

pretrain: $(STAMP) ## Contrastive pretraining (preset digits, or PRESET=paper)
	@$(PY) trainers/pretrain.py $(PRESET_FLAG) $(ARGS)

linear-eval: $(STAMP) ## Linear probe of the newest run
	@$(PY) trainers/linear_eval.py $(ARGS)

bench: $(STAMP) ## Time heads and steps against TensorFlow Quantum (6 minutes)
	@$(PY) benchmarks/bench.py $(ARGS)

bench-peers: $(STAMP) ## The same against peers, each in an environment of its own under .peers/ (5 GB)
	@PYTHON=$(abspath $(PY)) sh benchmarks/peers.sh $(PEERS)
	@$(PY) benchmarks/bench.py --sections heads,steps,peers --environments $(PEERS) $(ARGS)

ibmq-infer: $(STAMP) ## Run the newest probed head on a device (fake_paris, or ARGS="--backend NAME")
	@$(PY) -m qssl_tf.ibmq_infer $(ARGS)

search: $(STAMP) ## Search for better circuits on digits (2 minutes; ARGS="--space recipe --trials 20")
	@$(PY) tuning/search.py $(ARGS)

reproduce: $(STAMP) ## Train and judge the paper's arms and controls (hours; ARGS="--list" shows what is left)
	@$(PY) trainers/reproduce.py $(ARGS)

tour: $(STAMP) ## Run examples/tour.ipynb anew and keep its outputs (2 minutes)
	@$(PY) docs/tour.py

snapshots: $(STAMP) ## Plan the paper's ring on every snapshot for docs/reference/snapshots.md (six minutes)
	@$(PY) docs/snapshots.py

tensorboard: $(STAMP) ## Curves of all runs, each once: TensorBoard on runs/ would follow runs/latest as well
	@$(VENV)/bin/tensorboard --logdir_spec "$$(find runs -mindepth 1 -maxdepth 1 -type d -printf '%f:%p\n' | sort | paste -sd,)" $(ARGS)

docs: $(STAMP) ## Build the documentation into site/ (ARGS="--site-dir DIR" elsewhere)
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict $(ARGS)

test: $(STAMP) ## Run the tests, two parts at a time (ARGS="tests/data -k views" some of them)
ifeq ($(ARGS),)
	@$(MAKE) $(AT_ONCE) QUICK="$(QUICK)" $(PARTS)
else
	@$(TEST) $(WORKERS) $(ARGS)
endif

$(PARTS): part-%: $(STAMP)
	@folder=$$(mktemp -d) && { $(TEST) --part=$*/$(COUNT) --basetemp $$folder/tests && rm -r $$folder; }

test-long: $(STAMP) ## Run the tests that make test leaves out (ARGS="--time-budget 540" as far as the seconds go)
	@$(PY) -m pytest $(WORKERS) -m long $(ARGS)

test-all: QUICK :=
test-all: test test-long ## Run all tests, those of make test and those that it leaves out

profile: $(STAMP) ## Time the tests as make test runs them, for tests/seconds.json (10 minutes)
	@new=$$(mktemp -d)/seconds.json; \
	$(MAKE) $(AT_ONCE) QUICK="$(QUICK) --durations=20 --keep-seconds=$$new" $(PARTS) && mv $$new tests/seconds.json

test-newest: $(NEWEST_STAMP) ## Build .venv-newest and run the core tests on the newest TensorFlow, without TensorFlow Quantum
	@failed=0; for part in $(if $(ARGS),"$(ARGS)",$(NEWEST_TESTS)); do \
	  $(NEWEST)/bin/python -m pytest $(WORKERS) -m "not long" $$part || failed=1; done; \
	$(if $(ARGS),,$(NEWEST)/bin/python -m pytest $(NEWEST_COMMANDS) || failed=1;) exit $$failed

# By requirements, since on Python 3.12 the package itself would ask for TensorFlow Quantum.
$(NEWEST_STAMP): pyproject.toml constraints-newest.txt
	@if ! $(NEWEST)/bin/python -c '' 2>/dev/null; then \
	  for python in $(PYTHON_NEWEST) python3.13 python3.12; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 12), (3, 13)))' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "error: Python 3.13 or 3.12 is needed and none was found; name one: make test-newest PYTHON_NEWEST=/path/to/python3.13" >&2; exit 2; \
	  fi; \
	  echo "building $(NEWEST) with $$found (about three minutes, 2 GB)"; \
	  "$$found" -m venv --clear $(NEWEST) || exit 2; \
	fi
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --requirement constraints-newest.txt
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

check: $(STAMP) ## Lint, format check and type check
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m ruff format --check $(CODE)
	@$(PY) -m mypy

format: $(STAMP) ## Fix lint and format
	@$(PY) -m ruff check --fix $(CODE)
	@$(PY) -m ruff format $(CODE)

clean: ## Remove .venv and caches; runs/ stays
	rm -rf $(VENV) $(NEWEST) build site *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
