package app

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step/digest"
)

// pins is a store that pins everything but one address.
type pins struct{ asked []string }

func (p *pins) Pin(_ context.Context, uri string) (delivery.Dataset, error) {
	p.asked = append(p.asked, uri)
	if uri == "s3://retail-ml/absent" {
		return delivery.Dataset{}, fault.New(fault.NotFound, "%s does not exist", uri)
	}
	return delivery.Dataset{URI: uri, Digest: delivery.DigestOf([]byte(uri)), Objects: 1}, nil
}

func (p *pins) Fetch(context.Context, delivery.Dataset, string) error {
	return fault.New(fault.Internal, "a plan fetches nothing")
}

// A plan pins what is in a store, once, beside the files of this machine.
func TestFindData_Pins(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, where := &pins{}, extension.AWS{}
	s := &session{
		app: &App{Clock: time.Now}, workspace: Workspace{Repository: dir, Home: t.TempDir()}, preview: true,
		project: config.Project{AWS: config.AWS{Region: "ap-southeast-1"}, Model: &config.Model{Train: &config.Train{}, Data: []string{"s3://retail-ml/train/", "a.csv"}}},
		deps: Dependencies{Datasets: func(at delivery.Location) (port.Datasets, error) {
			return store, at.Decode(&where)
		}},
	}
	var f plan.Facts
	if err := s.findData(t.Context(), &f, "prod"); err != nil {
		t.Fatal(err)
	}
	pinned := []delivery.Dataset{{URI: "s3://retail-ml/train/", Digest: delivery.DigestOf([]byte("s3://retail-ml/train/")), Objects: 1}}
	local, err := digest.Paths(t.Context(), []string{filepath.Join(dir, "a.csv")})
	want := []plan.Data{{Path: pinned[0].URI, Digest: pinned[0].Digest}, {Path: filepath.Join(dir, "a.csv"), Digest: local}}
	if diff := cmp.Diff(want, f.Data); diff != "" || err != nil || !slices.Equal(f.Datasets, pinned) || f.DataDigest != digest.Joint(local, pinned) || where.Region != "ap-southeast-1" || len(store.asked) != 1 {
		t.Errorf("%+v, %s, asked %q in %q, %v (-want +got):\n%s", f.Datasets, f.DataDigest, store.asked, where.Region, err, diff)
	}
	s.project.Model.Data = []string{"s3://retail-ml/absent"}
	if err := s.findData(t.Context(), &f, "prod"); !fault.Is(err, fault.NotFound) {
		t.Errorf("error = %v, want %s", err, fault.NotFound)
	}
}
