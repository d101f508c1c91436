package probe

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// recorder keeps the requests, and returns 200.
type recorder struct{ requests []port.ProbeRequest }

func (r *recorder) Probe(_ context.Context, q port.ProbeRequest) (port.ProbeResponse, error) {
	r.requests = append(r.requests, q)
	return port.ProbeResponse{Status: http.StatusOK}, nil
}

// variables are the environment of a test.
func variables(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}
}

func TestCheckSmoke_SendsRequest(t *testing.T) {
	checks := []step.Check{
		{Name: "json", Path: "/a", JSON: `{"n":1}`, Headers: map[string]string{"authorization": "Bearer ${TOKEN}"}},
		{Name: "text", Path: "/b", Body: []byte("1,2")},
		{Name: "typed", Path: "/c", Body: []byte("1,2"), Headers: map[string]string{"Content-Type": "text/csv"}},
		{Name: "file", Path: "/d", Method: http.MethodPut, Body: []byte("\x89PNG"), File: "tests/a.png"},
	}
	smoke, err := CompileChecks(checks, variables(map[string]string{"TOKEN": "s3cret"}))
	if err != nil {
		t.Fatal(err)
	}
	sent := &recorder{}
	results, err := Checker{Prober: sent}.CheckSmoke(t.Context(), step.Request{}, "http://api.test", Expectation{Smoke: smoke})
	if err != nil {
		t.Fatal(err)
	}
	type request struct{ Method, URL, Type, Token, Body string }
	var got []request
	for _, q := range sent.requests {
		got = append(got, request{q.Method, q.URL, q.Header.Get("Content-Type"), q.Header.Get("Authorization"), string(q.Body)})
	}
	want := []request{
		{"POST", "http://api.test/a", "", "Bearer s3cret", `{"n":1}`},
		{"POST", "http://api.test/b", "text/plain; charset=utf-8", "", "1,2"},
		{"POST", "http://api.test/c", "text/csv", "", "1,2"},
		{"PUT", "http://api.test/d", "application/octet-stream", "", "\x89PNG"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if evidence := results[3].Evidence; !strings.HasPrefix(evidence, "PUT /d with tests/a.png returned 200") {
		t.Errorf("evidence = %q, want the file named", evidence)
	}
	for _, r := range results {
		if strings.Contains(r.Evidence, "s3cret") {
			t.Errorf("evidence = %q, want it without the secret", r.Evidence)
		}
	}
}

func TestCompileChecks_UnsetVariable(t *testing.T) {
	_, err := CompileChecks([]step.Check{{Name: "predict", Headers: map[string]string{"X-Key": "${API_KEY}"}}}, variables(nil))
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "API_KEY") || !strings.Contains(err.Error(), "predict") {
		t.Errorf("error = %v, want %s that names the check and the variable", err, fault.NotFound)
	}
}

// TestCheckSmoke_ModelOpened: it is looked at after all requests, wherever the check is
// in the list.
func TestCheckSmoke_ModelOpened(t *testing.T) {
	model := &delivery.ModelRef{Group: "m", Version: 7}
	for _, c := range []struct {
		name    string
		model   *delivery.ModelRef
		uses    []port.ModelUse // one look after the other; nil: the target can't see it
		verdict delivery.Verdict
		kind    fault.Kind
	}{
		{"opened", model, []port.ModelUse{port.ModelOpened}, delivery.Passed, ""},
		{"opened a moment later", model, []port.ModelUse{port.ModelNotOpened, port.ModelNotOpened, port.ModelOpened}, delivery.Passed, ""},
		{"not opened", model, []port.ModelUse{port.ModelNotOpened}, delivery.Failed, fault.Failed},
		{"unknown", model, []port.ModelUse{port.ModelUseUnknown}, delivery.Unavailable, fault.Unavailable},
		{"not observed by the target", model, nil, delivery.Unavailable, fault.Unavailable},
		{"no model", nil, []port.ModelUse{port.ModelOpened}, delivery.Failed, fault.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				smoke, err := CompileChecks([]step.Check{{Name: "opened", ModelOpened: true}, {Name: "predict", Path: "/predict"}}, variables(nil))
				if err != nil {
					t.Fatal(err)
				}
				sent, looks := &recorder{}, 0
				want := Expectation{Release: "r-0123456789ab", Model: c.model, Smoke: smoke}
				if c.uses != nil {
					want.ModelUse = func(context.Context) (port.ModelUse, string) {
						if len(sent.requests) == 0 {
							t.Error("the model was looked at before the requests")
						}
						looks++
						return c.uses[min(looks, len(c.uses))-1], "model opened, or not"
					}
				}
				results, err := Checker{Prober: sent}.CheckSmoke(t.Context(), step.Request{}, "http://api.test", want)
				if len(results) != 2 || results[1].Gate != "smoke: opened" || results[1].Verdict != c.verdict {
					t.Errorf("results = %v, want the last %s", results, c.verdict)
				}
				if (err == nil) != (c.kind == "") || err != nil && !fault.Is(err, c.kind) {
					t.Errorf("error = %v, want one of kind %q", err, c.kind)
				}
				if len(sent.requests) != 1 {
					t.Errorf("requests = %d, want the one of the other check", len(sent.requests))
				}
			})
		})
	}
}
