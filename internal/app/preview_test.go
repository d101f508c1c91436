package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// diffTarget is a target that tells what a release would change.
type diffTarget struct {
	*fake.Target
	t         *testing.T
	manifests port.Manifests
	request   port.DeployRequest
	dir       string // that the manifests were read in
	fail      error
}

func (d *diffTarget) Render(_ context.Context, m port.Manifests) (port.Rendered, error) {
	d.manifests, d.dir = m, m.Dir
	if m.Dir != "" {
		if _, err := os.Stat(filepath.Join(m.Dir, "k8s.yaml")); err != nil {
			d.t.Error(err)
		}
	}
	return port.Rendered{Objects: "[]", Secrets: []port.Secret{{Name: "token-1"}}}, d.fail
}

func (d *diffTarget) Diff(_ context.Context, o port.DeployRequest) ([]port.Change, error) {
	d.request = o
	return []port.Change{{Action: "change", Kind: "Deployment", Name: "api", Diff: "+ image: api@" + string(o.Release.Image.Digest) + "\n+ release: " + string(o.ID)}}, nil
}

// treeSource is a source with one file.
type treeSource struct{ port.Source }

func (treeSource) Checkout(_ context.Context, sha, dir string) error {
	if sha != "tree-1" {
		return errors.New("another tree")
	}
	return os.WriteFile(filepath.Join(dir, "k8s.yaml"), nil, 0o600)
}

func newPreview(t *testing.T) (machine, *diffTarget) {
	t.Helper()
	m := newMachine(t, newSharedTarget())
	d := &diffTarget{Target: m.shared.Target, t: t}
	m.deps.Targets["local"], m.deps.Source = d, treeSource{}
	return m, d
}

func previewChanges(t *testing.T, m machine, p plan.Plan) ([]port.Change, error) {
	t.Helper()
	v := PlanView{Plan: p}
	err := m.previewDeploy(t.Context(), &v)
	return v.Changes, err
}

func planWithDeploy(t *testing.T, w step.DeployParams, more ...step.Spec) plan.Plan {
	t.Helper()
	w.Target = "local"
	with, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Plan{
		Service: "api", Environment: "prod", Commit: delivery.Commit{Tree: "tree-1"},
		Steps: append(more, step.Spec{Name: "deploy", Kind: step.Deploy, Params: with}),
	}
}

// TestPreview_NamesPlaceholders: what does not exist before the run has a name that people
// understand, and nothing of the look stays behind.
func TestPreview_NamesPlaceholders(t *testing.T) {
	m, d := newPreview(t)
	model := &delivery.ModelRef{Group: "m", Version: 3, Digest: fake.Digest(3)}
	changes, err := previewChanges(t, m, planWithDeploy(t, step.DeployParams{
		RolloutParams: step.RolloutParams{Strategy: delivery.BlueGreen}, ManifestParams: step.ManifestParams{Manifests: []string{"k8s.yaml"}}, Model: model,
	}))
	if err != nil || len(changes) != 1 {
		t.Fatalf("preview = %+v, %v, want one change", changes, err)
	}
	want := "+ image: api@(made by this run)\n+ release: (this release)"
	if changes[0].Diff != want {
		t.Errorf("diff %q, want %q", changes[0].Diff, want)
	}
	if d.manifests.Image.Repository != "api" || d.manifests.Model != model && *d.manifests.Model != *model || !d.manifests.ModelImage.Digest.Valid() {
		t.Errorf("rendered %+v, want repository api, model %v and a digest of the model's image", d.manifests, model)
	}
	if len(d.request.Secrets) != 1 || d.request.Strategy != delivery.BlueGreen || !d.request.Release.Manifests.Valid() || d.request.Run != "" {
		t.Errorf("request = %+v, want one Secret, strategy %s, the digest of the manifests and no run", d.request, delivery.BlueGreen)
	}
	if _, err := os.Stat(d.dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", d.dir, err)
	}
}

// locatedModels is a registry that services load their models from.
type locatedModels struct{ port.ModelRegistry }

func (locatedModels) Locate(_ context.Context, m delivery.ModelRef) (port.ModelLocation, error) {
	return port.ModelLocation{Name: "arn:" + m.String(), URL: "s3://" + m.String()}, nil
}

// TestPreview_Locates: a service that loads its model itself is shown where it will find
// it, or that this run makes it.
func TestPreview_Locates(t *testing.T) {
	m, d := newPreview(t)
	m.deps.Models = locatedModels{m.deps.Models}
	unknown := &delivery.ModelRef{Group: "m", Version: 1, Digest: placeholderDigest}
	for _, tt := range []struct {
		by    delivery.ModelDelivery
		model *delivery.ModelRef
		want  port.ModelLocation
	}{
		{delivery.DeliverByEnv, &delivery.ModelRef{Group: "m", Version: 3, Digest: fake.Digest(3)}, port.ModelLocation{Name: "arn:m:3", URL: "s3://m:3"}},
		{delivery.DeliverByEnv, unknown, port.ModelLocation{Name: string(placeholderDigest), URL: string(placeholderDigest), Version: string(placeholderDigest)}},
		{delivery.DeliverByInit, &delivery.ModelRef{Group: "m", Version: 3, Digest: fake.Digest(3)}, port.ModelLocation{}},
		{delivery.DeliverByInit, unknown, port.ModelLocation{}},
	} {
		_, err := previewChanges(t, m, planWithDeploy(t, step.DeployParams{ManifestParams: step.ManifestParams{ModelDelivery: tt.by}, Model: tt.model}))
		if err != nil || d.manifests.Location != tt.want {
			t.Errorf("%s, %s: rendered with %+v, %v, want %+v", tt.by, tt.model, d.manifests.Location, err, tt.want)
		}
	}
}

// TestPreview_RecordedRelease: a release that is there is shown as it is.
func TestPreview_RecordedRelease(t *testing.T) {
	m, d := newPreview(t)
	id := m.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Deploying)
	changes, err := previewChanges(t, m, planWithDeploy(t, step.DeployParams{Release: id}))
	if err != nil || len(changes) != 1 || d.request.ID != id || d.manifests.Service != "" {
		t.Errorf("preview = %+v, %v of request %+v, want one change for release %s, not rendered again", changes, err, d.request, id)
	}
	if _, err := previewChanges(t, m, planWithDeploy(t, step.DeployParams{Release: "r-0123456789ab"})); err == nil {
		t.Error("preview of an unknown release succeeded, want an error")
	}
}

// TestPreview_Overrides: what the environment changes is shown as it will be, for a
// release that is there as well.
func TestPreview_Overrides(t *testing.T) {
	two := 2
	over := delivery.Overrides{Replicas: &two, Env: map[string]string{"LEVEL": "debug"}, Manifests: []string{"k8s.yaml"}, Values: []string{"own.yaml"}}
	m, d := newPreview(t)
	id := m.recordDeployment("20260301-010000-aaaa", "1", 1, delivery.Deploying)
	common := step.ManifestParams{Manifests: []string{"common.yaml"}, Values: []string{"common-values.yaml"}}
	for name, w := range map[string]step.DeployParams{
		"recorded": {Release: id, ManifestParams: common, Overrides: over},
		"to make":  {Workload: delivery.Workload{Health: "/health"}, ManifestParams: common, Overrides: over},
	} {
		t.Run(name, func(t *testing.T) {
			changes, err := previewChanges(t, m, planWithDeploy(t, w))
			if err != nil || len(changes) != 1 {
				t.Fatalf("preview = %+v, %v, want one change", changes, err)
			}
			if got := d.manifests; got.Workload.Replicas != 2 || got.Workload.Env["LEVEL"] != "debug" || got.Workload.Health != "/health" {
				t.Errorf("rendered the workload %+v, want it with the overrides", got.Workload)
			}
			want := [][]string{{"k8s.yaml"}, {"common-values.yaml", "own.yaml"}}
			if diff := cmp.Diff(want, [][]string{d.manifests.Paths, d.manifests.Values}); diff != "" {
				t.Errorf("manifests and values (-want +got):\n%s", diff)
			}
			if d.request.Release.Workload.Replicas != 2 || d.request.Release.Objects == "" {
				t.Errorf("the target compares %+v, want what was rendered", d.request.Release)
			}
		})
	}
}

func TestPreview_NothingToShow(t *testing.T) {
	m, d := newPreview(t)
	if changes, err := previewChanges(t, m, plan.Plan{}); err != nil || changes != nil {
		t.Errorf("nothing is deployed: %v, %v", changes, err)
	}
	m.deps.Targets["local"] = d.Target
	if changes, err := previewChanges(t, m, planWithDeploy(t, step.DeployParams{})); err != nil || changes != nil {
		t.Errorf("the target can't tell: %v, %v", changes, err)
	}
	m.deps.Targets["local"] = d
	d.fail = errors.New("k8s.yaml:3: no")
	if _, err := previewChanges(t, m, planWithDeploy(t, step.DeployParams{ManifestParams: step.ManifestParams{Manifests: []string{"k8s.yaml"}}})); err == nil || !strings.Contains(err.Error(), "k8s.yaml:3") {
		t.Errorf("error = %v, want the renderer's", err)
	}
	if _, err := os.Stat(d.dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", d.dir, err)
	}
}
