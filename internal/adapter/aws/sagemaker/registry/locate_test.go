package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// storeFiles stores a model with one file.
func storeFiles(t *testing.T, store *artifacts, text string) delivery.Digest {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.joblib"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	digest, err := store.Store(t.Context(), group, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func overwrite(t *testing.T, l *awstest.Lab, uri string) {
	t.Helper()
	at, err := s3.Parse(uri)
	if err == nil {
		_, err = l.PutObject(at.Bucket, at.Key, []byte("other weights"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A bucket with versions, and one without.
func TestRegistry_Locate(t *testing.T) {
	for _, unversioned := range []bool{false, true} {
		t.Run(fmt.Sprintf("unversioned %v", unversioned), func(t *testing.T) {
			porttest.TestModelLocator(t, func(t *testing.T) porttest.ModelLocatorFixture {
				l := start(t)
				l.AddBucket(awstest.Bucket{Name: bucket, Unversioned: unversioned})
				store := &artifacts{}
				return porttest.ModelLocatorFixture{
					Registry: withFiles(t, l, store), Store: func(t *testing.T, seed int) delivery.Digest { return storeFiles(t, store, fmt.Sprint(seed)) },
					Overwrite: func(t *testing.T, at port.ModelLocation) { overwrite(t, l, at.URL) },
				}
			})
		})
	}
}

// A version that was taken over is where its own maker put it, in the version of the
// object that was approved.
func TestRegistry_LocatesAdopted(t *testing.T) {
	l := start(t)
	foreign(t, l, nil)
	r := withFiles(t, l, &artifacts{})
	v, err := r.Get(t.Context(), group, 1)
	if err != nil {
		t.Fatal(err)
	}
	at, err := r.Locate(t.Context(), v.ModelRef)
	o, _ := l.Object(bucket, "notebook/model.tar.gz")
	want := port.ModelLocation{Name: *arnOf(1), URL: "s3://" + bucket + "/notebook/model.tar.gz", Version: o.VersionID}
	if err != nil || at != want {
		t.Errorf("%+v, error = %v, want %+v", at, err, want)
	}
	overwrite(t, l, at.URL)
	if _, err := r.Locate(t.Context(), v.ModelRef); !fault.Is(err, fault.Corrupt) {
		t.Errorf("overwritten: %v", err)
	}
}

// What has no archive can't be loaded by a service: the error says how it comes otherwise.
func TestRegistry_LocateWithoutArchive(t *testing.T) {
	l := start(t)
	r := open(t, l) // without a store of files
	_, err := r.Locate(t.Context(), registered(t, r).ModelRef)
	if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "model.deliver: init") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

// Versions that were registered before their object was written down are found, too.
func TestRegistry_LocateUnpinned(t *testing.T) {
	l := start(t)
	store := &artifacts{}
	r := withFiles(t, l, store)
	v, err := r.Register(t.Context(), group, storeFiles(t, store, "weights"), nil, delivery.Lineage{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = console(t, l, "ben").UpdateModelPackage(t.Context(), &sagemaker.UpdateModelPackageInput{
		ModelPackageArn: arnOf(v.Version), CustomerMetadataPropertiesToRemove: []string{keyObject}, SourceUri: aws.String("s3://" + bucket),
	})
	if err != nil {
		t.Fatal(err)
	}
	if at, err := r.Locate(t.Context(), v.ModelRef); err != nil || at.Version == "" {
		t.Errorf("%+v, %v", at, err)
	}
}
