# Two commands do everything on a machine with Python 3.11+, git and make: `make run`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MLOPS_HOME ?= $(CURDIR)/.mlops
# Say what is done now, and on a terminal for how long.
told = @echo "$(1)"; test -t 2 || { $(2); exit; }; \
	{ n=0; while sleep 1; do n=$$((n + 1)); printf '\r%s s' $$n; done >&2; } & \
	$(2); code=$$?; kill $$!; printf '\r\033[K' >&2; exit $$code

.PHONY: help install run demo test coverage thorough mutants lint docs dev wheel lock clean

help:  ## Say what each command does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

install: $(VENV)/installed  ## Create .venv with the locked dependencies

run: $(VENV)/installed  ## Bring every model from raw data to a live endpoint; predict once each
	$(BIN)/mlops run

demo: $(VENV)/installed  ## Replay both data sets month by month through the system; writes a page
	$(BIN)/python -m demo $(DEMO)

WHOLE_WORLDS := tests/graph/features/test_any_world.py tests/graph/scoring/test_any_world.py \
	tests/graph/champion/test_any_history.py::test_no_history_breaks_a_rule

FAST := pytest -q -m "not thorough" -n 2 --dist worksteal

# The fast tests run far east of UTC, where a clock that is read as local shows; graphs first, since
# the last ones ought to be short. Real servers are waited for, so three of those tests at once keep
# two cores busy.
test: lint  ## Lint, then fast tests, then tests against real servers
	TZ=Asia/Tokyo $(BIN)/$(FAST) tests/graph tests/unit
	$(BIN)/pytest -q -m "not thorough" -n 3 --dist loadfile --no-loadscope-reorder tests/e2e

# Only those of units are measured: whole graphs reach the same lines. It costs a third more CPU,
# and changes by little from week to week, so that the gate does not wait for it.
coverage: $(VENV)/installed  ## The fast tests of units again, and which lines of the core they reach: 95 %
	$(BIN)/coverage erase
	TZ=Asia/Tokyo $(BIN)/coverage run -m $(FAST) tests/unit
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95

thorough: coverage  ## What repeats the tests on more inputs: every table, every way, in two hours
	$(BIN)/pytest -q -m thorough -n 2 --dist loadfile
	MLOPS_EXAMPLES=20 $(BIN)/pytest -q -n 3 $(WHOLE_WORLDS)

mutants: $(VENV)/installed  ## Break one line at a time and see that the tests notice
	$(BIN)/python -m tests.mutants $(MUTANTS)

lint: $(VENV)/installed  ## Formatting, lint, types, one-way imports, dependencies, workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/ty check
	$(BIN)/lint-imports
	$(BIN)/deptry --no-ansi mlops_assets resources jobs sensors demo
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml

docs: $(VENV)/installed  ## The pages as a site in site/; a link that leads nowhere fails
	$(BIN)/zensical build --strict

dev: $(VENV)/installed  ## Dagster UI, daemon and MLflow UI; Ctrl-C ends all of it
	exec $(BIN)/mlops dev

wheel: $(VENV)/installed  ## Build dist/*.whl, to install the framework beside a project of yours
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python

lock: $(VENV)/installed  ## Resolve the dependencies again
	$(BIN)/uv pip compile --universal --generate-hashes --all-extras --python-version 3.11 \
		--no-emit-package pyspark --no-emit-package py4j --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 \
		--constraints requirements.lock --upgrade deploy/spark/requirements.in \
		-o deploy/spark/requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 \
		--upgrade deploy/airflow/requirements.in -o deploy/airflow/requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 \
		--upgrade .github/audit/requirements.in -o .github/audit/requirements.lock

clean:  ## End the endpoints and delete all state
	test ! -x $(BIN)/mlops || $(BIN)/mlops stop
	rm -rf "$$MLOPS_HOME"

# uv is taken from the lock too; bytecode is compiled now, since the first start costs 3-5 times more
# without it. The stamp comes last: an installation that was interrupted starts again.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(call told,Making $(VENV),$(PYTHON) -m venv --clear $(VENV))
	@awk '/^uv==/ {on = 1; print; next} /^[a-z]/ {on = 0} on' requirements.lock > $(VENV)/uv.txt
	$(call told,Installing uv which installs the rest,$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt)
	$(call told,Installing the locked packages and compiling them: one to three minutes,VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock)
	$(call told,Installing this project,VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .)
	@touch $@
