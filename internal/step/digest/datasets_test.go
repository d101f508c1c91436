package digest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

const datasetURI = "s3://retail-ml/train/a.csv"

// bucket is a store with one object.
type bucket struct {
	text    string
	fetched int
}

func (b *bucket) Pin(_ context.Context, uri string) (delivery.Dataset, error) {
	return delivery.Dataset{URI: uri, Digest: delivery.DigestOf([]byte("etag of " + b.text)), Objects: 1, Size: int64(len(b.text))}, nil
}

func (b *bucket) Fetch(ctx context.Context, d delivery.Dataset, dir string) error {
	if now, _ := b.Pin(ctx, d.URI); now.Digest != d.Digest {
		return fault.New(fault.Conflict, "%s changed", d.URI)
	}
	b.fetched++
	return os.WriteFile(filepath.Join(dir, port.DatasetName(d.URI)), []byte(b.text), 0o600)
}

// reading is a step that reads a file and what is in a bucket.
type reading struct {
	t       *testing.T
	bucket  *bucket
	r       step.Request
	local   string
	params  step.DatasetParams
	want    delivery.Digest
	notices []string
}

func newReading(t *testing.T) *reading {
	t.Helper()
	x := &reading{t: t, bucket: &bucket{text: "1,2\n"}, local: write(t, filepath.Join(t.TempDir(), "local.csv"), "3\n")}
	x.r = step.Request{ArtifactsDir: t.TempDir(), Emit: func(e event.Event) { x.notices = append(x.notices, e.Text) }}
	d, err := x.bucket.Pin(t.Context(), datasetURI)
	if err != nil {
		t.Fatal(err)
	}
	x.params = step.DatasetParams{Datasets: []delivery.Dataset{d}}
	x.want = Joint(paths(t, Hasher{}, x.local), x.params.Datasets)
	return x
}

func (x *reading) read() (Data, error) {
	x.t.Helper()
	s := Source{Datasets: func(delivery.Location) (port.Datasets, error) { return x.bucket, nil }}
	return s.BeforeRun(x.t.Context(), x.r, []string{datasetURI, x.local}, x.params, x.want)
}

func (x *reading) mustRead() Data {
	x.t.Helper()
	d, err := x.read()
	if err != nil {
		x.t.Fatal(err)
	}
	return d
}

// What is in a bucket is fetched once, and is in the place that its URI has.
func TestSource_Fetches(t *testing.T) {
	x := newReading(t)
	d := x.mustRead()
	text, err := os.ReadFile(d.Paths[0])
	if err != nil || string(text) != "1,2\n" || filepath.Base(d.Paths[0]) != "a.csv" || d.Paths[1] != x.local || d.Digest != x.want {
		t.Errorf("%+v, %q, %v", d, text, err)
	}
	want := x.params.Datasets[0]
	want.Content = delivery.DigestOf([]byte("1,2\n"))
	if diff := cmp.Diff([]delivery.Dataset{want}, d.Datasets); diff != "" {
		t.Errorf("datasets (-want +got):\n%s", diff)
	}
	again := x.mustRead()
	if diff := cmp.Diff(d.Datasets, again.Datasets); diff != "" || x.bucket.fetched != 1 || len(x.notices) != 0 {
		t.Errorf("fetched %d times, notices %q (-first +again):\n%s", x.bucket.fetched, x.notices, diff)
	}
	if left, _ := filepath.Glob(filepath.Join(x.r.ArtifactsDir, "datasets", ".new-*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
	if err := d.AfterRun(t.Context()); err != nil {
		t.Error(err)
	}
}

// A copy that was changed is noticed after the command, and fetched again.
func TestSource_ChangedCopy(t *testing.T) {
	x := newReading(t)
	d := x.mustRead()
	if err := os.Chmod(d.Paths[0], 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, d.Paths[0], "9,9\n")
	if err := d.AfterRun(t.Context()); !fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want %s", err, fault.Conflict)
	}
	text, err := os.ReadFile(x.mustRead().Paths[0])
	if err != nil || string(text) != "1,2\n" || x.bucket.fetched != 2 {
		t.Errorf("%q after %d fetches, %v", text, x.bucket.fetched, err)
	}
}

// An object that moved between plan and training is noticed: nothing is trained with it,
// unless what was pinned is here.
func TestSource_MovedSincePlan(t *testing.T) {
	x := newReading(t)
	x.bucket.text = "9,9\n"
	if _, err := x.read(); !fault.Is(err, fault.Conflict) || len(x.notices) != 1 || !strings.Contains(x.notices[0], datasetURI) {
		t.Errorf("error = %v, notices %q, want %s", err, x.notices, fault.Conflict)
	}
	x = newReading(t)
	x.mustRead()
	x.bucket.text = "9,9\n"
	text, err := os.ReadFile(x.mustRead().Paths[0])
	if err != nil || string(text) != "1,2\n" || len(x.notices) != 1 {
		t.Errorf("%q, notices %q, %v, want what was pinned", text, x.notices, err)
	}
	write(t, x.local, "4\n")
	if _, err := x.read(); !fault.Is(err, fault.Conflict) {
		t.Errorf("the file changed: error = %v, want %s", err, fault.Conflict)
	}
}

// The digest of data changes with what is pinned, and is the machine's own without any.
func TestJoint(t *testing.T) {
	local := delivery.DigestOf([]byte("x"))
	a := delivery.Dataset{URI: datasetURI, Digest: delivery.DigestOf([]byte("a"))}
	b := a
	b.Digest = delivery.DigestOf([]byte("b"))
	c := a
	c.Content = delivery.DigestOf([]byte("c"))
	all := []delivery.Digest{Joint(local, nil), Joint("", []delivery.Dataset{a}), Joint(local, []delivery.Dataset{a}), Joint(local, []delivery.Dataset{b})}
	for i, d := range all {
		for _, other := range all[:i] {
			if d == other {
				t.Errorf("%v has one digest twice", all)
			}
		}
	}
	if all[0] != local || all[2] != Joint(local, []delivery.Dataset{c}) {
		t.Errorf("%v", all)
	}
}
