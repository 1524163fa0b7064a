# make demo    one command on a fresh machine: a real release walks to production
# make test    everything once: unit, command line, end-to-end on the lab
# make help    the other targets
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GAUNTLET := bin/gauntlet
TOOLS    := bin/helm3 bin/sops bin/age-keygen bin/gotestsum
LAB := bin/lab

.PHONY: help build demo drills test test-suites test-unit test-e2e test-lab test-long test-z2jh vet lab-up lab-down lab-status bench clean FORCE

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

build: $(LAB) $(GAUNTLET) ## compile bin/gauntlet and bin/lab

$(LAB): FORCE
	@go build -o $@ ./cmd/lab

$(GAUNTLET): FORCE
	@test -e $@ || echo "==> compiling gauntlet (about 4 min the first time, seconds after)"
	@go build -o $@ ./cmd/gauntlet

demo: $(LAB) ## bring the lab up and walk a release to production
	@$(LAB) up
	@$(MAKE) --no-print-directory $(GAUNTLET)
	@$(GAUNTLET) demo

lab-up: $(LAB) ## three Kubernetes clusters, a registry and a builder on this machine
	@$(LAB) up

lab-down: $(LAB) ## stop the lab and leave nothing behind
	@$(LAB) down

lab-status: $(LAB) ## what of the lab is up
	@$(LAB) status

vet: ## go vet and gofmt
	@test -z "$$(gofmt -l cmd internal lab e2e bench 2>/dev/null | tee /dev/stderr)"
	go vet ./...

test-unit: vet ## unit tests and command line scripts
	go test ./cmd/... ./internal/... ./lab/...

# What teams work with before gauntlet comes, and go on with.
bin/helm3: TOOL := helm.sh/helm/v3/cmd/helm
bin/sops: TOOL := github.com/getsops/sops/v3/cmd/sops
bin/age-keygen: TOOL := filippo.io/age/cmd/age-keygen
# go test -v, with what failed once more at the end: a run prints thousands of lines.
bin/gotestsum: TOOL := gotest.tools/gotestsum
$(TOOLS):
	@echo "==> compiling $(@F) for the tests (a minute or two, once)"
	@go build -C e2e/tools -o $(CURDIR)/$@ $(TOOL)

# Object storage that speaks S3, for the tests of the suite storage.
bin/versitygw:
	@echo "==> compiling $(@F) for the tests (a minute or two, once)"
	@go build -C e2e/tools/s3 -o $(CURDIR)/$@ github.com/versity/versitygw/cmd/versitygw

test-e2e: $(LAB) $(GAUNTLET) $(TOOLS) ## end-to-end on the lab
	bin/gotestsum --format standard-verbose -- -count=1 -timeout 60m -parallel 5 ./e2e/...

drills: $(LAB) $(GAUNTLET) ## only the drills: faults on real hubs; the table goes to bin/drills.md and .json
	@$(LAB) up
	GAUNTLET_DRILLS=$(CURDIR)/bin/drills go test -count=1 -timeout 30m -parallel 4 -v -run 'TestEndToEnd/(demo walks|beside each other)/drills' ./e2e

# On images that the demonstration has made: make demo. Their tag is what its values ask for.
TEST_TAG := sed -n 's/^ *tag: "\([0-9a-f]*\)"$$/\1/p' /var/lib/gauntlet-lab/demo/platform/jupyter-config.yml
TEST_REGISTRY := 172.29.0.1:5000
TEST_LAB = GAUNTLET_TEST_CONTEXT=bleeding-edge GAUNTLET_TEST_REGISTRY=$(TEST_REGISTRY) GAUNTLET_TEST_HELM3=$(CURDIR)/bin/helm3 GAUNTLET_TEST_TOOLS=$(CURDIR)/bin \
	GAUNTLET_TEST_IMAGE=$(TEST_REGISTRY)/platform/base:bookworm GAUNTLET_TEST_NOTEBOOK=$(TEST_REGISTRY)/platform/notebook:$$($(TEST_TAG)) \
	GAUNTLET_TEST_HUB=$(TEST_REGISTRY)/platform/hub:6.1.1-1

test-lab: $(LAB) $(TOOLS) bin/versitygw ## the packages' own tests on the lab, after make demo (about 45 min)
	@eval "$$($(LAB) env)"; $(TEST_LAB) GAUNTLET_LONG=1 go test -count=1 -timeout 60m -p 1 -run 'TestLab|Store' ./internal/...

test-z2jh: $(LAB) $(GAUNTLET) $(TOOLS) ## on zero-to-jupyterhub itself, after make demo: CHARTS=what e2e/testdata/z2jh/prepare made
	GAUNTLET_Z2JH=$(abspath $(CHARTS)) go test -count=1 -timeout 20m -v -run TestZeroToJupyterHub ./e2e

# The lab's tests of the suites, but for those that take long: make test-lab has all.
test-suites: $(LAB) $(TOOLS) bin/versitygw
	@command -v chromium >/dev/null || { echo "==> installing Debian packages (about 30 s): chromium"; \
		apt-get update -q >/dev/null && apt-get install -qy --no-install-recommends chromium >/dev/null; }
	@eval "$$($(LAB) env)"; $(TEST_LAB) bin/gotestsum --format standard-verbose -- -count=1 -timeout 20m \
		-run 'TestLab(Scaling|Nodes|Storage|Viz)' ./internal/check/suites

test: $(LAB) ## everything once
	@$(LAB) up || { [ -z "$${CI:-}" ] && echo "==> no lab: the end-to-end tests will say why"; }
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-e2e
	@if [ -n "$${CI:-}" ] || $(LAB) status >/dev/null 2>&1; then $(MAKE) --no-print-directory test-suites; fi

test-long: $(LAB) $(GAUNTLET) ## what repeats: races, fuzzing, thirty random kills, the lab taken down and up
	go test -race -timeout 20m ./internal/...
	@for target in $$(grep -rlE '^func Fuzz' --include=*_test.go internal | xargs -n1 dirname | sort -u); do \
	  for fuzz in $$(grep -hoE '^func Fuzz[A-Za-z]+' $$target/*_test.go | cut -c6-); do \
	    echo "==> $$fuzz in $$target"; go test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) ./$$target; done; done
	$(LAB) up
	@$(MAKE) --no-print-directory test-lab
	@eval "$$($(LAB) env)"; $(TEST_LAB) GAUNTLET_RUNS=20 go test -count=1 -timeout 120m -v -run TestLabManyRuns ./internal/check/suites
	GAUNTLET_LATE_NODE=4m GAUNTLET_UPGRADES=10 go test -count=1 -timeout 40m -parallel 2 -v -run 'TestEndToEnd/(demo walks|beside each other)/(drills|a held kernel)/what passes' ./e2e
	GAUNTLET_LONG=1 go test -count=1 -timeout 20m -v -run "Test(Migration|OlderNotebooks|BadPairsFromDebian)" ./e2e
	GAUNTLET_KILLS=30 go test -count=1 -timeout 120m -parallel 3 -v -run TestRandomKills ./e2e
	GAUNTLET_LAB_TEST=1 go test -count=1 -timeout 30m -v -run 'TestLab|TestNodesForDrills' ./lab

FUZZTIME ?= 30s

bench: $(LAB) $(GAUNTLET) ## measured side by side with what people use today
	@$(LAB) up
	@bench/run walk
	@bench/run deploy

clean: ## remove what was compiled here (the lab keeps its own: make lab-down)
	rm -rf bin

FORCE:
