# Everything runs in a virtual environment of the checkout's own; servers are started
# and stopped by tools/servers, their downloads cached outside of the checkout.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: test demo bench lint types docs format clean

test: $(READY)
	$(BIN)/pytest $(PYTEST_ARGS)

# DEMO_CHECK=1 ends after the tour, with exit status 0 or 1.
demo: $(READY)
	$(BIN)/python -m examples.movies.demo $(if $(DEMO_CHECK),--check)

bench: $(READY)
	$(BIN)/python -m benchmarks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/sphinx-build -n -W --keep-going -q -b html docs docs/_build/html

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	# In this mode the checkout itself is on the path, and examples/ with it.
	$(BIN)/python -m pip install --quiet --config-settings editable_mode=compat \
		--editable ".[sqla,postgresql,es,examples]" \
		--group test --group lint --group docs
	touch $@

clean:
	rm -rf .venv build docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis
