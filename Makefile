# Everything that is done with this project, by name. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO            ?= go
BIN           := $(CURDIR)/bin
BUILD         := $(CURDIR)/build
GOLANGCI_LINT := $(BIN)/golangci-lint-v2.15.0
BENCHSTAT     := $(BIN)/benchstat
FUZZTIME      ?= 30s
COUNT         ?= 6
TRIALS        ?= 20

# Each adapter and store is a module of its own, and so is what only tests need: nobody inherits what
# they do not use.
MODULES := $(shell scripts/modules)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run the demo: one session through five frameworks, at http://localhost:8080
	$(GO) run ./examples/demo

.PHONY: setup
setup: ## Install what the tests need and this machine lacks (Debian: gcc, Chromium, the servers)
	@scripts/setup
	@scripts/install-backends

.PHONY: backends
backends: setup ## Start the servers that the tests use, and print how to find them, until Ctrl-C
	$(GO) run ./internal/cmd/backends

.PHONY: test
test: setup ## Set up what is needed, then run everything under the race detector (but the mutants), in a browser too
	@scripts/test $(BUILD)

.PHONY: pictures
pictures: compat ## Put the last test run's pictures and versions into the documents (needs Chromium)
	cp $(BUILD)/conformance.svg docs/images/conformance.svg
	chromium --headless=new --no-sandbox --hide-scrollbars --window-size=1280,900 \
		--screenshot=$(CURDIR)/docs/images/conformance-page.png \
		"file://$(BUILD)/conformance.html#level=pair&cell=pair+gin+cookie+pair%2Frenew-twice"

.PHONY: compat
compat: ## Put the versions that the last test run met into docs/backends.md
	cd internal/tests && $(GO) run ./cmd/report -backends $(BUILD)/backends.json -update-docs $(CURDIR)/docs/backends.md $(BUILD)/conformance.json

.PHONY: check
check: $(GOLANGCI_LINT) ## What CI checks before the tests: vet, linters, tidy modules, formatting, a release
	for module in $(MODULES); do (cd $$module && export GOWORK=off && $(GO) mod tidy -diff && $(GO) vet ./...) || exit 1; done
	$(GOLANGCI_LINT) run $(addsuffix /...,$(filter-out %testservers,$(MODULES)))
	scripts/release
	scripts/apidiff

.PHONY: bench
bench: setup $(BENCHSTAT) ## Measure against stock scs in one run, on Redis too, and print the ratios
	@mkdir -p $(BUILD)
	$(GO) test -run '^$$' -bench 'Codec|Request' -benchmem -count $(COUNT) -benchtime 0.3s . | tee $(BUILD)/bench.txt
	@echo
	$(BENCHSTAT) -filter '/op:(encode OR decode) /codec:(gob OR scskit)' -col /codec $(BUILD)/bench.txt
	$(BENCHSTAT) -filter '/stack:(scs OR scskit) /op:(read OR write OR untouched)' -col /stack $(BUILD)/bench.txt
	$(BENCHSTAT) -filter '/stack:(bare OR scskit) /op:lazy-untouched' -col /stack $(BUILD)/bench.txt
	@$(GO) run ./internal/cmd/ratios $(BUILD)/bench.txt
	@echo
	cd internal/bench && $(GO) run . | tee $(BUILD)/bench-redis.txt
	cd internal/tests && $(GO) run ./cmd/latency -svg $(BUILD)/latency.svg

.PHONY: latency
latency: setup ## Measure how long requests take on every backend, and draw it for the documents
	cd internal/tests && $(GO) run ./cmd/latency -svg $(CURDIR)/docs/images/latency.svg

.PHONY: trials
trials: setup ## Repeat the checks of races, on every adapter and backend: TRIALS=20 times
	$(GO) run ./internal/cmd/backends -- $(GO) test ./internal/tests/matrix -count $(TRIALS) -timeout 60m \
		-run 'TestMatrix/.*/.*/pair/(parallel-keys|logout-beats-.*|renew-.*|remember-merged|destroy-twice)$$'

.PHONY: sweep
sweep: setup ## Sweep a million expired sessions beside readers and writers, on each SQL database
	for db in sqlite postgresql mysql; do \
		$(GO) test ./internal/tests/sqlstore -run "TestSweepBesideReaders/$$db\$$" -sweeprows 1000000 -count 1 -timeout 30m -v; \
	done

.PHONY: fuzz
fuzz: ## Fuzz everything that parses bytes from outside; FUZZTIME=10m for each target
	@scripts/fuzz $(FUZZTIME)

COVERED = $(shell $(GO) list work | grep -vE "scskit/(internal|examples)" | paste -sd,)

.PHONY: cover
cover: setup ## Measure the coverage of the packages that applications import
	@mkdir -p $(BUILD)
	$(GO) run ./internal/cmd/backends -- $(GO) test -coverprofile $(BUILD)/cover.out -coverpkg $(COVERED) work
	$(GO) tool cover -html $(BUILD)/cover.out -o $(BUILD)/cover.html
	@$(GO) tool cover -func $(BUILD)/cover.out | tail -1

.PHONY: footprint
footprint: ## Build four programs with sessions and without, and print what they inherit
	cd internal/tests/footprint && GOWORK=off $(GO) test -count 1 -timeout 30m -update -v . && git diff --stat ../../../docs/modules.md

.PHONY: test-latest
test-latest: setup ## Upgrade every dependency in a scratch copy, and run the tests there
	@scripts/test-latest

$(GOLANGCI_LINT):
	GOBIN=$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(BIN)/golangci-lint $@

$(BENCHSTAT):
	GOBIN=$(BIN) $(GO) install golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
