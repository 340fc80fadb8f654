# All that there is to do here: make test, demo, bench, lint, format, docs, screenshots, test-pythons,
# clean.
# Needs Python 3.11 or later; as root on Debian what else is missing is installed, elsewhere it is named.
PYTHON ?= $(shell scripts/python.sh)
BIN = .venv/bin
READY = .venv/.dev
CODE = src tests examples benchmarks scripts

.PHONY: test fast lint format docs screenshots demo bench test-pythons clean
.PRECIOUS: .venv/.%

test: lint
	scripts/indexes.sh $(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder --durations 25

fast: $(READY)
	scripts/indexes.sh $(BIN)/pytest -x -q

lint: $(READY)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: $(READY)
	$(BIN)/python scripts/reference.py

# The pictures in the documentation, taken with Chromium.
screenshots: $(READY)
	$(BIN)/python scripts/screenshots.py

demo: $(READY)
	$(BIN)/python scripts/demo.py

bench: .venv/.bench
	scripts/indexes.sh $(BIN)/python -m benchmarks

# The same tests on every other Python that uv finds on this machine.
test-pythons: $(READY)
	scripts/test_pythons.sh

.venv/.%: pyproject.toml scripts/setup_venv.sh scripts/install.sh scripts/indexes.sh scripts/setup_system.sh
	@scripts/setup_system.sh $*
	@python="$(PYTHON)" && test -n "$$python" && scripts/setup_venv.sh "$$python" $*

clean:
	rm -rf .venv .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis .make build dist
	rm -rf examples/*/*.csv examples/*/*.joblib examples/*/*.pt examples/*/*.png examples/*/model examples/*/*.lock
	find src tests examples benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
