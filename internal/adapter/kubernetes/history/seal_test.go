package history

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	base        = "/api/v1/namespaces/ns/configmaps/slipway-sample-prod"
	secretPath  = "/api/v1/namespaces/ns/secrets/slipway-sample-prod.history"
	oldRelease  = delivery.ReleaseID("r-0123456789ab")
	goodRelease = delivery.ReleaseID("r-ba9876543210")
)

// machine returns the keys of another Slipway without a project's key.
func machine() *Keyring { return &Keyring{Service: "sample", Environment: "prod"} }

// story is a history of two releases; the older one is quarantined.
func story() port.History {
	at := time.Date(2026, 3, 1, 12, 0, 0, 7, time.Local)
	record := func(id delivery.ReleaseID, age time.Duration, objects string) delivery.ReleaseRecord {
		r := delivery.ReleaseRecord{ID: id, Run: "run-" + delivery.RunID(id), CreatedAt: at.Add(-age)}
		r.Release.Objects, r.Release.Image.Digest = objects, "sha256:1"
		return r
	}
	old := record(oldRelease, time.Hour, `[{"kind":"Deployment"}]`)
	old.Quarantined = &delivery.Quarantine{Release: oldRelease, Environment: "prod", Reason: "slow", Since: at, Run: "run-9"}
	return port.History{
		Service: "sample", Environment: "prod", Releases: []delivery.ReleaseRecord{record(goodRelease, 0, "[]"), old},
		Deployments: []delivery.Deployment{
			{ID: 2, Environment: "prod", Release: goodRelease, Run: "run-2", State: delivery.Serving, By: "ann", ServingAt: at},
			{ID: 1, Environment: "prod", Release: oldRelease, Run: "run-1", State: delivery.Replaced, By: "ann", ServingAt: at.Add(-time.Hour)},
		},
		Models: []delivery.ModelVersion{{ModelRef: delivery.ModelRef{Group: "g", Version: 1, Digest: "sha256:2"}, Status: delivery.Approved, Metrics: delivery.Metrics{"n": 3}}},
	}
}

// unsignedOf names what another machine takes for pending.
func unsignedOf(t *testing.T, server *fakeapi.Server, k *Keyring) []string {
	t.Helper()
	h, err := Load(t.Context(), server.Client(), k)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, d := range h.Deployments {
		if d.Unsigned {
			names = append(names, "deployment of "+string(d.Run))
		}
	}
	for _, r := range h.Releases {
		if r.Unsigned {
			names = append(names, "release "+string(r.ID))
		}
		if r.Quarantined != nil && r.Quarantined.Unsigned {
			names = append(names, "quarantine of "+string(r.ID))
		}
	}
	for _, m := range h.Models {
		if m.Unsigned {
			names = append(names, "model "+m.String())
		}
	}
	return names
}

// editDocument changes the history as a tenant of the namespace can.
func editDocument(t *testing.T, server *fakeapi.Server, edit func(map[string]any)) {
	t.Helper()
	server.Edit(base, func(o *unstructured.Unstructured) {
		text, _, _ := unstructured.NestedString(o.Object, "data", historyKey)
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		edit(doc)
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := unstructured.SetNestedField(o.Object, string(raw), "data", historyKey); err != nil {
			t.Fatal(err)
		}
	})
}

func prepend(doc map[string]any, key, record string) {
	var v any
	if err := json.Unmarshal([]byte(record), &v); err != nil {
		panic(err)
	}
	list, _ := doc[key].([]any)
	doc[key] = append([]any{v}, list...)
}

// replaceRelease puts another record in the place of a release.
func replaceRelease(t *testing.T, server *fakeapi.Server, id delivery.ReleaseID, edit func(*delivery.ReleaseRecord)) {
	t.Helper()
	server.Edit(base+"-"+string(id)+"-0", func(o *unstructured.Unstructured) {
		left := int64(maxUnpacked)
		r, err := decodeRelease(id, []unstructured.Unstructured{*o}, &left)
		if err != nil {
			t.Fatal(err)
		}
		edit(&r)
		packed, err := encodeRelease(r)
		if err != nil {
			t.Fatal(err)
		}
		o.Object["binaryData"] = map[string]any{releaseKey: base64.StdEncoding.EncodeToString(packed.Bytes())}
	})
}

const all = 6 // records of story

// TestLoad_MarksWhatNobodySigned: every record that a tenant has changed or added is
// marked, and no other one is.
func TestLoad_MarksWhatNobodySigned(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(t *testing.T, server *fakeapi.Server)
		want   []string // nil: all
	}{
		"untouched": {func(*testing.T, *fakeapi.Server) {}, []string{}},
		"objects of a release": {func(t *testing.T, s *fakeapi.Server) {
			replaceRelease(t, s, oldRelease, func(r *delivery.ReleaseRecord) { r.Release.Objects = `[{"kind":"RoleBinding"}]` })
		}, []string{"release " + string(oldRelease)}},
		"scan of a release": {func(t *testing.T, s *fakeapi.Server) {
			replaceRelease(t, s, goodRelease, func(r *delivery.ReleaseRecord) {
				r.Origin.GateResults = []delivery.GateResult{{Gate: "scan", Verdict: delivery.Passed}}
			})
		}, []string{"release " + string(goodRelease)}},
		"a deployment more": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) {
				prepend(doc, "deployments", `{"environment":"prod","release":"r-0123456789ab","run":"run-3","state":"serving","by":"ann"}`)
			})
		}, []string{"deployment of run-3"}},
		"configuration of a deployment": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) {
				doc["deployments"].([]any)[1].(map[string]any)["config"] = map[string]any{"objects": "[1]", "workload": map[string]any{"replicas": 1, "health": "/"}}
			})
		}, []string{"deployment of run-1"}},
		"a model more": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) {
				prepend(doc, "models", `{"group":"g","version":7,"digest":"sha256:e","status":"Approved","metrics":{"accuracy":0.99},"decided_by":"alice"}`)
			})
		}, []string{"model g:7"}},
		"a quarantine": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) {
				prepend(doc, "quarantined", `{"release":"r-ba9876543210","environment":"prod","reason":"forged","run":"run-3"}`)
			})
		}, []string{"quarantine of " + string(goodRelease)}},
		"no seal": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) { delete(doc, "seals") })
		}, nil},
		"unsigned says no": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) {
				delete(doc, "seals")
				for _, d := range doc["deployments"].([]any) {
					d.(map[string]any)["unsigned"] = false
				}
			})
		}, nil},
		"seal of another key": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) {
				one := doc["seals"].([]any)[0].(map[string]any)
				one["mac"] = mac(bytes.Repeat([]byte("x"), secretBytes), []byte(one["statement"].(string)))
			})
		}, nil},
		"statement about another environment": {func(t *testing.T, s *fakeapi.Server) {
			editDocument(t, s, func(doc map[string]any) {
				one := doc["seals"].([]any)[0].(map[string]any)
				one["statement"] = strings.ReplaceAll(one["statement"].(string), `"prod"`, `"staging"`)
			})
		}, nil},
		"no key": {func(_ *testing.T, s *fakeapi.Server) { s.Remove(secretPath) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := fakeapi.New(t)
			if err := Save(t.Context(), server.Client(), machine(), story()); err != nil {
				t.Fatal(err)
			}
			c.tamper(t, server)
			got := unsignedOf(t, server, machine())
			if c.want == nil {
				if len(got) != all {
					t.Errorf("pending %q, want all %d records", got, all)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("pending (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSave_SignsNothingForOthers: a machine that takes records for pending does not make
// them trusted by writing the history anew, and one that knows better mends them.
func TestSave_SignsNothingForOthers(t *testing.T) {
	server := fakeapi.New(t)
	save := func(h port.History) {
		t.Helper()
		if err := Save(t.Context(), server.Client(), machine(), h); err != nil {
			t.Fatal(err)
		}
	}
	honest := story()
	save(honest)
	replaceRelease(t, server, oldRelease, func(r *delivery.ReleaseRecord) { r.Release.Objects = "forged" })
	editDocument(t, server, func(doc map[string]any) {
		prepend(doc, "quarantined", `{"release":"r-ba9876543210","environment":"prod","reason":"forged","run":"run-3"}`)
	})
	want := []string{"quarantine of " + string(goodRelease), "release " + string(oldRelease)}
	for range 2 {
		read, err := Load(t.Context(), server.Client(), machine())
		if err != nil {
			t.Fatal(err)
		}
		for i := range read.Releases { // as records keep them: a quarantine that nobody signed is not imported
			if q := read.Releases[i].Quarantined; q != nil && q.Unsigned {
				read.Releases[i].Quarantined, read.Releases[i].Unsigned = nil, true
			}
		}
		save(read)
		if diff := cmp.Diff(want, unsignedOf(t, server, machine())); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
	}
	save(honest) // a machine that made the releases
	if got := unsignedOf(t, server, machine()); len(got) > 0 {
		t.Errorf("pending %q, want none", got)
	}
	h, err := Load(t.Context(), server.Client(), machine())
	if err != nil || h.Releases[indexOf(h.Releases, oldRelease)].Release.Objects == "forged" {
		t.Errorf("the forged objects are still there (%v)", err)
	}
}
