package registry

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// artifacts keeps models in memory.
type artifacts struct {
	mu    sync.Mutex
	files map[delivery.Digest]map[string]string
}

func (a *artifacts) Store(_ context.Context, _, dir string, _ map[string]string) (delivery.Digest, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	})
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all.WriteString(name + "\n" + files[name] + "\n")
	}
	digest := delivery.DigestOf([]byte(all.String()))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.files == nil {
		a.files = map[delivery.Digest]map[string]string{}
	}
	a.files[digest] = files
	return digest, err
}

func (a *artifacts) Fetch(_ context.Context, m delivery.ModelRef, dir string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.files[m.Digest] == nil {
		return fault.New(fault.NotFound, "no artifact %s", m.Digest)
	}
	for name, text := range a.files[m.Digest] {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// withFiles opens a registry that stores the models of others.
func withFiles(t *testing.T, l *awstest.Lab, a *artifacts) *Registry {
	t.Helper()
	c := config(t, l)
	c.Artifacts = a
	return New(c)
}

// foreign makes a version as a notebook does.
func foreign(t *testing.T, l *awstest.Lab, change func(*sagemaker.CreateModelPackageInput)) {
	t.Helper()
	archive, err := awstest.TarGz(map[string]string{"model.joblib": "weights", "code/inference.py": "pass"})
	if err == nil {
		_, err = l.PutObject(bucket, "notebook/model.tar.gz", archive)
	}
	if err == nil {
		_, err = l.PutObject(bucket, "notebook/metrics.json", []byte(`{"f1": 0.8}`))
	}
	if err != nil {
		t.Fatal(err)
	}
	client := console(t, l, "nina")
	_, _ = client.CreateModelPackageGroup(t.Context(), &sagemaker.CreateModelPackageGroupInput{ModelPackageGroupName: aws.String(group)})
	in := &sagemaker.CreateModelPackageInput{
		ModelPackageGroupName: aws.String(group), ModelApprovalStatus: types.ModelApprovalStatusApproved, ModelPackageDescription: aws.String("from the notebook"),
		InferenceSpecification: &types.InferenceSpecification{Containers: []types.ModelPackageContainerDefinition{{ModelDataUrl: aws.String("s3://" + bucket + "/notebook/model.tar.gz")}}},
		ModelMetrics: &types.ModelMetrics{ModelQuality: &types.ModelQuality{Statistics: &types.MetricsSource{
			ContentType: aws.String("application/json"), S3Uri: aws.String("s3://" + bucket + "/notebook/metrics.json"),
		}}},
	}
	if change != nil {
		change(in)
	}
	if _, err := client.CreateModelPackage(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// A version that others made is taken over: its files, its metrics, and who approved it.
func TestRegistry_Adopts(t *testing.T) {
	l := start(t)
	foreign(t, l, nil)
	store := &artifacts{}
	approved, _, err := withFiles(t, l, store).List(t.Context(), port.ModelFilter{Group: group, Status: delivery.Approved}, port.Page{Limit: 1})
	if err != nil || len(approved) != 1 {
		t.Fatalf("%+v, error = %v, want the version", approved, err)
	}
	v := approved[0]
	want := map[string]string{"model.joblib": "weights", "code/inference.py": "pass"}
	if diff := cmp.Diff(want, store.files[v.Digest]); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(delivery.Metrics{"f1": 0.8}, v.Metrics); diff != "" || v.DecidedBy != "nina" {
		t.Errorf("approved by %q, metrics (-want +got):\n%s", v.DecidedBy, diff)
	}
	fetched := l.Count("s3", "GetObject")
	again, err := withFiles(t, l, &artifacts{}).Get(t.Context(), group, v.Version)
	if diff := cmp.Diff(v, again); err != nil || diff != "" {
		t.Errorf("another process, error %v (-want +got):\n%s", err, diff)
	}
	if n := l.Count("s3", "GetObject") - fetched; n != 1 {
		t.Errorf("%d objects were fetched again, want the metrics only", n)
	}
	p := l.ModelPackages(group)[0].Fields
	metadata, _ := p["CustomerMetadataProperties"].(map[string]any)
	if !strings.HasPrefix(metadata[keyObject].(string), "version:") || !delivery.Digest(metadata[keyArchive].(string)).Valid() {
		t.Errorf("metadata %v, want the object's version and SHA-256", metadata)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}

// An archive that was overwritten is corrupt: whoever approved it saw another one.
func TestRegistry_AdoptedOverwritten(t *testing.T) {
	l := start(t)
	foreign(t, l, nil)
	r := withFiles(t, l, &artifacts{})
	if _, err := r.Get(t.Context(), group, 1); err != nil {
		t.Fatal(err)
	}
	archive, err := awstest.TarGz(map[string]string{"model.joblib": "other weights"})
	if err == nil {
		_, err = l.PutObject(bucket, "notebook/model.tar.gz", archive)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get(t.Context(), group, 1); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "was overwritten") {
		t.Errorf("error = %v, want %s", err, fault.Corrupt)
	}
}

// Complaint 7, of versions that others made; and metrics that are none.
func TestRegistry_AdoptsOnlyWhatIsApproved(t *testing.T) {
	for name, tt := range map[string]struct {
		create func(*sagemaker.CreateModelPackageInput)
		change func(*awstest.ModelPackage)
		why    string // empty: it is taken over
	}{
		"pending": {create: func(in *sagemaker.CreateModelPackageInput) {
			in.ModelApprovalStatus = types.ModelApprovalStatusPendingManualApproval
		}, why: "PendingManualApproval"},
		"rejected": {create: func(in *sagemaker.CreateModelPackageInput) {
			in.ModelApprovalStatus = types.ModelApprovalStatusRejected
		}, why: "Rejected"},
		"Logged": {create: func(in *sagemaker.CreateModelPackageInput) {
			in.ModelPackageRegistrationType = types.ModelPackageRegistrationTypeLogged
		}, why: "Logged"},
		"Failed":     {change: func(p *awstest.ModelPackage) { p.Status = "Failed" }, why: "Failed"},
		"Deleting":   {change: func(p *awstest.ModelPackage) { p.Status = "Deleting" }, why: "Deleting"},
		"InProgress": {change: func(p *awstest.ModelPackage) { p.Status = "InProgress" }, why: "InProgress"},
		"no archive": {create: func(in *sagemaker.CreateModelPackageInput) { in.InferenceSpecification = nil }, why: "no model.tar.gz"},
		"no metrics": {create: func(in *sagemaker.CreateModelPackageInput) { in.ModelMetrics = nil }},
		"metrics that are gone": {create: func(in *sagemaker.CreateModelPackageInput) {
			in.ModelMetrics.ModelQuality.Statistics.S3Uri = aws.String("s3://" + bucket + "/notebook/gone.json")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t)
			foreign(t, l, tt.create)
			if tt.change != nil {
				change(t, l, 1, tt.change)
			}
			v, err := withFiles(t, l, &artifacts{}).Get(t.Context(), group, 1)
			if tt.why == "" {
				if err != nil || v.Status != delivery.Approved || v.Metrics != nil {
					t.Errorf("%+v, error = %v", v, err)
				}
				return
			}
			if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("error = %v, want %s: %s", err, fault.NotFound, tt.why)
			}
			if n := l.Count("s3", "GetObject"); n != 0 {
				t.Errorf("%d objects were fetched", n)
			}
		})
	}
}

// A process that was killed while it took a version over leaves nothing that the next one
// does not finish.
func TestRegistry_AdoptionKilledAtEveryCall(t *testing.T) {
	for at := 1; ; at++ {
		l := start(t)
		foreign(t, l, nil)
		ctx, kill := context.WithCancel(t.Context())
		calls := 0
		l.Inject(func(*awstest.Call) awstest.Fault {
			if calls++; calls == at {
				kill()
				return awstest.ResponseLost
			}
			return awstest.NoFault
		})
		_, err := withFiles(t, l, &artifacts{}).Get(ctx, group, 1)
		kill()
		l.Inject(nil)
		v, err2 := withFiles(t, l, &artifacts{}).Get(t.Context(), group, 1)
		if err2 != nil || v.Status != delivery.Approved {
			t.Errorf("killed at %d: %+v, error = %v", at, v, err2)
		}
		if err == nil {
			if at < 5 {
				t.Errorf("the process made %d requests only", at)
			}
			return
		}
	}
}
