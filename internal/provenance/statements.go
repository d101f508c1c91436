package provenance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	jsoncanonicalizer "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// SignatureStatement is the statement that a subject is signed, as cosign writes it.
func SignatureStatement(subject delivery.Digest) ([]byte, error) {
	return marshalStatement(ResourceDescriptor{Digest: digestSet(subject)}, SignaturePredicate, json.RawMessage("{}"))
}

// SBOMStatement is the statement that a document (CycloneDXPredicate or SPDXPredicate as JSON) is the
// subject's bill of materials.
func SBOMStatement(subject ResourceDescriptor, predicateType string, document []byte) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(document, &object); err != nil {
		return nil, fmt.Errorf("parse the SBOM: %w", err)
	}
	return marshalStatement(subject, predicateType, document)
}

// ImageStatement is the statement how an image was built.
func ImageStatement(f ImageFacts) ([]byte, error) {
	p, err := f.provenance()
	if err != nil {
		return nil, err
	}
	return provenanceStatement(ImageSubject(f.Image), p)
}

// ModelStatement is the statement how a model was trained.
func ModelStatement(f ModelFacts) ([]byte, error) {
	p, err := f.provenance()
	if err != nil {
		return nil, err
	}
	return provenanceStatement(ModelSubject(f.Model), p)
}

// ImageSubject is an image as a subject.
func ImageSubject(i delivery.Image) ResourceDescriptor {
	return ResourceDescriptor{Name: i.Repository, Digest: digestSet(i.Digest)}
}

// ModelSubject is a model as a subject: its OCI manifest. The version is left
// out, because other registries count otherwise.
func ModelSubject(m delivery.ModelRef) ResourceDescriptor {
	return ResourceDescriptor{Name: "models/" + m.Group, Digest: digestSet(m.Digest)}
}

func (f ImageFacts) provenance() (Provenance, error) {
	external, err := parseObject(f.Parameters)
	if err != nil {
		return Provenance{}, fmt.Errorf("read the build's parameters: %w", err)
	}
	external["service"] = f.Service
	deps := []ResourceDescriptor{sourceDescriptor(f.Commit.Source, f.Commit)}
	for _, ref := range slices.Sorted(slices.Values(f.BaseImages)) {
		deps = append(deps, baseImageDescriptor(ref))
	}
	return newBuild(ImageBuildType, external, nil, deps, f.RunDetails)
}

func (f ModelFacts) provenance() (Provenance, error) {
	external, err := parseObject(f.Parameters)
	if err != nil {
		return Provenance{}, fmt.Errorf("read the training's parameters: %w", err)
	}
	external["service"], external["group"] = f.Service, f.Model.Group
	if f.Lineage.Command != "" {
		external["command"] = f.Lineage.Command
	}
	internal := map[string]any{"job": f.Lineage.Job, "run": string(f.Lineage.Run)}
	if f.Lineage.Box != "" {
		internal["box"] = f.Lineage.Box
	}
	if len(f.Metrics) > 0 {
		internal["metrics"] = map[string]any(f.Metrics)
	}
	var deps []ResourceDescriptor
	if f.Lineage.Commit != "" {
		deps = append(deps, sourceDescriptor(f.Source, delivery.Commit{SHA: f.Lineage.Commit}))
	}
	if f.Lineage.Data.Valid() {
		deps = append(deps, ResourceDescriptor{Name: dataName, Digest: digestSet(f.Lineage.Data)})
	}
	for _, d := range f.Lineage.Datasets {
		deps = append(deps, datasetDescriptor(d))
	}
	if f.Lineage.Training.Valid() {
		deps = append(deps, ResourceDescriptor{Name: inputsName, Digest: digestSet(f.Lineage.Training)})
	}
	return newBuild(ModelBuildType, external, internal, deps, f.RunDetails)
}

func newBuild(kind string, external, internal map[string]any, deps []ResourceDescriptor, run RunDetails) (Provenance, error) {
	out := Provenance{BuildDefinition: BuildDefinition{BuildType: kind, ResolvedDependencies: deps}, RunDetails: run}
	var err error
	if out.BuildDefinition.ExternalParameters, err = json.Marshal(external); err != nil {
		return out, fmt.Errorf("write the external parameters: %w", err)
	}
	if len(internal) == 0 {
		return out, nil
	}
	if out.BuildDefinition.InternalParameters, err = json.Marshal(internal); err != nil {
		return out, fmt.Errorf("write the internal parameters: %w", err)
	}
	return out, nil
}

// datasetDescriptor is data of a store of objects as a dependency: by its content, and by
// what the store was asked for.
func datasetDescriptor(d delivery.Dataset) ResourceDescriptor {
	r := ResourceDescriptor{Name: datasetName, URI: d.URI, Annotations: map[string]any{"pinned": string(d.Digest)}}
	if d.Version != "" {
		r.Annotations["version"] = d.Version
	}
	if d.Content.Valid() {
		r.Digest = digestSet(d.Content)
	}
	return r
}

// sourceDescriptor is a commit as a dependency. A dirty tree is marked: it is not
// the content of the commit.
func sourceDescriptor(url string, c delivery.Commit) ResourceDescriptor {
	r := ResourceDescriptor{Name: sourceName, Digest: map[string]string{"gitCommit": c.SHA}}
	if url != "" {
		r.URI = "git+" + gitURI(url)
	}
	if c.Tree != "" {
		r.Digest["gitTree"] = c.Tree
	}
	if c.Dirty {
		r.Annotations = map[string]any{"dirty": true}
	}
	return r
}

// gitURI makes a URI of git's short form for SSH.
func gitURI(url string) string {
	host, path, short := strings.Cut(url, ":")
	if short && !strings.HasPrefix(path, "//") && !strings.Contains(host, "/") {
		return "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	return url
}

// baseImageDescriptor is an image as a dependency. One that is not pinned has no
// digest, which shows that its content is unknown.
func baseImageDescriptor(ref string) ResourceDescriptor {
	r := ResourceDescriptor{Name: baseName, URI: "oci://" + ref}
	if _, d, ok := strings.Cut(ref, "@"); ok && delivery.Digest(d).Valid() {
		r.Digest = digestSet(delivery.Digest(d))
	}
	return r
}

func provenanceStatement(subject ResourceDescriptor, p Provenance) ([]byte, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the provenance: %w", err)
	}
	return marshalStatement(subject, SLSAPredicate, raw)
}

func marshalStatement(subject ResourceDescriptor, predicateType string, predicate json.RawMessage) ([]byte, error) {
	raw, err := json.Marshal(Statement{Type: StatementType, Subject: []ResourceDescriptor{subject}, PredicateType: predicateType, Predicate: predicate})
	if err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	return raw, nil
}

func parseObject(raw json.RawMessage) (map[string]any, error) {
	out := map[string]any{}
	if len(raw) == 0 {
		return out, nil
	}
	err := json.Unmarshal(raw, &out)
	if err == nil && out == nil {
		out = map[string]any{} // "null"
	}
	return out, err
}

func digestSet(d delivery.Digest) map[string]string { return map[string]string{"sha256": d.Hex()} }

// canonicalDigest is the digest of v's canonical JSON.
func canonicalDigest(v any) (delivery.Digest, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	canonical, err := jsoncanonicalizer.Transform(raw)
	if err != nil {
		return "", err
	}
	return delivery.DigestOf(canonical), nil
}
