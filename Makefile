# Ten recipes at most; each says what it does. `make setup` is run by the others when needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export TZ := UTC
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false
export DO_NOT_TRACK := true
export BENTOML_DO_NOT_TRACK := True
export UV_PYTHON_DOWNLOADS := never
export OMP_NUM_THREADS := 1
# Without cached bytecode every process compiles its libraries anew, which costs more than the work itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-slow lint bench trust docs lock

setup: .venv/.installed ## install the locked versions into .venv (uv is bootstrapped by pip)

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check "uv>=0.9"
	$(BIN)/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## simulate a partner ecosystem, train on it, and serve it on http://127.0.0.1:3000
	$(BIN)/partnerintel demo -w var/demo

test: setup ## the tests, under ten minutes on two cores
	$(BIN)/python -m pytest -q -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test-slow: setup ## the slow suites: model quality, kill -9, the built bento
	$(BIN)/python -m pytest -q -m slow

lint: setup ## format, lint, types and the import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## speed, as ratios against a floor or a peer run side by side
	$(BIN)/python -m bench

trust: setup ## reliability and security cases; rewrites evaluation/reliability.json
	$(BIN)/python -m tests.faults

docs: setup ## the documentation as HTML under docs/_build
	$(BIN)/python docs/cli_reference.py
	$(BIN)/sphinx-build -q -W -b html docs docs/_build

lock: ## resolve anew: versions and hashes, no addresses
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --all-extras \
		--no-annotate --no-header pyproject.toml -o requirements.lock
