package s3_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func newDatasets(t *testing.T, b awstest.Bucket) (*awstest.Lab, *s3.Datasets) {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	b.Name = bucket
	l.AddBucket(b)
	awstest.As(t, l.AddUser("alice"))
	return l, s3.NewDatasets(extension.AWS{Account: awstest.Account, Region: awstest.Region}, session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }})
}

func TestDatasets_Conformance(t *testing.T) {
	for _, unversioned := range []bool{false, true} {
		t.Run(fmt.Sprintf("unversioned %v", unversioned), func(t *testing.T) {
			porttest.TestDatasets(t, func(t *testing.T) porttest.DatasetsFixture {
				l, d := newDatasets(t, awstest.Bucket{Unversioned: unversioned})
				t.Cleanup(func() {
					if err := l.Invalid(); err != nil {
						t.Errorf("AWS's models refuse: %v", err)
					}
				})
				return porttest.DatasetsFixture{Datasets: d, Root: "s3://" + bucket + "/", KeepsVersions: !unversioned, Put: func(t *testing.T, name, text string) {
					if _, err := l.PutObject(bucket, name, []byte(text)); err != nil {
						t.Fatal(err)
					}
				}}
			})
		})
	}
}

// An object is pinned by its version; one below a prefix by its ETag, also while it is
// fetched.
func TestDatasets_ReplacedMeanwhile(t *testing.T) {
	l, d := newDatasets(t, awstest.Bucket{})
	put := func(text string) string {
		version, err := l.PutObject(bucket, "train/a.csv", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	version := put("1,2\n")
	one, err := d.Pin(t.Context(), "s3://"+bucket+"/train/a.csv")
	if err != nil || one.Version != version || one.Size != 4 || one.Objects != 1 {
		t.Errorf("%+v, %v, want version %s", one, err, version)
	}
	all, err := d.Pin(t.Context(), "s3://"+bucket+"/train/")
	if err != nil {
		t.Fatal(err)
	}
	var replaced atomic.Bool
	l.Inject(func(call *awstest.Call) awstest.Fault {
		if call.Operation.Name != "GetObject" || replaced.Load() {
			return awstest.NoFault
		}
		go func() { put("3,4\n"); replaced.Store(true) }()
		time.Sleep(time.Millisecond)
		return awstest.Unavailable // it is asked again
	})
	if err := d.Fetch(t.Context(), all, t.TempDir()); !fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want %s", err, fault.Conflict)
	}
}

func TestDatasets_Errors(t *testing.T) {
	l, d := newDatasets(t, awstest.Bucket{})
	l.AddBucket(awstest.Bucket{Name: "elsewhere", Region: "eu-west-1"})
	if _, err := l.PutObject(bucket, "train/a.csv", nil); err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]struct {
		kind fault.Kind
		hint string
	}{
		"s3://" + bucket + "/train":  {fault.NotFound, "s3://" + bucket + "/train/"},
		"s3://" + bucket + "/other/": {fault.NotFound, "prefix"},
		"s3://elsewhere/train/":      {fault.Invalid, "ap-southeast-1"},
		"https://example.com/data":   {fault.Invalid, ""},
	} {
		if _, err := d.Pin(t.Context(), uri); !fault.Is(err, want.kind) || !strings.Contains(fault.HintOf(err), want.hint) {
			t.Errorf("%s: %v (%s), want %s", uri, err, fault.HintOf(err), want.kind)
		}
	}
	foreign := s3.NewDatasets(extension.AWS{Account: "999999999999", Region: awstest.Region}, session.Options{Client: l.Client})
	if _, err := foreign.Pin(t.Context(), "s3://"+bucket+"/train/"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "999999999999") {
		t.Errorf("another account: %v", err)
	}
}

// What is too large is not fetched, and keys lead out of no folder.
func TestDatasets_Limits(t *testing.T) {
	l, d := newDatasets(t, awstest.Bucket{})
	dir := t.TempDir()
	large := delivery.Dataset{URI: "s3://" + bucket + "/large", Size: 64<<30 + 1}
	if err := d.Fetch(t.Context(), large, dir); !fault.Is(err, fault.Exhausted) || l.Count("s3", "GetObject")+l.Count("s3", "HeadObject") != 0 {
		t.Errorf("error = %v, want %s before a request", err, fault.Exhausted)
	}
	if _, err := l.PutObject(bucket, "odd/../../escaped", []byte("x")); err != nil {
		t.Fatal(err)
	}
	odd, err := d.Pin(t.Context(), "s3://"+bucket+"/odd/")
	if err == nil {
		err = d.Fetch(t.Context(), odd, dir)
	}
	if _, statErr := os.Stat(filepath.Join(filepath.Dir(dir), "escaped")); !fault.Is(err, fault.Invalid) || statErr == nil {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
	const most = 1_500 // more than a page of a list
	d.LimitObjects(most)
	for i := range most + 1 {
		if _, err := l.PutObject(bucket, fmt.Sprintf("many/%04d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Pin(t.Context(), "s3://"+bucket+"/many/"); !fault.Is(err, fault.Exhausted) {
		t.Errorf("error = %v, want %s", err, fault.Exhausted)
	}
}
