// Package scaffold writes a first slipway.yaml for a repository, by what it finds
// there.
package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Write returns a slipway.yaml for the repository in fsys, and in one line what
// was found there. name is the service's, such as the folder's. What can't be
// delivered as it is stands in comments. The result parses.
func Write(fsys fs.FS, name string, kinds extension.Set) (file []byte, found string, err error) {
	s, err := detect(fsys)
	if err != nil {
		return nil, "", fmt.Errorf("inspect the repository: %w", err)
	}
	s.Service = serviceName(name)
	var out bytes.Buffer
	form, err := template.New(config.FileName).Delims("<<", ">>").Funcs(template.FuncMap{"word": yamlString}).Parse(fileTemplate)
	if err == nil {
		err = form.Execute(&out, s)
	}
	if err != nil {
		return nil, "", fmt.Errorf("write %s: %w", config.FileName, err)
	}
	file = append(bytes.TrimSpace(blankLines.ReplaceAll(out.Bytes(), []byte("\n\n"))), '\n')
	if _, err := config.Parse(config.FileName, file, nil, kinds); err != nil {
		return nil, "", fault.New(fault.Internal, "generate %s", config.FileName).Cause(err)
	}
	return file, s.String(), nil
}

var (
	blankLines       = regexp.MustCompile(`\n{3,}`)
	invalidNameChars = regexp.MustCompile(`[^a-z0-9]+`)
)

// serviceName makes a name of any text.
func serviceName(text string) string {
	name := strings.Trim(invalidNameChars.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if len(name) > 50 {
		name = strings.Trim(name[:50], "-")
	}
	switch {
	case name == "":
		return "service"
	case name[0] < 'a' || yamlKeywords[name]:
		return "service-" + name
	}
	return name
}

// yamlKeywords are the words that YAML does not take for text.
var yamlKeywords = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true}

var plainWordPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z/-]*$`)

// yamlString writes a name so that YAML takes it for text.
func yamlString(name string) string {
	if plainWordPattern.MatchString(name) && !yamlKeywords[strings.ToLower(name)] {
		return name
	}
	return strconv.Quote(name)
}

const fileTemplate = `# yaml-language-server: $schema=` + config.SchemaID + `
version: 1
service: <<.Service>>

# A commit that changes only these files is not delivered.
source: {ignore: ["**.md", "docs/**"]}

<<if or .GoTests .PythonTests .GoModule>># Commands that must succeed first. They run in parallel, in a clean checkout.
test:
<<- if .GoModule>>
  - {name: vet, run: go vet ./...}
<<- end>>
<<- if .GoTests>>
  - {name: unit, run: go test -json ./..., report: go}
<<- end>>
<<- if .PythonTests>>
  - {name: python, run: "pytest -q --junitxml={{.Report}}", report: junit<<if .Installs>>, python: {<<.Installs>>}<<end>>}
<<- end>>
<<- else>># No tests were found. Add them here:
# test:
#   - {name: unit, run: make test}
<<- end>>

<<if and .Dockerfile .Server>># There is a <<.Dockerfile>>, too: build: {dockerfile: <<.Dockerfile>>} builds it with BuildKit.
<<else if .Dockerfile>># Built by BuildKit: $BUILDKIT_HOST, Docker, or a buildkitd that Slipway starts. COPY
# takes files from the folder of this file; context: another/folder changes that.
<<else if not .Server>># No Go main package of a server was found, and no Dockerfile: replace ./cmd/api by
# yours, or write dockerfile: path/to/Dockerfile instead of go.
<<end>>image: {build: {<<if and .Dockerfile (not .Server)>>dockerfile: <<.Dockerfile>><<else>>go: <<or .Server "./cmd/api">><<end>>}, repository: <<.Service>>}

# Known vulnerabilities stop the image before it is pushed. The first run downloads
# the scanner's database; without network: slipway scan db import FILE.
# scan: {fail_on: [HIGH, CRITICAL]}

# Image and model get signatures, bills of materials and provenance. slipway keys
# generate makes a key; trust in an environment refuses what it did not sign.
# sign: {key: "${COSIGN_KEY}", passphrase: "${COSIGN_PASSWORD}"}

<<if .Train>>model:
  group: <<.Service>>-model
<<- if .Data>>
  # Its content is part of every model's lineage. DATA=other.csv takes another file.
  data: ["${DATA:-<<.Data>>}"]
<<- end>>
  train:
    run: <<.Train>>
<<- if .TrainInputs>>
    inputs: <<.TrainInputs>> # it is trained again when one of these or the data changes
<<- end>>
    timeout: 1h
  evaluate:
    run: <<.Evaluate>>
<<- if .EvalInputs>>
    inputs: <<.EvalInputs>>
<<- end>>
    # CEL over the metrics that evaluation wrote; champion is the model that serves.
    gates:
<<- range .Gates>>
      - <<.>>
<<- end>>
  approve: manual # or auto: a model that passed its gates needs no person
<<else>># No training was found. With only a group, the newest approved version of the
# model is delivered:
# model: {group: <<.Service>>-model}
<<end>>
deploy:
<<- if .Manifests>>
  # manifests: [<<.Manifests>>] # what runs in Kubernetes; see prod below
<<- end>>
  health: <<.Health>> # answers {"status", "release", "model_version"}
  # A new release has to answer these before it gets any traffic:
  # smoke:
  #   - {name: predict, post: /predict, json: {x: 1}, expect: ["body.class in ['A', 'B']"]}
  watch: {error_rate: 0.01} # p95: 500ms

# Environments may choose their stages: with until: build, and without a target, one
# only validates; with from: staging it gets what staging accepted, and builds nothing:
#   staging: {on: {push: develop}, target: {local: {}}, deploy: {replicas: 1}}
environments:
  dev: {on: {pull_request: <<word .Branch>>}, target: {local: {}}}
  prod: {on: {push: <<word .Branch>>}, target: {local: {port: 18080}}, bake: 30s} # approvals: 1
<<- if .Manifests>>
  # In Kubernetes instead, with deploy.manifests (docs/kubernetes-role.yaml has the
  # rights that it takes). Nodes pull from "slipway registry" at that address; with
  # a registry's host before image.repository, leave it out.
  # prod:
  #   on: {push: <<word .Branch>>}
  #   target: {kubernetes: {context: <<.Service>>, namespace: <<.Service>>, registry: "127.0.0.1:5000"}}
  #   bake: 30s
<<- end>>

# Secrets are only ever named:
# notify: [{webhook: "${HOOK_URL}", secret: "${HOOK_SECRET}"}, {chat: "${CHAT_URL}"}]
`
