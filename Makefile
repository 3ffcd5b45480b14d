# Every target works from a fresh clone; `make` alone lists them.
GO ?= go
# make lint runs vet. Programs that look for races spend their time on memory: they run faster if they give it back more rarely.
TEST = GOGC=400 $(GO) test -race -shuffle=on -vet=off -timeout $(TIMEOUT)
TOOL = $(GO) tool -modfile=tools/go.mod
BENCHTOOL = $(GO) tool -modfile=../tools/go.mod
FUZZTIME ?= 10s
MINUTES ?= 10
QUICK ?= 1m
TIMEOUT ?= 30m
SERVERS ?=
SUITES ?=

.DEFAULT_GOAL := help
.PHONY: help demo page race test test-servers test-rest test-bench test-others test32 matrix servers soak bench deps lint fmt fuzz fresh

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the tour on embedded SQLite: nothing is needed but Go
	$(GO) run ./examples/multidb

test: deps ## run all tests, on real servers too; installs those if they are missing; TIMEOUT (30m) limits each package
	$(GO) build -race ./... # once, before two runs at a time ask for it
	@$(MAKE) --no-print-directory -j2 test-servers test-rest test-bench test-others

# The parts of make test, two at a time: the package that takes longest, all others of the module, a package at a time, the comparison, and what is
# beside these.
test-servers:
	$(TEST) ./integration

test-rest:
	$(TEST) -p 1 $$($(GO) list ./... | grep -v '/integration$$')

# What is beside the library is tested without the race detector, which its many dependencies would be compiled for once more; make race does it with.
PLAIN = $(subst -race ,,$(TEST))

test-bench:
	cd bench && $(PLAIN) -p 1 ./...

test-others:
	cd integration/river && $(TEST) ./... # a module of its own: no user needs River
	cd examples/metrics && $(PLAIN) ./... # likewise: nobody needs Prometheus
	cd cmd/bindery && $(PLAIN) ./...
	@$(MAKE) --no-print-directory test32
	$(GO) run ./internal/matrix -quick -j 3 -for $(QUICK)

race: deps ## run the tests of the comparison, the command and the examples with the race detector, too, which make test leaves out there
	for module in bench examples/metrics cmd/bindery; do (cd $$module && $(TEST) -p 1 ./...) || exit; done

test32: ## run the tests that need no server as a 32-bit program, where the machine can: Linux on amd64
	@GO="$(GO)" scripts/test32.sh -timeout $(TIMEOUT)

page: deps ## look at the status page in headless Chromium; installs that if it is missing; BINDERY_SCREENSHOTS names a folder for pictures
	@scripts/install-browser.sh
	cd integration/page && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./... && $(GO) tool -modfile=../../tools/go.mod errcheck ./...
	cd integration/page && $(TEST) -count=1 ./...

matrix: ## run the tests on every server version, for an hour; writes docs/servers.md; SERVERS and SUITES choose
	$(GO) run ./internal/matrix -suites "$(SUITES)" $(SERVERS)

servers: ## fetch the server versions of the matrix into a cache folder of yours; SERVERS chooses
	@scripts/servers.sh $(SERVERS)

soak: deps ## check histories on real servers for MINUTES (10), and 200 in memory; BINDERY_SOAK_SEED, BINDERY_SIMULATION_SEED replay one
	BINDERY_SIMULATIONS=200 $(GO) test -count=1 -v -run '^TestSimulation$$' -timeout 20m ./router
	BINDERY_SOAK_MINUTES=$(MINUTES) $(GO) test -race -count=1 -v -run '^(TestHistory(_syncReplication)?|TestSteadyLag)$$' -timeout $$(($(MINUTES) + 10))m ./integration

bench: deps ## measure side by side with other libraries for a quarter of an hour; writes bench/RESULTS.md
	cd bench && $(GO) run . -out RESULTS.md -front ../README.md

fresh: ## run make demo and make test on a bare Debian 12, in a chroot, as root and as a user with sudo
	@GO="$(GO)" scripts/fresh.sh

deps: ## install the PostgreSQL and MariaDB servers that the tests start, if they are missing
	@scripts/install-servers.sh

lint: ## check format and run vet, staticcheck, errcheck and, where its database can be reached, govulncheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) errcheck ./...
	cd bench && $(GO) vet ./... && $(BENCHTOOL) staticcheck ./... && $(BENCHTOOL) errcheck ./...
	for module in integration/river examples/metrics cmd/bindery; do (cd $$module && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./... && $(GO) tool -modfile=../../tools/go.mod errcheck ./...) || exit; done
	@GO="$(GO)" scripts/vulncheck.sh . bench integration/river examples/metrics cmd/bindery

fmt: ## format all Go files
	gofmt -w .

fuzz: ## run every fuzz target for FUZZTIME (10s)
	@scripts/fuzz.sh $(FUZZTIME)
