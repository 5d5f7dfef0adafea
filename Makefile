# The commands for working on this project. `make help` lists them.
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

# Adapters, stores and tests are separate modules, so that programs require only what they use.
MODULES := $(shell scripts/modules)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run the demo: one session in seven frameworks, at http://localhost:8080
	$(GO) run ./examples/demo

.PHONY: setup
setup: ## Install missing programs that the tests need (on Debian)
	@scripts/setup
	@scripts/install-backends

.PHONY: backends
backends: setup ## Run the servers of the tests until Ctrl-C, and print their variables
	$(GO) run ./internal/cmd/backends

.PHONY: test
test: setup ## Run all tests, under the race detector except for the mutants
	@scripts/test $(BUILD)

.PHONY: pictures
pictures: compat ## Update pictures and versions in docs from the last test run (needs Chromium)
	cp $(BUILD)/conformance.svg docs/images/conformance.svg
	chromium --headless=new --no-sandbox --hide-scrollbars --window-size=1280,900 \
		--screenshot=$(CURDIR)/docs/images/conformance-page.png \
		"file://$(BUILD)/conformance.html#level=pair&cell=pair+gin+cookie+pair%2Frenew-twice"

.PHONY: compat
compat: ## Update the versions in docs/backends.md from the last test run
	cd internal/tests && $(GO) run ./cmd/report -backends $(BUILD)/backends.json \
		-update-docs $(CURDIR)/docs/backends.md $(BUILD)/conformance.json

.PHONY: check
check: $(GOLANGCI_LINT) ## Check tidy modules, vet, linters, and a release that changes nothing
	export GOWORK=off; for module in $(MODULES); do \
		(cd $$module && $(GO) mod tidy -diff && $(GO) vet ./...) || exit 1; \
	done
	$(GOLANGCI_LINT) run $(addsuffix /...,$(filter-out %testservers,$(MODULES)))
	scripts/release
	scripts/apidiff

.PHONY: bench
bench: setup $(BENCHSTAT) ## Compare with stock scs, in memory and on Redis, and print the ratios
	@mkdir -p $(BUILD)
	$(GO) test -run '^$$' -bench 'Codec|Request' -benchmem -count $(COUNT) -benchtime 0.3s . \
		| tee $(BUILD)/bench.txt
	@echo
	$(BENCHSTAT) -col /codec \
		-filter '/op:(encode OR decode) /codec:(gob OR scskit)' $(BUILD)/bench.txt
	$(BENCHSTAT) -col /stack \
		-filter '/stack:(scs OR scskit) /op:(read OR write OR untouched)' $(BUILD)/bench.txt
	$(BENCHSTAT) -col /stack \
		-filter '/stack:(bare OR scskit) /op:lazy-untouched' $(BUILD)/bench.txt
	@$(GO) run ./internal/cmd/ratios $(BUILD)/bench.txt
	@echo
	cd internal/bench && $(GO) run . | tee $(BUILD)/bench-redis.txt
	cd internal/tests && $(GO) run ./cmd/latency -svg $(BUILD)/latency.svg

.PHONY: latency
latency: setup ## Measure the latency of requests on every backend, for docs/images/latency.svg
	cd internal/tests && $(GO) run ./cmd/latency -svg $(CURDIR)/docs/images/latency.svg

RACES := parallel-keys|logout-beats-.*|renew-.*|remember-merged|destroy-twice

.PHONY: trials
trials: setup ## Run the checks of races TRIALS=20 times, on every adapter and backend
	$(GO) run ./internal/cmd/backends -- \
		$(GO) test ./internal/tests/matrix -count $(TRIALS) -timeout 60m \
		-run 'TestMatrix/.*/.*/pair/($(RACES))$$'
	$(GO) run ./internal/cmd/backends -- \
		$(GO) test ./internal/tests/matrix -count 1 -timeout 60m -v -trials $(TRIALS) -run TestTrials

SESSIONS ?= 200000
CLIENTS  ?= 50

.PHONY: move-trial
move-trial: setup ## Move 200,000 sessions between servers while 50 clients use them
	$(GO) run ./internal/cmd/backends -only redis,postgres,dynamodb -- \
		$(GO) test ./internal/tests/migrate -run TestBetween -sessions $(SESSIONS) \
		-clients $(CLIENTS) -count 1 -timeout 120m -v

.PHONY: sweep
sweep: setup ## Sweep a million expired sessions under load, on each SQL database
	for db in sqlite postgresql mysql; do \
		$(GO) test ./internal/tests/sqlstore -run "TestSweepBesideReaders/$$db\$$" \
			-sweeprows 1000000 -count 1 -timeout 30m -v; \
	done

.PHONY: users
users: setup ## Measure SessionsOf and DestroySessionsOf beside a million sessions, on every backend
	cd internal/tests && $(GO) run ./cmd/users

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME=30s
	@scripts/fuzz $(FUZZTIME)

COVERED = $(shell $(GO) list work | grep -vE "scskit/(internal|examples)" | paste -sd,)

.PHONY: cover
cover: setup ## Measure the coverage of the packages that applications import
	@mkdir -p $(BUILD)
	$(GO) run ./internal/cmd/backends -- \
		$(GO) test -coverprofile $(BUILD)/cover.out -coverpkg $(COVERED) work
	$(GO) tool cover -html $(BUILD)/cover.out -o $(BUILD)/cover.html
	@$(GO) tool cover -func $(BUILD)/cover.out | tail -1

.PHONY: footprint
footprint: ## Update the table in docs/modules.md of what programs inherit from scskit
	cd internal/tests/footprint && GOWORK=off $(GO) test -count 1 -timeout 30m -update -v .
	git diff --stat docs/modules.md

.PHONY: test-latest
test-latest: setup ## Test with the latest version of every dependency, in a copy
	@scripts/test-latest

$(GOLANGCI_LINT):
	GOBIN=$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(BIN)/golangci-lint $@

$(BENCHSTAT):
	GOBIN=$(BIN) $(GO) install golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
