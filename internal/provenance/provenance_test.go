package provenance_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/provenance"
)

var update = flag.Bool("update", false, "write the golden files")

func digest(letter string) delivery.Digest {
	return delivery.Digest("sha256:" + strings.Repeat(letter, 64))
}

func imageFacts() provenance.ImageFacts {
	return provenance.ImageFacts{
		Service: "retail-api", Image: delivery.Image{Repository: "mlops/retail-api", Digest: digest("1")},
		Commit:     delivery.Commit{SHA: strings.Repeat("a", 40), Tree: strings.Repeat("b", 40), Source: "https://github.com/mlops/retail"},
		Parameters: json.RawMessage(`{"go":"./cmd/api","repository":"mlops/retail-api","env":["GOFLAGS"]}`),
		BaseImages: []string{"docker.io/library/python:3.11-slim@" + string(digest("2")), "docker.io/library/debian:12"},
		RunDetails: run("20261124-120000-abcd", 90),
	}
}

func run(id string, seconds int) provenance.RunDetails {
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return provenance.RunDetails{
		Builder:  provenance.BuilderID{ID: provenance.BuilderURI, Version: map[string]string{"slipway": "v0.3.0"}},
		Metadata: provenance.BuildMetadata{InvocationID: id, StartedOn: began, FinishedOn: began.Add(time.Duration(seconds) * time.Second)},
	}
}

func modelFacts() provenance.ModelFacts {
	return provenance.ModelFacts{
		Service: "retail-api", Model: delivery.ModelRef{Group: "prices", Version: 3, Digest: digest("3")},
		Lineage: delivery.Lineage{Commit: strings.Repeat("c", 40), Data: digest("4"), Job: "20261120-090000-wxyz-train-1", Run: "20261120-090000-wxyz",
			Command: "python train.py {{.Data}} {{.Output}}", Training: digest("5")},
		Metrics: delivery.Metrics{"accuracy": 0.8828527, "per_class": map[string]any{"LA": 0.9}}, Source: "git@github.com:mlops/retail.git",
		Parameters: json.RawMessage(`{"evaluate":"python evaluate.py","gates":["accuracy >= 0.8"]}`), RunDetails: run("20261124-120000-abcd", 90),
	}
}

func made(t testing.TB, raw []byte, err error) provenance.Statement {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := provenance.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func image(t testing.TB, change func(*provenance.ImageFacts)) provenance.Statement {
	f := imageFacts()
	if change != nil {
		change(&f)
	}
	raw, err := provenance.ImageStatement(f)
	return made(t, raw, err)
}

func model(t testing.TB, change func(*provenance.ModelFacts)) provenance.Statement {
	f := modelFacts()
	if change != nil {
		change(&f)
	}
	raw, err := provenance.ModelStatement(f)
	return made(t, raw, err)
}

func TestStatements_Golden(t *testing.T) {
	bare := imageFacts()
	bare.BaseImages, bare.Parameters, bare.Commit.Dirty, bare.Commit.Source = nil, nil, true, ""
	cases := map[string]func() ([]byte, error){
		"image":  func() ([]byte, error) { return provenance.ImageStatement(imageFacts()) },
		"dirty":  func() ([]byte, error) { return provenance.ImageStatement(bare) },
		"model":  func() ([]byte, error) { return provenance.ModelStatement(modelFacts()) },
		"signed": func() ([]byte, error) { return provenance.SignatureStatement(digest("1")) },
		"sbom": func() ([]byte, error) {
			return provenance.SBOMStatement(provenance.ImageSubject(imageFacts().Image), provenance.CycloneDXPredicate, []byte(`{"bomFormat":"CycloneDX","specVersion":"1.6"}`))
		},
	}
	for name, build := range cases {
		t.Run(name, func(t *testing.T) {
			raw, err := build()
			if err != nil {
				t.Fatal(err)
			}
			again, _ := build()
			if !bytes.Equal(raw, again) {
				t.Error("the same facts make other bytes")
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, raw, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden := "testdata/" + name + ".json"
			if *update {
				if err := os.WriteFile(golden, append(pretty.Bytes(), '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if diff := cmp.Diff(string(want), pretty.String()+"\n"); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestProvenance_FollowsSLSA asks of the provenance what slsa-verifier and GitHub's
// policies ask: the fields that SLSAPredicate v1 demands, by their names in JSON.
func TestProvenance_FollowsSLSA(t *testing.T) {
	raws := map[string]func() ([]byte, error){
		"image": func() ([]byte, error) { return provenance.ImageStatement(imageFacts()) },
		"model": func() ([]byte, error) { return provenance.ModelStatement(modelFacts()) },
	}
	for name, build := range raws {
		raw, err := build()
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{
			"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
			"subject.0.digest.sha256": "", "subject.0.name": "",
			"predicate.buildDefinition.buildType": "", "predicate.buildDefinition.externalParameters.service": "retail-api",
			"predicate.buildDefinition.resolvedDependencies.0.digest.gitCommit": "",
			"predicate.buildDefinition.resolvedDependencies.0.uri":              "",
			"predicate.runDetails.builder.id":                                   provenance.BuilderURI,
			"predicate.runDetails.metadata.invocationId":                        "20261124-120000-abcd",
			"predicate.runDetails.metadata.startedOn":                           "2026-11-24T12:00:00Z",
			"predicate.runDetails.metadata.finishedOn":                          "2026-11-24T12:01:30Z",
		} {
			if got := at(doc, path); got == "" || want != "" && got != want {
				t.Errorf("%s: %s = %q, want %q", name, path, got, want)
			}
		}
		if uri := at(doc, "predicate.buildDefinition.resolvedDependencies.0.uri"); !strings.HasPrefix(uri, "git+https://") && uri != "git+ssh://git@github.com/mlops/retail.git" {
			t.Errorf("%s: source %q is no git address", name, uri)
		}
	}
}

// at follows a path of keys and indices; "" when there is no text at its end.
func at(doc any, path string) string {
	for part := range strings.SplitSeq(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[part]
		case []any:
			if len(v) == 0 || part != "0" {
				return ""
			}
			doc = v[0]
		default:
			return ""
		}
	}
	text, _ := doc.(string)
	return text
}

// Data in a store of objects is a dependency with its address, its version and its
// content, besides the digest of all data.
func TestModel_Datasets(t *testing.T) {
	f := modelFacts()
	f.Lineage.Datasets = []delivery.Dataset{
		{URI: "s3://retail-ml/a.csv", Digest: digest("6"), Version: "v1", Content: digest("7")},
		{URI: "s3://retail-ml/train/", Digest: digest("8")},
	}
	raw, err := provenance.ModelStatement(f)
	var predicate provenance.Provenance
	if err == nil {
		err = json.Unmarshal(made(t, raw, nil).Predicate, &predicate)
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []provenance.ResourceDescriptor
	for _, d := range predicate.BuildDefinition.ResolvedDependencies {
		if d.Name == "dataset" {
			got = append(got, d)
		}
	}
	want := []provenance.ResourceDescriptor{
		{Name: "dataset", URI: "s3://retail-ml/a.csv", Digest: map[string]string{"sha256": digest("7").Hex()}, Annotations: map[string]any{"pinned": string(digest("6")), "version": "v1"}},
		{Name: "dataset", URI: "s3://retail-ml/train/", Annotations: map[string]any{"pinned": string(digest("8"))}},
	}
	if diff := cmp.Diff(want, got); diff != "" || predicate.BuildDefinition.DataDigest() != digest("4") {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

func TestEquivalent(t *testing.T) {
	one := image(t, nil)
	for name, c := range map[string]struct {
		other provenance.Statement
		same  bool
	}{
		"another run":      {image(t, func(f *provenance.ImageFacts) { f.RunDetails = run("20270101-000000-zzzz", 5) }), true},
		"order of bases":   {image(t, func(f *provenance.ImageFacts) { f.BaseImages = []string{f.BaseImages[1], f.BaseImages[0]} }), true},
		"another commit":   {image(t, func(f *provenance.ImageFacts) { f.Commit.SHA = strings.Repeat("d", 40) }), false},
		"another image":    {image(t, func(f *provenance.ImageFacts) { f.Image.Digest = digest("9") }), false},
		"other parameters": {image(t, func(f *provenance.ImageFacts) { f.Parameters = json.RawMessage(`{"go":"./cmd/x"}`) }), false},
		"of the model":     {model(t, nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := provenance.Equivalent(one, c.other); got != c.same {
				t.Errorf("equivalent = %v, want %v", got, c.same)
			}
		})
	}
}

// TestReproducibleDigest changes all that must not matter to a release, and then each thing
// that must.
func TestReproducibleDigest(t *testing.T) {
	essence := func(i, m provenance.Statement) delivery.Digest {
		t.Helper()
		p, err := i.Provenance()
		if err != nil {
			t.Fatal(err)
		}
		q, err := m.Provenance()
		if err != nil {
			t.Fatal(err)
		}
		d, err := provenance.ReproducibleDigest(p.BuildDefinition, &q.BuildDefinition)
		if err != nil || !d.Valid() {
			t.Fatal(d, err)
		}
		return d
	}
	base := essence(image(t, nil), model(t, nil))
	same := map[string]delivery.Digest{
		"run":             essence(image(t, func(f *provenance.ImageFacts) { f.RunDetails = run("20270101-000000-zzzz", 5) }), model(t, nil)),
		"training run":    essence(image(t, nil), model(t, func(f *provenance.ModelFacts) { f.Lineage.Run, f.Lineage.Job = "20270101-000000-zzzz", "j" })),
		"training commit": essence(image(t, nil), model(t, func(f *provenance.ModelFacts) { f.Lineage.Commit = strings.Repeat("e", 40) })),
		"metrics":         essence(image(t, nil), model(t, func(f *provenance.ModelFacts) { f.Metrics = delivery.Metrics{"accuracy": 0.1} })),
		"version number":  essence(image(t, nil), model(t, func(f *provenance.ModelFacts) { f.Model.Version = 9 })),
	}
	for name, d := range same {
		if d != base {
			t.Errorf("%s makes another release", name)
		}
	}
	other := map[string]delivery.Digest{
		"commit":  essence(image(t, func(f *provenance.ImageFacts) { f.Commit.SHA = strings.Repeat("d", 40) }), model(t, nil)),
		"base":    essence(image(t, func(f *provenance.ImageFacts) { f.BaseImages = f.BaseImages[1:] }), model(t, nil)),
		"command": essence(image(t, nil), model(t, func(f *provenance.ModelFacts) { f.Lineage.Command = "python other.py" })),
		"data":    essence(image(t, nil), model(t, func(f *provenance.ModelFacts) { f.Lineage.Data = digest("9") })),
		"inputs":  essence(image(t, nil), model(t, func(f *provenance.ModelFacts) { f.Lineage.Training = digest("9") })),
	}
	seen := map[delivery.Digest]string{base: "nothing"}
	for name, d := range other {
		if seen[d] != "" {
			t.Errorf("%s makes no difference to %s", name, seen[d])
		}
		seen[d] = name
	}
}

func TestParse_Refuses(t *testing.T) {
	good, err := provenance.ImageStatement(imageFacts())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":        "",
		"no JSON":        "statement",
		"another type":   strings.Replace(string(good), "Statement/v1", "Statement/v0.1", 1),
		"no subject":     `{"_type":"https://in-toto.io/Statement/v1","subject":[]}`,
		"many subjects":  `{"_type":"https://in-toto.io/Statement/v1","subject":[` + strings.Repeat("{},", 99) + `{}]}`,
		"subject's type": `{"_type":"https://in-toto.io/Statement/v1","subject":{}}`,
	} {
		t.Run("statement: "+name, func(t *testing.T) {
			if s, err := provenance.Parse([]byte(text)); err == nil {
				t.Errorf("accepted, with %d subjects", len(s.Subject))
			}
		})
	}
	for name, predicate := range map[string]string{
		"nothing":       `null`,
		"no build type": `{"buildDefinition":{"externalParameters":{}},"runDetails":{"builder":{"id":"x"}}}`,
		"no parameters": `{"buildDefinition":{"buildType":"x"},"runDetails":{"builder":{"id":"x"}}}`,
		"no builder":    `{"buildDefinition":{"buildType":"x","externalParameters":{}}}`,
	} {
		s := provenance.Statement{PredicateType: provenance.SLSAPredicate, Predicate: json.RawMessage(predicate)}
		t.Run("predicate: "+name, func(t *testing.T) {
			if p, err := s.Provenance(); err == nil {
				t.Errorf("accepted, with build type %q", p.BuildDefinition.BuildType)
			}
		})
	}
}

// FuzzParse: whatever comes, it is read or refused, and asking it is safe.
func FuzzParse(f *testing.F) {
	raw, err := provenance.ModelStatement(modelFacts())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":null}],"predicateType":"https://slsa.dev/provenance/v1","predicate":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := provenance.Parse(raw)
		if err != nil {
			return
		}
		s.HasSubject(digest("1"))
		if p, err := s.Provenance(); err == nil {
			p.BuildDefinition.Commit()
			p.BuildDefinition.Metrics()
			p.BuildDefinition.Command()
			if !provenance.Equivalent(s, s) {
				t.Error("it differs from itself")
			}
		}
	})
}
