# Everything runs in a virtual environment of the checkout's own; servers are started
# and stopped by tools/servers, their downloads cached outside of the checkout.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# The checkout itself has to be on the path, so that pserve finds examples/.
define PUT_ON_PATH
import pathlib, sysconfig
path = pathlib.Path(sysconfig.get_path("purelib"), "checkout.pth")
path.write_text("$(CURDIR)")
endef
export PUT_ON_PATH

.PHONY: test demo bench chaos peers peers-sqlalchemy peers-mongoengine lint types docs format clean

# Most of a test's time is waiting for servers, so there are more processes than cores.
TEST_SERVERS := elasticsearch opensearch postgresql mongodb
TEST_PROCESSES ?= 3

test: $(READY)
	$(BIN)/python -m tools.servers run $(TEST_SERVERS) -- \
		$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

# DEMO_CHECK=1 ends after the tour, with exit status 0 or 1. PRIMARY=mongodb is on MongoDB.
demo: $(READY)
	$(BIN)/python -m examples.movies.demo $(if $(PRIMARY),--primary $(PRIMARY)) \
		$(if $(DEMO_CHECK),--check)

bench: $(READY)
	$(BIN)/python -m benchmarks

# CHAOS_ARGS="--seed 2026 --changes 1000" is given on; PRIMARY=mongodb has the data there.
chaos: $(READY)
	$(BIN)/python -m chaos $(if $(PRIMARY),--primary $(PRIMARY)) $(CHAOS_ARGS)

# Tests of others, with every class that they map having documents.
peers: peers-sqlalchemy peers-mongoengine

# Hours, with every database and mode; PEERS_ARGS="--database sqlite --mode flat" has one,
# and PEERS_ARGS="--help" says more.
peers-sqlalchemy: $(READY)
	$(BIN)/python -m tests.peers.sqlalchemy $(PEERS_ARGS)

# MONGOENGINE_TESTS names a checkout of MongoEngine; PyPI has only a part of its tests.
peers-mongoengine: $(READY)
	$(BIN)/python -m tests.peers.mongoengine

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
	$(BIN)/python -m pip install -qq --editable \
		".[sqla,mongo,postgresql,es,prometheus,examples,dev]"
	$(BIN)/python -c "$$PUT_ON_PATH"
	touch $@

clean:
	rm -rf .venv build docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis
