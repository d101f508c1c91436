package kubernetes

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const anchorPath = "/api/v1/namespaces/ns/configmaps/slipway-sample-prod.anchor"

func TestLogAnchor(t *testing.T) {
	porttest.TestLogAnchor(t, func(t *testing.T) porttest.LogAnchorFixture {
		server := fakeapi.New(t)
		open := func(t *testing.T) *Target {
			target := newTarget(t, server)
			t.Cleanup(func() {
				if err := target.Close(); err != nil {
					t.Error(err)
				}
			})
			return target
		}
		return porttest.LogAnchorFixture{
			Open: func(t *testing.T) port.LogAnchor { return open(t) },
			Damage: func(t *testing.T) {
				server.Edit(anchorPath, func(o *unstructured.Unstructured) { o.Object["data"] = map[string]any{"anchor.json": "{"} })
			},
			Remove: func(t *testing.T) {
				if err := open(t).Remove(t.Context(), "sample", "prod"); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// TestTarget_SetAnchor_LostResponse: the repeated request finds the object that the
// first one has made.
func TestTarget_SetAnchor_LostResponse(t *testing.T) {
	server := fakeapi.New(t)
	target := newTarget(t, server)
	defer target.Close()
	lost := 0
	server.After = func(r *http.Request) error {
		if r.Method == http.MethodGet || lost == 2 || lost == 1 && r.Method == http.MethodPost {
			return nil
		}
		lost++
		return errors.New("http2: client connection lost")
	}
	first, second := port.Anchor{Mark: port.LogMark{Log: "A", Entry: 1}}, port.Anchor{Mark: port.LogMark{Log: "A", Entry: 2}}
	if err := target.SetAnchor(t.Context(), "sample", "prod", port.LogMark{}, first); err != nil {
		t.Errorf("SetAnchor, created: %v", err)
	}
	if err := target.SetAnchor(t.Context(), "sample", "prod", first.Mark, second); err != nil {
		t.Errorf("SetAnchor, replaced: %v", err)
	}
	if got, err := target.Anchor(t.Context(), "sample", "prod"); err != nil || got != second || lost != 2 {
		t.Errorf("anchor = %v, %v after %d lost responses, want %v after 2", got, err, lost, second)
	}
}

// TestTarget_Anchor_IsNoHistory: earlier versions read every record that has the label as
// a history.
func TestTarget_Anchor_IsNoHistory(t *testing.T) {
	server := fakeapi.New(t)
	target := newTarget(t, server)
	defer target.Close()
	if err := target.SetAnchor(t.Context(), "sample", "prod", port.LogMark{}, port.Anchor{Mark: port.LogMark{Log: "A", Entry: 1}}); err != nil {
		t.Fatal(err)
	}
	for name := range server.Objects()[anchorPath].GetLabels() {
		if strings.HasSuffix(name, "/record") {
			t.Errorf("the anchor has the label %s", name)
		}
	}
	if h, err := target.LoadHistory(t.Context(), "sample", "prod"); err != nil || len(h.Deployments) > 0 {
		t.Errorf("LoadHistory = %v, %v, want none", h.Deployments, err)
	}
}
