// Package randommanifests draws sequences of releases for tests: each differs from the
// one before in the ways in which people change their manifests, and some are broken.
// The same random numbers draw the same sequence.
package randommanifests

import "slices"

// ServiceName is the name of the Service of every release.
const ServiceName = "sample"

const (
	servingPort   = 8000
	adminPort     = 9000
	autoscalerMin = 2
	autoscalerMax = 3
)

// Probes are the probes of the container that serves.
type Probes string

// The probes that are drawn.
const (
	ProbeHTTP     Probes = "http"     // readiness by HTTP
	ProbeTCP      Probes = "tcp"      // readiness by a connection
	ProbeStartup  Probes = "startup"  // a startup probe before it
	ProbeLiveness Probes = "liveness" // a liveness probe beside it
)

// Defect is what is wrong with a release. It shows before the release gets traffic.
type Defect string

// The defects that are drawn.
const (
	Sound         Defect = ""
	Crashes       Defect = "crashes"
	NeverReady    Defect = "never ready"
	ImageMissing  Defect = "image missing"
	WorkerCrashes Defect = "worker crashes"
	JobFails      Defect = "job fails"
	FieldUnknown  Defect = "unknown field"
)

// Companion is a workload that accompanies the one that serves.
type Companion struct{ Kind, Name string }

// Set is the manifests of one release.
type Set struct {
	Version    string // differs in every release
	Deployment string // that serves; its Service is always called ServiceName
	Port       string // name of the container's port that serves
	AdminPort  bool   // the Service has another port before it, on which nothing listens
	Probes     Probes
	Replicas   int // 0: the manifest leaves the number out
	Autoscaler bool
	Budget     bool   // a PodDisruptionBudget
	Greeting   string // in a ConfigMap; empty: none
	Workers    []string
	Companions []Companion
	Job        string // the migration's argument; empty: none
	Defect     Defect
}

// First returns the manifests that a sequence starts with.
func First() Set {
	return Set{Version: "v1", Deployment: "web", Port: "http", Probes: ProbeHTTP, Replicas: 2, Greeting: "hello"}
}

// clone returns a copy that shares nothing with s.
func (s Set) clone() Set {
	s.Workers, s.Companions = slices.Clone(s.Workers), slices.Clone(s.Companions)
	return s
}

// MinReplicas returns how many pods serve at least.
func (s Set) MinReplicas() int {
	if s.Autoscaler {
		return autoscalerMin
	}
	return max(s.Replicas, 1)
}

// Objects returns the names of the objects that must exist while the release is the
// only one, by the lower-case plural of their kind. Immutable ones, whose names change
// with their content, are left out.
func (s Set) Objects() map[string][]string {
	out := map[string][]string{
		"deployments": append([]string{s.Deployment}, s.Workers...), "services": {ServiceName},
		"statefulsets": nil, "daemonsets": nil, "cronjobs": nil, "horizontalpodautoscalers": nil, "poddisruptionbudgets": nil,
	}
	for _, c := range s.Companions {
		kind := companionKinds()[c.Kind]
		out[kind] = append(out[kind], c.Name)
	}
	if s.Autoscaler {
		out["horizontalpodautoscalers"] = []string{s.Deployment}
	}
	if s.Budget {
		out["poddisruptionbudgets"] = []string{ServiceName}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

// companionKinds returns the plurals of the companions' kinds.
func companionKinds() map[string]string {
	return map[string]string{"StatefulSet": "statefulsets", "DaemonSet": "daemonsets", "CronJob": "cronjobs"}
}
