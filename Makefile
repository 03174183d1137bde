# Huifang (回访). `make help` lists what there is; each target sets itself up.
PYTHON ?= $(shell deploy/find-python)
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
WORKERS ?= 2
.DEFAULT_GOAL := help
.PHONY: help demo serve test check bench bench-bridge bench-desk bench-intake bench-sms bench-voice fuzz lint lock peers-extra prompts chaos screenshots

help:  ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## the main job in a simulated city, then the desk on http://127.0.0.1:8110
	@$(BIN)/huifang demo $(ARGS)

serve: $(VENV)/.installed  ## the service, with a city's settings: make serve ARGS="--config FILE.toml"
	@$(BIN)/huifang serve $(ARGS)

test: $(VENV)/.installed-dev  ## all tests, in two processes (WORKERS=2); missing peers are named and skipped
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff, mypy --strict and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## lint and test: what CI runs

bench: $(VENV)/.installed-dev  ## the benchmarks, by hand: results go to benchmarks/results
	@for each in benchmarks/bench_*.py; do echo "$$each"; $(BIN)/python "$$each" || exit 1; done

bench-bridge: $(VENV)/.installed-dev  ## 200 bridged calls: CPU and added delay beside a bare relay's, and Asterisk's
	@$(BIN)/python benchmarks/bench_bridge.py

bench-intake: $(VENV)/.installed-dev  ## cases by file and API beside a bare executemany of the same rows
	@$(BIN)/python benchmarks/bench_intake.py

bench-desk: $(VENV)/.installed-dev  ## the desk over 1,000,000 cases beside 1,000, a month published
	@$(BIN)/python benchmarks/bench_desk.py

bench-sms: $(VENV)/.installed-dev  ## texts through the whole sms worker beside smpplib alone
	@$(BIN)/python benchmarks/bench_sms.py

bench-voice: $(VENV)/.installed-dev  ## 50 to 1,600 calls: CPU, losses and gaps beside pyVoIP's, and Asterisk's
	@$(BIN)/python benchmarks/bench_voice.py

fuzz: $(VENV)/.installed-dev  ## half an hour of hypothesis over SIP, SDP, RTP: make fuzz [SECONDS=1800] [SEED=7]
	@HUIFANG_FUZZ_SECONDS=$(or $(SECONDS),1800) HUIFANG_FUZZ_SEED=$(or $(SEED),$$(date +%s)) \
	  $(BIN)/python -m pytest -q -n $(WORKERS) --timeout 0 tests/fuzz

peers-extra: $(VENV)/.installed-dev  ## Asterisk (HUIFANG_ASTERISK=folder) and Prism (HUIFANG_PRISM, HUIFANG_TWILIO_SPEC), as peers
	@$(BIN)/python -m pytest -q -rs tests/peers/test_asterisk.py tests/peers/test_twilio_prism.py \
	  tests/peers/test_twilio_voice_prism.py $(ARGS)

chaos: $(VENV)/.installed-dev  ## kills roles of a running city 200 times: make chaos [KILLS=200] [SEED=1]
	@HUIFANG_CHAOS_KILLS=$(or $(KILLS),200) HUIFANG_CHAOS_SEED=$(or $(SEED),1) \
	  HUIFANG_CHAOS_REPORT=benchmarks/results/chaos.json $(BIN)/python -m pytest -q -s tests/peers/test_chaos.py

screenshots: $(VENV)/.installed-dev  ## docs/screenshots anew: every page in eight forms (needs Chromium)
	@HUIFANG_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/peers/test_screenshots.py tests/peers/test_desk_browser.py \
	  tests/peers/test_citizen_browser.py

prompts: $(VENV)/.installed-dev  ## renders the spoken prompts whose text changed
	@$(BIN)/huifang prompts render

lock:  ## resolves the dependencies anew (needs uv)
	@$(PYTHON) deploy/lock.py

$(VENV)/bin/python:
	@deploy/make-venv "$(PYTHON)" "$(VENV)"

$(VENV)/.installed: $(VENV)/bin/python deploy/requirements.txt pyproject.toml
	@echo "Installing Huifang into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed deploy/requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/requirements-dev.txt
	@touch $@
