package registry

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// What Slipway registers has its files in S3, too, and the image that it was trained in.
func TestRegistry_Archive(t *testing.T) {
	l := start(t)
	store := &artifacts{}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.joblib"), []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	digest, err := store.Store(t.Context(), group, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	image := "999999999999.dkr.ecr." + awstest.Region + ".amazonaws.com/training@" + string(digestOf(5))
	if _, err := withFiles(t, l, store).Register(t.Context(), group, digest, nil, delivery.Lineage{Image: image}); err != nil {
		t.Fatal(err)
	}
	keys := l.Keys(bucket, "slipway/"+group+"/models/")
	if len(keys) != 1 {
		t.Fatalf("objects %q", keys)
	}
	spec, _ := l.ModelPackages(group)[0].Fields["InferenceSpecification"].(map[string]any)
	want := map[string]any{"Containers": []any{map[string]any{"ModelDataUrl": "s3://" + bucket + "/" + keys[0], "Image": image, "ImageDigest": string(digestOf(5))}}}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("specification (-want +got):\n%s", diff)
	}
	// Its archive is one that others can read, and that could be taken over.
	client := console(t, l, "nina")
	_, err = client.CreateModelPackage(t.Context(), &sagemaker.CreateModelPackageInput{
		ModelPackageGroupName: aws.String(group), ModelApprovalStatus: types.ModelApprovalStatusApproved,
		InferenceSpecification: &types.InferenceSpecification{Containers: []types.ModelPackageContainerDefinition{{ModelDataUrl: aws.String("s3://" + bucket + "/" + keys[0])}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := withFiles(t, l, store).Get(t.Context(), group, 2); err != nil || v.Digest != digest {
		t.Errorf("%+v, error = %v, want the same files", v, err)
	}
}

// Complaint 2: an image that SageMaker does not take is named, with what it takes.
func TestRegistry_RefusedImage(t *testing.T) {
	l := start(t)
	l.AddRepository(awstest.Repository{Name: "training"})
	image := pushOCI(t, l, "training")
	_, err := open(t, l).Register(t.Context(), group, digestOf(1), nil, delivery.Lineage{Image: image})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "schema 2") || !strings.Contains(err.Error(), image) {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

// pushOCI pushes an image that SageMaker does not take.
func pushOCI(t *testing.T, l *awstest.Lab, repository string) (image string) {
	t.Helper()
	l.ServeImages(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	s, err := session.Open(t.Context(), config(t, l).AWS, config(t, l).Options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := ecr.NewFromConfig(s.Config).GetAuthorizationToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const manifest = "{}"
	digest := string(delivery.DigestOf([]byte(manifest)))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+l.RegistryHost()+"/v2/"+repository+"/manifests/"+digest, strings.NewReader(manifest))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	r.Header.Set("Authorization", "Basic "+*token.AuthorizationData[0].AuthorizationToken)
	res, err := l.Client.Do(r)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%+v, %v", res, err)
	}
	_ = res.Body.Close()
	return l.RegistryHost() + "/" + repository + "@" + digest
}
