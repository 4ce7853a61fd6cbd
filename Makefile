# Everything a person does with this project, on a machine that has Python 3.11+ and make (GNU make 3.81 will do).

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STAMP_OF_EXTRAS := $(VENV)/.installed-extras
STAMP_OF_ACTIONS := $(VENV)/.installed-actions

.PHONY: help setup up down status logs demo test test-faults test-security test-containers test-aws test-all coverage check docs schema format bench release plan apply destroy rotate minikube clean

help: ## show this list
	@echo "Usage: make TARGET"
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "Settings: COINREQUEST_AGENTS=2, COINREQUEST_CONCURRENCY=8, COINREQUEST_PORT=8080, COINREQUEST_STACK_ROOT=/some/folder,"
	@echo "  COINREQUEST_CHANNEL_URL=amqp://broker/ (docs/how-to/embedded-stack.md lists the others)"
	@echo "  To keep them for every start, write them to .stack/settings.env, which the first make up creates."

setup: $(STAMP_OF_ACTIONS) ## install the locked packages into .venv (the other targets do this themselves)

# Only when the lock or the project's own description changed.
$(STAMP): uv.lock pyproject.toml scripts/setup extra-requirements.txt
	@scripts/setup
	@touch $@ $(STAMP_OF_ACTIONS)

# The own actions, when one of their sources changed.
$(STAMP_OF_ACTIONS): $(STAMP) $(wildcard my-actions/*/pyproject.toml my-actions/*/src/*/*.py)
	@scripts/setup --actions
	@touch $@

up: $(STAMP_OF_ACTIONS) ## start the embedded stack: PostgreSQL, Redis, Airflow, agents; twice is harmless
	@$(BIN)/coinrequest stack up

down: $(STAMP) ## stop the stack; data and logs stay in .stack/
	@$(BIN)/coinrequest stack down

status: $(STAMP) ## show the processes of the stack
	@$(BIN)/coinrequest stack status

logs: $(STAMP) ## show the last log lines of every process
	@$(BIN)/coinrequest stack logs

demo: up ## register a new job type over REST, run a job of it, show what happened
	@$(BIN)/coinrequest demo

# The other extras are for tests alone: Airflow loads Kubernetes' library wherever it finds it, for 60 MiB.
$(STAMP_OF_EXTRAS): $(STAMP)
	@scripts/setup --all-extras
	@touch $@

test: $(STAMP_OF_EXTRAS) ## run unit, DAG and API tests, and those end to end on a stack of their own
	@scripts/test

test-faults: $(STAMP_OF_EXTRAS) ## kill processes, stop brokers and databases, fill disks; restart stacks, wait for schedules
	@scripts/test faults

test-security: $(STAMP_OF_EXTRAS) ## attack: roles, forged requests, hostile definitions, messages, databases
	@scripts/test security

test-containers: $(STAMP_OF_EXTRAS) ## try the image, Compose and Kubernetes
	@scripts/test containers

test-aws: $(STAMP_OF_EXTRAS) ## try Terraform and the instances on AWS
	@scripts/test aws

test-all: $(STAMP_OF_EXTRAS) ## run all lanes
	@scripts/test all

coverage: $(STAMP_OF_EXTRAS) ## run what needs no running stack, and show which lines it reaches
	@scripts/test unit --cov --cov-report=term:skip-covered --cov-report=html && echo "By line: build/coverage/index.html"

check: $(STAMP) ## check style, types, the import layers, and the Airflow configuration
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@scripts/lint-airflow-config

docs: $(STAMP_OF_EXTRAS) ## build the documentation in build/docs; OPTIONS=serve shows it while you write
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(or $(strip $(OPTIONS)),build)

schema: $(STAMP_OF_EXTRAS) ## write the dump of the schema and the checksums of new migrations (CONTRIBUTING.md)
	@PYTHONPATH=tests $(BIN)/python -m support.write_schema

format: $(STAMP) ## rewrite the source in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure; results go to benchmarks/README.md
	@$(BIN)/python -m benchmarks

# COMMAND=deploy|build|status|rollback, TARGET=compose|kubernetes|aws, ENV=production, OPTIONS="--dry-run" (docs/how-to/release.md).
# On one machine a bare Python does. Reading a cluster's objects takes a YAML library, and AWS takes boto3.
WITH_PACKAGES := $(filter kubernetes aws,$(TARGET))
release: $(if $(WITH_PACKAGES),$(STAMP)) ## test, build, migrate, roll out, smoke test; roll back on failure
	@$(if $(WITH_PACKAGES),$(BIN)/python,python3) -m release $(strip $(or $(COMMAND),deploy) $(if $(TARGET),--target $(TARGET)) $(if $(ENV),--environment $(ENV)) $(OPTIONS))

# The installation on AWS: ENV=development|staging|production, OPTIONS="--dry-run" (terraform/README.md).
AWS = @$(BIN)/python -m aws

plan: $(STAMP) ## show what would change on AWS: make plan ENV=production
	$(AWS) plan $(ENV) $(OPTIONS)

apply: $(STAMP) ## build or change the installation on AWS, and wait until it works
	$(AWS) apply $(ENV) $(OPTIONS)

destroy: $(STAMP) ## destroy an installation on AWS, whole
	$(AWS) destroy $(ENV) $(OPTIONS)

rotate: $(STAMP) ## replace a secret on AWS: make rotate ENV=production SECRET=redis
	$(AWS) rotate $(ENV) $(SECRET) $(OPTIONS)

minikube: ## build the image and deploy everything to minikube (docs/how-to/kubernetes.md)
	@kubernetes/minikube

clean: ## stop the stack and remove it with all its data, and the installed packages
	@if [ -x $(BIN)/coinrequest ]; then $(BIN)/coinrequest stack down; fi
	rm -rf .stack $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
