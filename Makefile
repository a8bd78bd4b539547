# Each target can be the first command on a bare Debian 12 or 13: what is missing is installed.

# The interpreter that .venv is made from.
export PYTHON ?= /usr/bin/python3

development := packaging/development
ready := .venv/ready
lock := $(development)/requirements.lock
fuzzers := build/fuzzers/ready

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(ready) ## Run the whole chain, from tap to export; ONCE=1 judges, HARDWARE=fake adds a board
	.venv/bin/python packaging/demo/demo.py $(if $(ONCE),--once) \
		$(if $(HARDWARE),--hardware $(HARDWARE))

.PHONY: test
test: $(ready) ## Run every test
	.venv/bin/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=10

.PHONY: test-faults
test-faults: $(ready) ## Try each fault often enough to be believed; says what became of the responses
	.venv/bin/pytest tests/faults --in-full

.PHONY: check
check: $(ready) ## Judge the code without running it: ruff, mypy, who may import whom
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

.PHONY: fuzz
fuzz: $(fuzzers) ## Look for bytes that break a decoder: SECONDS=3600; DECODER=record for one; KEEP=1 keeps ways found
	PYTHONPATH=tests:tests/fuzz:build/fuzzers .venv/bin/python tests/fuzz/campaign.py \
		--seconds $(or $(SECONDS),600) $(if $(DECODER),--decoder "$(DECODER)") $(if $(KEEP),--keep)

.PHONY: schemathesis
schemathesis: $(fuzzers) ## Try all that the pull API's description admits, and much that it doesn't
	PYTHONPATH=tests:tests/benchmarks:$(CURDIR)/build/fuzzers .venv/bin/python tests/fuzz/pulling.py $(ARGS)

.PHONY: screens
screens: $(ready) ## Draw each screen into build/screens
	.venv/bin/python packaging/demo/screens.py

.PHONY: bench
bench: $(ready) ## Measure against a baseline of the same run: NAME=store, wire, intake, export, kiosk or stamp
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
	PYTHONPATH=tests:packaging/demo .venv/bin/python tests/collector/pages/pictures.py build/pages

.PHONY: clean-room
clean-room: ## Prove demo and test in an empty Debian: SUITE=bookworm or trixie; RUN="check" for one
	$(development)/clean-room $(or $(SUITE),$(error Say which Debian: SUITE=bookworm or SUITE=trixie)) \
		$(if $(RUN),"$(RUN)")

.PHONY: packages
packages: $(ready) ## Build the Debian packages for arm64 and amd64 into dist
	packaging/debian/build

.PHONY: packages-test
packages-test: packages ## Try the packages in an empty Debian 13: install, use, remove, purge (as root)
	packaging/debian/try

.PHONY: image
image: $(ready) ## Build the image of a kiosk's card into dist (as root): VARIANT=pi5; FRESH=1 from nothing
	packaging/image/build $(if $(VARIANT),--variant $(VARIANT)) $(if $(FRESH),--fresh)

.PHONY: image-twice
image-twice: $(ready) ## Build the image twice from nothing, and compare the bytes: VARIANT=pi5
	packaging/image/build-twice $(if $(VARIANT),--variant $(VARIANT))

.PHONY: image-test
image-test: image ## Stamp the image, boot it, tap, cut its power ten times; all must arrive (as root)
	$(development)/debian-install qemu-system-arm
	PYTHONPATH=packaging/demo:packaging/emulator .venv/bin/python packaging/image/image_trial.py \
		"dist/regard-$$(sed -n 's/^version = "\(.*\)"$$/\1/p' pyproject.toml).img.xz"

.PHONY: image-lock
image-lock: $(ready) ## Pin the newest Debian packages for the image, and for what it is made with
	.venv/bin/python packaging/image/resolve.py

.PHONY: packages-boot
packages-boot: packages ## Try them in a booted Debian 13 with a screen: install, tap, hang, remove, purge (as root)
	packaging/debian/boot

.PHONY: lock
lock: ## Pin what pyproject.toml newly asks for; UPGRADE=1 moves every pin to the newest
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --universal --generate-hashes --extra dev \
		--custom-compile-command "make lock" --output-file $(lock) \
		$(if $(UPGRADE),--upgrade) pyproject.toml
	build/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" --output-file $(development)/fuzz.lock \
		$(if $(UPGRADE),--upgrade) --constraint $(lock) $(development)/fuzz.in
	for package in "kiosk --extra agent" collector; do \
		build/lock/bin/uv pip compile --quiet --python-version 3.13 --python-platform linux \
			--generate-hashes --no-annotate --constraint $(lock) --extra $$package \
			--custom-compile-command "make lock" \
			--output-file packaging/debian/regard-$${package%% *}.lock pyproject.toml; \
	done

.PHONY: clean
clean: ## Remove what builds, checks and tests left; .venv stays
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(fuzzers): $(ready) $(development)/fuzz.lock
	rm -rf build/fuzzers
	.venv/bin/pip install --quiet --only-binary :all: --require-hashes \
		--target build/fuzzers --requirement $(development)/fuzz.lock
	touch $@

$(ready): pyproject.toml $(lock) $(addprefix $(development)/,debian-packages.txt bootstrap)
	$(development)/bootstrap
