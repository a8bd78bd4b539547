# Each target can be the first command on a bare Debian 12 or 13: what is missing is installed.

# The interpreter that .venv is made from.
export PYTHON ?= /usr/bin/python3

development := packaging/development
ready := .venv/ready
lock := $(development)/requirements.lock

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(ready) ## Run the whole chain, from tap to export; ONCE=1 ends by itself and judges
	.venv/bin/python packaging/demo/demo.py $(if $(ONCE),--once)

.PHONY: test
test: $(ready) ## Run every test
	.venv/bin/pytest --durations=10

.PHONY: test-faults
test-faults: $(ready) ## Try each fault often enough to be believed; says what became of the responses
	.venv/bin/pytest tests/faults --in-full

.PHONY: check
check: $(ready) ## Judge the code without running it: ruff, mypy, who may import whom
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

.PHONY: screens
screens: $(ready) ## Draw each screen into build/screens
	.venv/bin/python packaging/demo/screens.py

.PHONY: bench
bench: $(ready) ## Measure against a baseline of the same run: NAME=store, wire, intake, export or kiosk
	PYTHONPATH=tests:packaging/demo .venv/bin/python \
		tests/benchmarks/$(or $(NAME),$(error Say what to measure: see make help)).py $(ARGS)

.PHONY: fleet
fleet: $(ready) ## Let a herd of kiosks come back at once and judge what arrived: KIOSKS=2000 or 10000
	PYTHONPATH=tests:tests/benchmarks .venv/bin/python \
		tests/fleet/reconnecting.py --kiosks $(or $(KIOSKS),$(error Say how many: KIOSKS=2000)) $(ARGS)

.PHONY: soak
soak: $(ready) ## Use the kiosk's screen for 20,000 sessions: does it grow or slow down?
	PYTHONPATH=tests:packaging/demo .venv/bin/python tests/benchmarks/soak.py $(ARGS)

.PHONY: pages
pages: $(ready) ## Take a picture of each page, at three widths, into build/pages
	PYTHONPATH=tests .venv/bin/python tests/collector/pages/pictures.py build/pages

.PHONY: clean-room
clean-room: ## Prove demo and test in an empty Debian: SUITE=bookworm or trixie; RUN="check" for one
	$(development)/clean-room $(or $(SUITE),$(error Say which Debian: SUITE=bookworm or SUITE=trixie)) \
		$(if $(RUN),"$(RUN)")

.PHONY: lock
lock: ## Pin what pyproject.toml newly asks for; UPGRADE=1 moves every pin to the newest
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --universal --generate-hashes --extra dev \
		--custom-compile-command "make lock" --output-file $(lock) \
		$(if $(UPGRADE),--upgrade) pyproject.toml

.PHONY: clean
clean: ## Remove what builds, checks and tests left; .venv stays
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(ready): pyproject.toml $(lock) $(addprefix $(development)/,debian-packages.txt bootstrap)
	$(development)/bootstrap
