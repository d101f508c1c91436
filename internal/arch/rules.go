// Package arch holds the import rules of the product as data, and the test that
// every file keeps them.
package arch

import "slices"

// rule is what a package, and those below it, may import of ours; with a slash at
// the end, only those below it.
type rule struct {
	pkg string
	may []string
	why string
}

var words = []string{"internal/delivery", "internal/fault", "internal/event", "internal/release"}

func with(more ...string) []string { return slices.Concat(words, text, more) }

// text and tools are small shared helpers, which import nothing but words and ports.
// Those in tools touch files or time: packages that are pure may not have them.
var (
	text  = []string{"internal/environ", "internal/logcap", "internal/loopback", "internal/quantile", "internal/redact", "internal/termtext", "internal/textline"}
	tools = []string{"internal/atomicfile", "internal/dumpable", "internal/filetrust", "internal/flock", "internal/sandbox", "internal/scratch", "internal/wait"}
)

func withTools(more ...string) []string { return with(slices.Concat(tools, more)...) }

var rules = []rule{
	{"internal/delivery", nil, "the vocabulary imports nothing internal"},
	{"internal/fault", []string{"internal/delivery"}, "errors import the vocabulary only"},
	{"internal/release", []string{"internal/delivery"}, "naming releases is pure"},
	{"internal/event", []string{"internal/delivery"}, "events import the vocabulary only"},
	{"internal/port", append([]string{"internal/account"}, words...), "ports import words, not their users or adapters"},
	{"internal/port/porttest", with("internal/account", "internal/port", "internal/port/*", "internal/ocilayout"), "suites import ports, never an adapter"},
	{"internal/anchor", with("internal/port"), "which log an environment has is found by ports alone"},
	{"internal/gate", words, "gates are pure"},
	{"internal/redact", words, "redaction is pure"},
	{"internal/atomicfile", nil, "atomic file writes import nothing internal"},
	{"internal/flock", []string{"internal/wait"}, "file locks import nothing internal but how to wait"},
	{"internal/scratch", []string{"internal/filetrust", "internal/flock"}, "temporary folders are owned by locks"},
	{"internal/wait", nil, "waiting imports nothing internal"},
	{"internal/quantile", []string{"internal/port"}, "quantiles import the ports' histograms only"},
	{"internal/termtext", nil, "text helpers import nothing internal"},
	{"internal/environ", nil, "the list of inherited variables is data"},
	{"internal/logcap", nil, "limiting a log imports nothing internal"},
	{"internal/memorytest", nil, "measuring a test imports nothing internal"},
	{"internal/loopback", nil, "which hosts are this machine imports nothing internal"},
	{"internal/filetrust", nil, "whose a file is imports nothing internal"},
	{"internal/dumpable", nil, "a flag of the process imports nothing internal"},
	{"internal/sandbox", words, "what is taken from a process imports words only"},
	{"internal/textline", nil, "text helpers import nothing internal"},
	{"internal/ocilayout", []string{"internal/delivery"}, "reading image layouts needs digests only"},
	{"internal/blob", nil, "reading blobs imports nothing internal"},
	{"internal/provenance", words, "statements are pure"},
	{"internal/step", withTools("internal/port"), "the contract imports words and ports only"},
	{"internal/step/", stepMay, stepWhy}, // every folder that is not listed is a step
	{"internal/step/probe", withTools("internal/extension", "internal/port", "internal/step", "internal/gate"), "shared helpers may not import a step"},
	{"internal/step/alarm", withTools("internal/port", "internal/step", "internal/step/bake"), "shared helpers may not import a step"},
	{"internal/step/bake", withTools("internal/port", "internal/step"), "shared helpers may not import a step"},
	{"internal/step/history", withTools("internal/anchor", "internal/port", "internal/step"), "shared helpers may not import a step"},
	{"internal/step/rollout", withTools("internal/extension", "internal/port", "internal/step", "internal/step/history", "internal/step/probe"), "shared helpers may not import a step"},
	{"internal/step/canary", withTools("internal/port", "internal/step", "internal/step/bake", "internal/step/rollout", "internal/step/canary/*"), "shared helpers may not import a step"},
	{"internal/step/trust", withTools("internal/port", "internal/step", "internal/provenance"), "shared helpers may not import a step"},
	{"internal/step/digest", withTools("internal/port", "internal/step"), "shared helpers may not import a step"},
	{"internal/step/venv", withTools("internal/port", "internal/step", "internal/step/job"), "shared helpers may not import a step"},
	{"internal/step/job", withTools("internal/port", "internal/step"), "shared helpers may not import a step"},
	{"internal/extension", with("internal/account", "internal/port", "internal/step"), "extensions are described by contracts only"},
	{"internal/config", with("internal/account", "internal/extension", "internal/step", "internal/gate"), "the file imports the step's contract, not what runs it"},
	{"internal/policy", with("internal/config"), "what an operator allows is decided without asking anything"},
	{"internal/scaffold", with("internal/config", "internal/extension", "internal/scaffold/*"), "the generated file is checked by config"},
	{"internal/account", words, "what an account is to be is pure"},
	{"internal/account/export", with("internal/account", "internal/account/export"), "what exports have in common is pure"},
	{"internal/account/terraform", with("internal/account", "internal/account/export", "internal/account/terraform/*"), "an export is pure"},
	{"internal/account/cloudformation", with("internal/account", "internal/account/export"), "an export is pure"},
	{"internal/account/design", with("internal/account", "internal/config", "internal/extension", "internal/step"), "what a project needs is decided by its file alone"},
	{"internal/plan", with("internal/extension", "internal/step", "internal/gate", "internal/config", "internal/port"), "a plan is pure"},
	{"internal/engine", withTools("internal/plan", "internal/step", "internal/record", "internal/port"), "the engine runs steps through their contract"},
	{"internal/record", withTools("internal/extension", "internal/plan", "internal/step", "internal/port", "internal/record"), "records import words and contracts only"},
	{"internal/record/blobs", withTools("internal/blob", "internal/port"), "blobs know neither the records nor their tables"},
	{"internal/record/runfiles", withTools("internal/port", "internal/record"), "what runs print is kept apart from the records"},
	{"internal/record/scanarchives", withTools("internal/port", "internal/record", "internal/step"), "archives are cached results and blobs"},
	{"internal/record/statelog", withTools("internal/port"), "a log knows neither the records nor their tables"},
	{"internal/record/shared", withTools("internal/port", "internal/record/blobs", "internal/record/runfiles", "internal/record/statelog"), "what is shared beside the rows needs neither them nor their tables"},
	{"internal/record/storetest", withTools("internal/extension", "internal/plan", "internal/step", "internal/port", "internal/port/porttest", "internal/record"), "the suite of the records holds them to the ports that they serve"},
	{"internal/record/sqlite", withTools("internal/extension", "internal/plan", "internal/step", "internal/port", "internal/record", "internal/record/statelog"), "records import words and contracts only"},
	{"internal/adapter", withTools("internal/account", "internal/blob", "internal/extension", "internal/ocilayout", "internal/port", "internal/port/*"), "an adapter imports its port and its own SDK"},
	{"internal/adapter/objecttest", withTools("internal/port", "internal/port/porttest", "internal/adapter/aws/objects", "internal/adapter/bucket", "internal/adapter/objectfolder", "internal/adapter/postgres", "internal/adapter/postgres/*"), "it starts the servers of all drivers of the shared state"},
	{"internal/adapter/silenttest", nil, "it tests adapters of every kind, and knows none"},
	{"internal/adapter/aws/", withTools("internal/account", "internal/extension", "internal/port", "internal/port/*", "internal/adapter/aws/session", "internal/adapter/aws/s3", "internal/adapter/aws/awstest"), "a service of AWS imports its port, the session and S3, never another service"},
	{"internal/adapter/aws/ecr", withTools("internal/account", "internal/extension", "internal/ocilayout", "internal/port", "internal/port/*", "internal/adapter/aws/session", "internal/adapter/aws/awstest"), "what the scanner uploads is an OCI layout"},
	{"internal/adapter/aws/awstest", []string{"internal/adapter/aws/awstest/*"}, "an AWS for tests knows nothing of Slipway"},
	{"internal/adapter/aws/awstest/opinion", []string{"internal/adapter/aws/awstest", "internal/adapter/aws/awstest/*"}, "who compares AWSs for tests knows nothing of Slipway"},
	{"internal/adapter/kubernetes/labels", with(), kubernetesWhy},
	{"internal/adapter/kubernetes/promtext", with("internal/port"), kubernetesWhy},
	{"internal/adapter/kubernetes/render", withTools("internal/port", "internal/adapter/kubernetes/labels"), kubernetesWhy},
	{"internal/adapter/kubernetes/readiness", with("internal/adapter/kubernetes/labels"), kubernetesWhy},
	{"internal/adapter/kubernetes/client", withTools("internal/adapter/kubernetes/labels", "internal/adapter/kubernetes/fakeapi"), kubernetesWhy},
	{"internal/adapter/kubernetes/fakeapi", with("internal/adapter/kubernetes/client"), kubernetesWhy},
	{"internal/adapter/kubernetes/managedfields", with("internal/adapter/kubernetes/labels"), kubernetesWhy},
	{"internal/adapter/kubernetes/drift", kubernetesMay("managedfields"), kubernetesWhy},
	{"internal/adapter/kubernetes/manifest", kubernetesMay("render"), kubernetesWhy},
	{"internal/adapter/kubernetes/rollout", kubernetesMay("client", "manifest"), kubernetesWhy},
	{"internal/adapter/kubernetes/lease", kubernetesMay("client", "rollout"), kubernetesWhy},
	{"internal/adapter/kubernetes/history", kubernetesMay("client"), kubernetesWhy},
	{"internal/adapter/kubernetes/portforward", kubernetesMay("client"), kubernetesWhy},
	{"internal/adapter/kubernetes/jobrunner", append(kubernetesMay("client"), "internal/extension"), kubernetesWhy},
	{"internal/adapter/kubernetes/metrics", kubernetesMay("portforward", "promtext"), kubernetesWhy},
	{"internal/app", withTools("internal/account", "internal/account/cloudformation", "internal/account/design", "internal/account/export", "internal/account/terraform", "internal/anchor", "internal/config", "internal/extension", "internal/ocilayout", "internal/scaffold", "internal/scaffold/*", "internal/plan", "internal/policy", "internal/engine", "internal/record", "internal/record/shared", "internal/record/statelog", "internal/port", "internal/step", "internal/step/digest", "internal/step/history", "internal/step/trust", "internal/step/venv", "internal/gate"), "use cases import contracts, never an adapter"},
	{"internal/catalog", withTools("internal/account", "internal/app", "internal/extension", "internal/port", "internal/step", "internal/step/*", "internal/adapter/*", "internal/record", "internal/record/*", "internal/engine"), "the list of extensions, and their wiring"},
	{"internal/cli", withTools("internal/app", "internal/cli", "internal/cli/*"), "the command line calls use cases; never an adapter, a step or an SDK"},
	{"internal/arch", []string{"internal/arch/*"}, "the rules stand alone"},
}

var stepMay = withTools("internal/extension", "internal/ocilayout", "internal/port", "internal/step", "internal/step/alarm", "internal/step/bake", "internal/step/canary", "internal/step/digest", "internal/step/history", "internal/step/job", "internal/step/probe", "internal/step/rollout", "internal/step/trust", "internal/step/venv", "internal/provenance", "internal/gate")

const stepWhy = "a step imports its contract and ports; never another step, an adapter or an SDK"

const kubernetesWhy = "the parts of adapter/kubernetes import what is below them; only the target imports them all"

// kubernetesMay is what a part of adapter/kubernetes may import: other parts, and what
// every adapter may.
func kubernetesMay(parts ...string) []string {
	may := withTools("internal/port", "internal/adapter/kubernetes/labels", "internal/adapter/kubernetes/fakeapi")
	for _, part := range parts {
		may = append(may, "internal/adapter/kubernetes/"+part)
	}
	return may
}

// fenced keeps an SDK in the folders that own it.
type fenced struct {
	prefix string
	homes  []string
}

var fences = []fenced{
	{"database/sql", []string{"internal/record", "internal/engine", "internal/adapter/postgres"}},
	{"github.com/aws/", []string{"internal/adapter/aws"}},
	{"gocloud.dev", []string{"internal/adapter/bucket", "internal/adapter/aws/objects"}},
	{"github.com/jackc/", []string{"internal/adapter/postgres"}},
	{"modernc.org/sqlite", []string{"internal/record", "internal/engine"}},
	{"github.com/dbos-inc/", []string{"internal/engine"}},
	{"github.com/spf13/cobra", []string{"internal/cli"}},
	{"github.com/spf13/pflag", []string{"internal/cli"}},
	{"k8s.io/", []string{"internal/adapter/kubernetes"}},
	{"github.com/google/go-containerregistry", []string{"internal/adapter/oci", "internal/adapter/ko", "internal/adapter/anchore"}},
	{"github.com/anchore/", []string{"internal/adapter/anchore"}},
	{"github.com/google/ko", []string{"internal/adapter/ko"}},
	{"github.com/distribution/distribution", []string{"internal/adapter/oci"}},
	{"github.com/nicholas-fedor/shoutrrr", []string{"internal/adapter/shoutrrr"}},
	{"github.com/prometheus/", []string{"internal/adapter/prometheus", "internal/adapter/kubernetes"}},
	{"gonum.org/", []string{"internal/step/canary"}},
	{"github.com/package-url/", []string{"internal/step/scan"}},
	{"github.com/moby/buildkit", []string{"internal/adapter/buildkit"}},
	{"github.com/containerd/containerd", []string{"internal/adapter/buildkit", "internal/sandbox"}},
	{"github.com/docker/cli", []string{"internal/adapter/buildkit"}},
	{"github.com/tonistiigi/", []string{"internal/adapter/buildkit"}},
	{"github.com/sigstore/", []string{"internal/adapter/sigstore"}},
	{"github.com/in-toto/", []string{"internal/adapter/sigstore"}},
	{"github.com/secure-systems-lab/", []string{"internal/adapter/sigstore"}},
	{"cel.dev/", []string{"internal/gate"}},
	{"github.com/google/cel-go", []string{"internal/gate"}},
	{"github.com/goccy/go-yaml", []string{"internal/config", "internal/scaffold/pipeline", "internal/step/venv"}},
	{"github.com/BurntSushi/toml", []string{"internal/step/venv"}},
}
