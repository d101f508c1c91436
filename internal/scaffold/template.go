package scaffold

import "github.com/slipway-cd/slipway/internal/config"

const fileTemplate = `# yaml-language-server: $schema=` + config.SchemaID + `
version: 1
service: <<.Service>>
<<- if .Inputs>>

# What a start by hand asks for: <<join .Inputs "; ">>.
<<- end>>

# A commit that changes only these files is not delivered.
source: {ignore: [<<if .Ignore>><<join .Ignore ", ">><<else>>"**.md", "docs/**"<<end>>]}

<<if .TestsRun>># Commands that must succeed first. They run in parallel, in a clean checkout.
test:
<<- else if .Tests>># The tests that were found can't run as they are:
# test:
<<- else>># No tests were found. Add them here:
# test:
#   - {name: unit, run: make test}
<<- end>>
<<- range .Tests>>
<<- if .Problem>>
  # <<.Problem>> (<<.Source>>)
  # - <<.YAML>>
<<- else>>
  - <<.YAML>><<if .Source>> # <<.Source>><<end>>
<<- end>>
<<- end>>

<<if and .Dockerfile .Server>># There is a <<.Dockerfile>>, too: build: {dockerfile: <<.Dockerfile>>} builds it with BuildKit.
<<else if .Dockerfile>># Built by BuildKit: $BUILDKIT_HOST, Docker, or a buildkitd that Slipway starts. COPY
# takes files from <<if .ShowsContext>>the folder <<.Context>><<else>>the folder of this file; context: another/folder changes that<<end>>.
<<else if not .Server>># No Go main package of a server was found, and no Dockerfile: replace ./cmd/api by
# yours, or write dockerfile: path/to/Dockerfile instead of go.
<<end>>image: {build: {<<if .BuildsDockerfile>>dockerfile: <<.Dockerfile>><<if .ShowsContext>>, context: <<.Context>><<end>><<else>>go: <<or .Server "./cmd/api">><<end>>}, repository: <<.ImageRepository>>}<<if .RepositoryAt>> # <<.RepositoryAt>><<end>>

# Known vulnerabilities stop the image before it is pushed. The first run downloads
# the scanner's database; without network: slipway scan db import FILE.
# scan: {fail_on: [HIGH, CRITICAL]}

# Image and model get signatures, bills of materials and provenance. slipway keys
# generate makes a key; trust in an environment refuses what it did not sign.
# sign: {key: "${COSIGN_KEY}", passphrase: "${COSIGN_PASSWORD}"}

<<if .Train>>model:
  group: <<.ModelGroup>><<if .GroupAt>> # <<.GroupAt>><<end>>
<<- if .Data>>
  # Its content is part of every model's lineage. DATA=other.csv takes another file.
  data: ["${DATA:-<<.Data>>}"]
<<- end>>
  train: # <<.TrainSource>>
    run: <<quote .Train>><<if .Unsure>> # check its options<<end>>
<<- if .TrainInputs>>
    inputs: <<.TrainInputs>> # it is trained again when one of these or the data changes
<<- end>>
<<- if .TrainPython>>
    python: {<<.TrainPython>>}
<<- end>>
    timeout: 1h
  evaluate:<<if .EvalMetrics>> # <<.TrainSource>> writes the metrics
    from: train
    metrics: <<.EvalMetrics>>
<<- else>>
    run: <<quote .Evaluate>><<if .Unsure>> # check its options<<end>>
<<- end>>
<<- if .EvalInputs>>
    inputs: <<.EvalInputs>>
<<- end>>
<<- if .EvalPython>>
    python: {<<.EvalPython>>}
<<- end>>
    # CEL over the metrics that evaluation wrote; champion is the model that serves.
    gates:<<if .GatesAt>> # the metrics are in <<.GatesAt>><<end>>
<<- range .Gates>>
      - <<.>>
<<- end>>
  approve: manual # or auto: a model that passed its gates needs no person
<<else if .TrainProblem>># <<.TrainSource>> trains, but <<.TrainProblem>>. It becomes
# part of the delivery with:
# model:
#   group: <<.ModelGroup>>
#   train: {run: "python <<.TrainSource>> --output {{.Output}}"}
#   evaluate: {run: "python evaluate.py --model {{.Model}} --metrics {{.Metrics}}", gates: [accuracy >= 0.8]}
<<else>># No training was found. With only a group, the newest approved version of the
# model is delivered:
# model: {group: <<.ModelGroup>>}<<if .GroupAt>> # <<.GroupAt>><<end>>
<<end>>
deploy:
<<- if .KubeManifests>>
  # manifests: [<<.KubeManifests>>] # what runs in Kubernetes; see prod below
<<- end>>
<<- if .Port>>
  port: <<.Port>> # <<.PortAt>>
<<- end>>
  health: <<.Health>> # <<if .HealthAt>><<.HealthAt>><<else>>answers {"status", "release", "model_version"}<<end>>
<<- if .Ready>>
  ready: <<.Ready>> # <<.ReadyAt>>
<<- end>>
  # A new release has to answer these before it gets any traffic<<if .Predict>>. Write values
  # that the model accepts (<<.PredictAt>>)<<end>>:
  # smoke:
<<- if .Predict>>
  #   - {name: predict, post: <<.Predict>>, json: <<.Body>>, status: 200}
<<- else>>
  #   - {name: predict, post: /predict, json: {x: 1}, expect: ["body.class in ['A', 'B']"]}
<<- end>>
  watch: {error_rate: 0.01} # p95: 500ms

# Environments may choose their stages: with until: build, and without a target, one
# only validates; with from: staging it gets what staging accepted, and builds nothing<<if .Environments>>.<<else>>:
#   staging: {on: {push: develop}, target: {local: {}}, deploy: {replicas: 1}}<<end>>
environments:
<<- if .Environments>>
<<- range .Environments>>
  <<.Name>>: <<.Spec>><<if .Source>> # <<.Source>><<end>>
<<- end>>
<<- else>>
  dev: {on: {pull_request: <<word .Branch>>}, target: {local: {}}}
  prod: {on: {push: <<word .Branch>>}, target: {local: {port: 18080}}, bake: 30s} # approvals: 1
<<- end>>
<<- if .Cluster.Context>>
  # In the cluster instead (<<.Cluster.Source>>), with deploy.manifests
  # (docs/kubernetes-role.yaml has the rights that it takes)<<if .KubeService>>; the Service is
  # <<.KubeService>><<end>>.<<if .Cluster.Registry>> Its nodes pull from a registry that they know:
  # image: {repository: <<.Cluster.Registry>>/<<.ImageRepository>>}<<end>>
  # prod:
  #   on: {push: <<word .Branch>>}
  #   target: {kubernetes: {context: <<word .Cluster.Context>>, namespace: <<word (or .Cluster.Namespace "default")>><<if not .Cluster.Registry>>, registry: "127.0.0.1:5000"<<end>>}}
  #   bake: 5m
<<- else if .Manifests>>
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
