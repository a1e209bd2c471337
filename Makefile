# Every command sets up what it needs. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
JOBS ?= auto

.PHONY: native test-native test-torch test-torchft test-jax test-ui bench-torch up test lint fix types contracts unit bench docs proto clean fuzz interop mutants chaos chaos-live chaos-sim

up: $(VENV)/.run  ## a three-node cluster on this machine, with data in ./dev-data
	$(BIN)/raftkv dev

test: lint types contracts unit  ## everything that must pass before a change lands

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

fix: $(VENV)/.dev  ## what the linter can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev $(VENV)/clients/.done
	$(BIN)/pytest -n $(JOBS)

docs: $(VENV)/.dev  ## the site, in build/site; while writing: .venv/bin/mkdocs serve
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

proto: $(VENV)/.dev  ## raftkv/pb from proto/
	$(BIN)/python proto/generate.py

SEED ?= 0
SEEDS ?= 100000
LIVES ?= 100
fuzz: $(VENV)/.dev  ## bytes and messages from seeds, at both ports and every method: make fuzz SEED=7 SEEDS=1000 LIVES=10
	$(BIN)/python -m tests.http2.fuzz $(SEED) $(SEEDS)
	$(BIN)/python -m tests.peer.fuzz $(SEED) $(SEEDS)
	$(BIN)/python -m tests.rpc.fuzz $(SEED) $(LIVES)

TORCH_VENV ?= .venv-torch
test-torch: $(TORCH_VENV)/.done  ## torch's own clients, agents and process groups, in an environment of their own: torch is large
	$(TORCH_VENV)/bin/python -m pytest tests/torch -n 2 --dist loadfile --no-loadscope-reorder

test-torchft: $(TORCH_VENV)/.done  ## torchft's own client and Manager
	$(TORCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check torchft==0.2.0
	$(TORCH_VENV)/bin/python -m pytest tests/torchft -n 2 --dist loadfile

# Debian's Chromium: playwright's own cannot be had everywhere.
CHROMIUM ?= $(shell command -v chromium || echo /usr/bin/chromium)
test-ui: $(VENV)/.ui $(CHROMIUM)  ## the dashboard in a real Chromium; pictures of all views in .ui-pictures
	RAFTKV_BROWSER=$(CHROMIUM) $(BIN)/pytest tests/ui_browser -n 2 --dist loadfile

$(VENV)/.ui: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check playwright==1.65.2
	touch $@

$(CHROMIUM):
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
	  || { echo "the dashboard is tested in Chromium: install it, or say where it is: make test-ui CHROMIUM=/path"; exit 1; }

JAX_VENV ?= .venv-jax
test-jax: $(JAX_VENV)/.done  ## processes of JAX that find each other through the cluster, in an environment of their own: jax is large
	$(JAX_VENV)/bin/pytest tests/jax

$(JAX_VENV)/.done: pyproject.toml
	$(PYTHON) -m venv $(JAX_VENV)
	$(JAX_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[dev,jax]" jax==0.10.2 jaxlib==0.10.2
	touch $@

bench-torch: $(TORCH_VENV)/.done  ## rendezvous beside c10d and etcd, TCPStore beside torch's own server: docs/torch.md
	$(TORCH_VENV)/bin/python -m benchmarks.stores
	$(TORCH_VENV)/bin/python -m benchmarks.rendezvous

# It sees what is in $(VENV). Of torch's thousands of modules only those that are used are compiled, once, whatever the environment says.
$(TORCH_VENV)/.done: $(VENV)/.dev
	$(BIN)/python -m venv --without-pip $(TORCH_VENV)
	$(BIN)/python tests/torch/see.py $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile torch==2.13.0 numpy
	env -u PYTHONDONTWRITEBYTECODE $(TORCH_VENV)/bin/python -c "import torch.distributed.run, torch._dynamo"
	touch $@

interop: $(VENV)/.dev  ## the gRPC server with grpc-js, nghttp and h2load (needs npm and nghttp2-client)
	$(BIN)/python -m tests.http2.interop

native: .native/.done  ## the hot path compiled by mypyc, in .native (needs a C compiler and some minutes)

.native/.done: $(VENV)/.dev hatch_build.py $(shell find raftkv -name '*.py')
	$(BIN)/python hatch_build.py .native
	touch $@

test-native: native  ## the tests of what is compiled, on what is compiled
	PYTHONPATH=.native $(BIN)/pytest -n $(JOBS) -o pythonpath=".native ." -m "not interpreted" $(addprefix tests/,raft storage mvcc apply peer server watch lease http2 gateway)

MUTANT_JOBS ?= 4
mutants: $(VENV)/.dev  ## every planted bug of the catalogue, and what found it (an hour on 4 cores): docs/mutants.md
	$(BIN)/raftkv-chaos mutants --budget 5000 --seconds 85 --jobs $(MUTANT_JOBS) --write docs/mutants.md

bench: native  ## figures beside etcd on this machine, of the compiled server
	PYTHONPATH=.native $(BIN)/python -m benchmarks

CHAOS_TIME ?= 3600
LIVE_ROUND = 75# a minute under faults, and what starting, healing and judging take
SIM_JOBS ?= 2
chaos: chaos-sim chaos-live  ## an hour of faults: make chaos CHAOS_TIME=600 SEED=7

chaos-sim: $(VENV)/.dev  ## the other half in virtual time: about a seed a second on each core
	$(BIN)/raftkv-chaos sim --seeds $(SEED)..$$(( $(SEED) + $(CHAOS_TIME) / 2 * $(SIM_JOBS) )) --jobs $(SIM_JOBS)

chaos-live: $(VENV)/.dev  ## half of that time on real processes, with reports in chaos-*/
	$(BIN)/raftkv-chaos run --time 60 --seed $(SEED) --rounds $$(( $(CHAOS_TIME) / 2 / $(LIVE_ROUND) + 1 ))

clean:
	rm -rf $(VENV) .native dev-data .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "raftkv needs Python 3.11 or newer: make PYTHON=python3.x"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=23.2"

$(VENV)/.run: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

# Clients of etcd that tests run unchanged and whose dependencies go with nothing else, and Debian's etcdctl 3.4.
$(VENV)/clients/.done: $(VENV)/bin/python tests/clients/requirements.txt
	$(BIN)/python -m venv $(VENV)/clients
	$(VENV)/clients/bin/python -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	mkdir -p $(VENV)/clients/debian
	cd $(VENV)/clients/debian && { apt-get download -qq etcd-client || { apt-get update -qq && apt-get download -qq etcd-client; }; } \
	  && dpkg -x etcd-client_*.deb .
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@ $(VENV)/.run
