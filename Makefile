# Two commands matter: `make demo` and `make test`. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JS := tests/js/node_modules
# Tools that read Dockerfile and Terraform ask for other versions of libraries than Prismata: a place of their own.
CHECKS := .venv-checks
CHECKS_STAMP := $(CHECKS)/.installed
# Tests at a time; each worker has its own browser, folders and database schemas. One more than a
# small machine has cores: many tests wait, for children, pages and deadlines.
WORKERS ?= 3

.PHONY: demo test check infrastructure ui setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,openvino,ui,s3,postgres,celery,dev]'
	touch $(STAMP)

# The type checker of the browser modules; running Prismata needs no Node.
$(JS): tests/js/package-lock.json
	if command -v npm >/dev/null; then cd tests/js && npm ci --no-audit --no-fund && touch node_modules; fi

# Without a network the tests that need them are skipped, and say so.
$(CHECKS_STAMP): tests/deploy/requirements.txt
	test -d $(CHECKS) || $(PYTHON) -m venv $(CHECKS)
	@if $(CHECKS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<; then touch $@; \
		else echo "checkov and its like could not be installed: tests that need them are skipped"; fi

demo: setup  ## invent videos, train, export, detect, evaluate, write a report
	$(BIN)/prismata demo

test: setup $(JS) $(CHECKS_STAMP)  ## the whole test suite
	$(BIN)/python -m compileall -q src  # children by the hundred import it, some where nothing may be kept
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

check: setup  ## what pre-commit and CI hold everybody to
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# What needs the internet (a provider, rules) is done where its tool is installed; CI has them all, people some.
infrastructure: $(CHECKS_STAMP)  ## what can be said about Dockerfile and Terraform by tools that are here
	@for tool in terraform tflint; do command -v $$tool >/dev/null || echo "$$tool is not installed: left out"; done
	if command -v terraform >/dev/null; then terraform fmt -check -recursive terraform && for environment in terraform/environments/*; do \
		(cd $$environment && terraform init -backend=false -input=false && terraform validate && terraform test) || exit 1; done; fi
	if command -v tflint >/dev/null; then tflint --chdir terraform --recursive; fi
	$(CHECKS)/bin/python tests/deploy/checkov_report.py

ui: setup  ## open the workbench
	$(BIN)/prismata serve

clean:  ## remove what setup made
	rm -rf $(VENV) $(CHECKS)
