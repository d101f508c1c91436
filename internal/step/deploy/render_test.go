package deploy

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// rendering is a target whose releases carry objects, and a packer of models.
type rendering struct {
	*fake.TargetWithHistory
	asked  []port.Manifests
	staged []port.DeployRequest
	packed []string
	fail   error
}

const secretValue = "hunter2-very-secret"

func (d *rendering) Render(_ context.Context, m port.Manifests) (port.Rendered, error) {
	d.asked = append(d.asked, m)
	return port.Rendered{
		Objects: fmt.Sprintf(`[{"image":%q}]`, m.Image), Notes: []string{"a note for people"},
		Secrets: []port.Secret{{Name: "token-1", Data: map[string][]byte{"TOKEN": []byte(secretValue)}}},
	}, d.fail
}

func (d *rendering) Stage(ctx context.Context, o port.DeployRequest, say func(string)) (string, error) {
	d.staged = append(d.staged, o)
	return d.TargetWithHistory.Stage(ctx, o, say)
}

func (d *rendering) Pack(_ context.Context, m delivery.ModelRef, repository string) (delivery.Image, error) {
	d.packed = append(d.packed, m.String()+" into "+repository)
	return delivery.Image{Repository: repository, Digest: fake.Digest(77)}, d.fail
}

func renders() (*rendering, *fake.Environment, Step) {
	w := fake.NewEnvironment()
	d := &rendering{TargetWithHistory: &fake.TargetWithHistory{Target: w.Target}}
	s := newStep(w)
	s.Targets, s.ModelImages = port.Targets{"local": d}, d
	return d, w, s
}

// TestRender_ObjectsInReleaseSecretsInRequest: the objects are part of the release, the secrets only of the order.
func TestRender_ObjectsInReleaseSecretsInRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, s := renders()
		ref := *w.Release(2).Release.Model
		with := step.DeployParams{
			ManifestParams: step.ManifestParams{Manifests: []string{"k8s/"}, Values: []string{"values.yaml"}, ModelDelivery: delivery.DeliverByVolume},
			Workload:       delivery.Workload{Health: "/health", Env: map[string]string{"A": "1"}},
		}
		r := request(with)
		r.Inputs = pipelineOutputs(ref)
		r.Checkout = func(context.Context) (string, error) { return "/src", nil }
		var told []string
		var log strings.Builder
		r.Emit, r.Log = func(e event.Event) { told = append(told, fmt.Sprintf("%+v", e)) }, &log
		res, err := s.Run(t.Context(), r)
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		image := delivery.Image{Repository: "api", Digest: fake.Digest(9)}
		want := port.Manifests{
			Service: "api", Dir: "/src", Paths: with.Manifests, Values: with.Values, Image: image, Workload: d.asked[0].Workload,
			Model: &ref, ModelImage: delivery.Image{Repository: "api", Digest: fake.Digest(77)}, Delivery: delivery.DeliverByVolume,
		}
		if len(d.asked) != 1 || !reflect.DeepEqual(d.asked[0], want) || d.asked[0].Workload.Env["A"] != "1" {
			t.Errorf("rendered %+v\nwant %+v", d.asked, want)
		}
		id := outputOf(t, res).Release
		rel, err := w.Records.Releases().Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if digest := delivery.DigestOf([]byte(rel.Release.Objects)); rel.Release.Objects == "" || rel.Release.Manifests != digest {
			t.Errorf("objects %q with digest %s, want %s", rel.Release.Objects, rel.Release.Manifests, digest)
		}
		if len(d.staged) != 1 || len(d.staged[0].Secrets) != 1 || string(d.staged[0].Secrets[0].Data["TOKEN"]) != secretValue {
			t.Errorf("staged = %+v, want one request with the secret's value", d.staged)
		}
		history, err := d.LoadHistory(t.Context(), "api", env)
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{
			"the record": string(raw(rel)), "the result": string(raw(res)), "the events": strings.Join(told, "\n"), "the history": string(raw(history)), "the log": log.String(),
		} {
			if strings.Contains(text, secretValue) || strings.Contains(text, "aHVudGVy") { // base64 of its beginning
				t.Errorf("%s = %s, want it without the secret", what, text)
			}
		}
		if !strings.Contains(log.String(), "a note for people") {
			t.Errorf("log = %q, want the renderer's note in it", log.String())
		}
	})
}

// TestRender_NotForPromotedRelease: a recorded release comes as it is, and its Secrets
// are where it is told to be already.
func TestRender_NotForPromotedRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, s := renders()
		rel := w.Release(1)
		res, err := s.Run(t.Context(), request(step.DeployParams{Release: rel.ID, ManifestParams: step.ManifestParams{Manifests: []string{"k8s/"}}}))
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		if len(d.asked) != 0 {
			t.Errorf("rendered %v, want nothing", d.asked)
		}
		if len(d.packed) != 0 {
			t.Errorf("packed %v, want nothing", d.packed)
		}
		if len(d.staged) != 1 || d.staged[0].Secrets != nil || d.staged[0].ID != rel.ID {
			t.Errorf("staged = %+v, want %s alone, without secrets", d.staged, rel.ID)
		}
	})
}

// TestRun_PublishesBeforeChange: the history beside what serves knows of a release before
// the target hears of it.
func TestRun_PublishesBeforeChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, s := renders()
		rel := w.Release(1)
		if _, err := s.Run(t.Context(), request(step.DeployParams{Release: rel.ID})); err != nil {
			t.Fatal(err)
		}
		written, staged := slices.Index(d.Calls, "SaveHistory "+string(rel.ID)+" deploying"), slices.Index(d.Calls, "Stage "+string(rel.ID))
		if written < 0 || staged < written {
			t.Errorf("calls = %q, want the history written, then the release staged", d.Calls)
		}
	})
}

func TestRender_Errors(t *testing.T) {
	why := errors.New("k8s/api.yaml:3: no")
	for _, c := range []struct {
		name   string
		change func(*rendering, *Step, *step.Request)
		says   string
	}{
		{"renderer", func(d *rendering, _ *Step, _ *step.Request) { d.fail = why }, "k8s/api.yaml:3"},
		{"checkout", func(_ *rendering, _ *Step, r *step.Request) {
			r.Checkout = func(context.Context) (string, error) { return "", why }
		}, "check out"},
		{"no packer", func(_ *rendering, s *Step, _ *step.Request) { s.ModelImages = nil }, "pack model"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, w, s := renders()
				r := request(step.DeployParams{ManifestParams: step.ManifestParams{Manifests: []string{"k8s/"}}, Workload: delivery.Workload{Health: "/health"}})
				r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
				r.Checkout = func(context.Context) (string, error) { return "/src", nil }
				c.change(d, &s, &r)
				if _, err := s.Run(t.Context(), r); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error = %v, want %q", err, c.says)
				}
				if len(d.Calls) != 0 {
					t.Errorf("calls of the target = %q, want none", d.Calls)
				}
			})
		})
	}
}

// TestRender_DoesNotPackModelByEnv: a service that loads its model itself gets no image of it.
func TestRender_DoesNotPackModelByEnv(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, s := renders()
		r := request(step.DeployParams{ManifestParams: step.ManifestParams{ModelDelivery: delivery.DeliverByEnv}, Workload: delivery.Workload{Health: "/health"}})
		r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
		if res, err := s.Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		if len(d.packed) != 0 {
			t.Errorf("packed %v, want nothing", d.packed)
		}
		if got := d.asked[0]; got.ModelImage != (delivery.Image{}) || got.Model == nil || got.Dir != "" {
			t.Errorf("rendered = %+v, want a model without an image, and no folder", got)
		}
	})
}

// locating is a registry that services load their models from.
type locating struct {
	port.ModelRegistry
	fail error
}

func (l locating) Locate(_ context.Context, m delivery.ModelRef) (port.ModelLocation, error) {
	return port.ModelLocation{Name: "arn:" + m.String(), URL: "s3://models/" + m.String()}, l.fail
}

// TestRender_LocatesModelByEnv: a service that loads its model itself is told where it is,
// if the registry tells; others are not.
func TestRender_LocatesModelByEnv(t *testing.T) {
	why := errors.New("it was overwritten")
	for name, tt := range map[string]struct {
		by   delivery.ModelDelivery
		fail error
		want port.ModelLocation
	}{
		"env":                       {delivery.DeliverByEnv, nil, port.ModelLocation{Name: "arn:m:2", URL: "s3://models/m:2"}},
		"env, and it was replaced":  {delivery.DeliverByEnv, why, port.ModelLocation{}},
		"init, and it was replaced": {delivery.DeliverByInit, why, port.ModelLocation{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, w, s := renders()
				s.Models = locating{s.Models, tt.fail}
				r := request(step.DeployParams{ManifestParams: step.ManifestParams{ModelDelivery: tt.by}, Workload: delivery.Workload{Health: "/health"}})
				r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
				_, err := s.Run(t.Context(), r)
				if tt.by == delivery.DeliverByEnv && tt.fail != nil {
					if !errors.Is(err, why) || len(d.Calls) != 0 {
						t.Errorf("error = %v, calls of the target = %q, want none", err, d.Calls)
					}
					return
				}
				if err != nil || d.asked[0].Location != tt.want {
					t.Errorf("rendered with %+v (%v), want %+v", d.asked, err, tt.want)
				}
			})
		})
	}
}

// TestRender_NotForUntrusted: nothing is checked out, packed, rendered or
// recorded of what the environment does not trust.
func TestRender_NotForUntrusted(t *testing.T) {
	d, w, s := renders()
	r := request(step.DeployParams{ManifestParams: step.ManifestParams{Manifests: []string{"k8s/"}}, Trust: unfulfilledPolicy})
	r.Inputs = pipelineOutputs(*w.Release(2).Release.Model)
	r.Checkout = func(context.Context) (string, error) { return "", errors.New("checked out") }
	before, _, _ := w.Records.Releases().List(t.Context(), port.ReleaseFilter{}, port.Page{})
	_, err := s.Run(t.Context(), r)
	after, _, _ := w.Records.Releases().List(t.Context(), port.ReleaseFilter{}, port.Page{})
	if !fault.Is(err, fault.Denied) {
		t.Errorf("error = %v, want %s", err, fault.Denied)
	}
	if len(d.asked)+len(d.packed)+len(d.staged) > 0 {
		t.Errorf("rendered %v, packed %v, staged %v, want nothing", d.asked, d.packed, d.staged)
	}
	if len(after) != len(before) {
		t.Errorf("%d releases recorded, want none", len(after)-len(before))
	}
}
