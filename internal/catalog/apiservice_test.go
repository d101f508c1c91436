package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sagemaker/registry"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/httpprobe"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/verify"
)

// api is a service that loads its model itself when it starts, as the workshop's does:
// the newest Approved version of the group.
type api struct {
	heeds    bool // it loads the version that MODEL_PACKAGE_ARN names, if it is told one
	discreet bool // it does not say which version it loaded
}

// start asks SageMaker and returns what answers requests from then on.
func (a api) start(ctx context.Context, client *sagemaker.Client, env map[string]string) (http.Handler, error) {
	arn := env["MODEL_PACKAGE_ARN"]
	if !a.heeds || arn == "" {
		newest, err := client.ListModelPackages(ctx, &sagemaker.ListModelPackagesInput{
			ModelPackageGroupName: aws.String(modelGroup), ModelApprovalStatus: types.ModelApprovalStatusApproved,
			SortBy: types.ModelPackageSortByCreationTime, SortOrder: types.SortOrderDescending, MaxResults: aws.Int32(1),
		})
		if err != nil || len(newest.ModelPackageSummaryList) == 0 {
			return nil, fmt.Errorf("no approved model: %w", err)
		}
		arn = aws.ToString(newest.ModelPackageSummaryList[0].ModelPackageArn)
	}
	if _, err := client.DescribeModelPackage(ctx, &sagemaker.DescribeModelPackageInput{ModelPackageName: &arn}); err != nil {
		return nil, err
	}
	says := map[string]string{"status": "ok", "release": env["SLIPWAY_RELEASE"], "model_version": arn}
	if a.discreet {
		delete(says, "model_version")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(says) }), nil
}

// cluster renders releases as a cluster's target does, and starts their service with the
// variables of its container.
type cluster struct {
	*fake.Target
	t      *testing.T
	shop   *shop
	api    api
	files  *files
	client *sagemaker.Client

	mu      sync.Mutex
	running map[delivery.ReleaseID]*httptest.Server
	told    map[string]string // variables of the one that started last
}

func (c *cluster) Render(ctx context.Context, m port.Manifests) (port.Rendered, error) {
	return render.Render(ctx, m)
}

func (c *cluster) Pack(_ context.Context, _ delivery.ModelRef, repository string) (delivery.Image, error) {
	return delivery.Image{Repository: repository, Digest: fake.Digest(77)}, nil
}

func (c *cluster) Stage(ctx context.Context, o port.DeployRequest, say func(string)) (string, error) {
	if err := c.restart(ctx, o.ID, o.Release); err != nil {
		return "", err
	}
	return c.Target.Stage(ctx, o, say)
}

// restart starts the pods of a release anew.
func (c *cluster) restart(ctx context.Context, id delivery.ReleaseID, rel delivery.Release) error {
	env := variablesIn(c.t, rel.Objects)
	env["SLIPWAY_RELEASE"] = string(id)
	h, err := c.api.start(ctx, c.client, env)
	if err != nil {
		return err
	}
	server := httptest.NewServer(h)
	c.t.Cleanup(server.Close)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[id], c.told = server, env
	return nil
}

// respond sends a probe of a release to its service.
func (c *cluster) respond(id delivery.ReleaseID, path string, q port.ProbeRequest) (port.ProbeResponse, bool, error) {
	c.mu.Lock()
	server := c.running[id]
	c.mu.Unlock()
	if server == nil {
		return port.ProbeResponse{}, false, nil
	}
	q.URL = server.URL + path
	r, err := httpprobe.Prober{}.Probe(c.t.Context(), q)
	return r, true, err
}

// variablesIn are those of the service's container.
func variablesIn(t *testing.T, objects string) map[string]string {
	t.Helper()
	var all []struct {
		Kind string
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Env []struct{ Name, Value string }
					}
				}
			}
		}
	}
	if objects != "" {
		if err := json.Unmarshal([]byte(objects), &all); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{}
	for _, o := range all {
		for _, c := range o.Spec.Template.Spec.Containers {
			for _, e := range c.Env {
				env[e.Name] = e.Value
			}
		}
	}
	return env
}

// files are models' files in memory, by their digests.
type files struct{ all sync.Map }

func (f *files) Store(_ context.Context, _, dir string, _ map[string]string) (delivery.Digest, error) {
	text, err := os.ReadFile(filepath.Join(dir, "model.joblib"))
	digest := delivery.DigestOf(text)
	f.all.Store(digest, text)
	return digest, err
}

func (f *files) Fetch(_ context.Context, m delivery.ModelRef, dir string) error {
	text, _ := f.all.Load(m.Digest)
	raw, _ := text.([]byte)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "model.joblib"), raw, 0o600)
}

// newCluster is a shop whose service loads its models itself.
func newCluster(t *testing.T, a api) *cluster {
	t.Helper()
	s := newShop(t)
	p := s.lab.AddUser("api")
	c := &cluster{Target: s.Target, t: t, shop: s, api: a, files: &files{}, running: map[delivery.ReleaseID]*httptest.Server{}, client: sagemaker.NewFromConfig(aws.Config{
		Region: awstest.Region, HTTPClient: s.lab.Client, Credentials: credentials.NewStaticCredentialsProvider(p.AccessKey, p.SecretKey, ""),
	})}
	s.Prober.Respond = c.respond
	s.services.Targets = port.Targets{"local": c}
	s.services.Models = registry.New(registry.Config{
		AWS: extension.AWS{Account: awstest.Account, Region: awstest.Region}, Storage: "s3://mlops-models/slipway", Pause: time.Millisecond,
		Artifacts: c.files, Scratch: t.TempDir(), Options: session.Options{Client: s.lab.Client, Backoff: func(int) time.Duration { return 0 }},
	})
	return c
}

// approved registers a version, which a person approves in the console.
func (c *cluster) approved(weights string) delivery.ModelRef {
	c.t.Helper()
	dir := c.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.joblib"), []byte(weights), 0o600); err != nil {
		c.t.Fatal(err)
	}
	digest, err := c.files.Store(c.t.Context(), modelGroup, dir, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := c.shop.services.Models.Register(c.t.Context(), modelGroup, digest, delivery.Metrics{"accuracy": 0.9}, delivery.Lineage{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.shop.inConsole(v.ModelRef, types.ModelApprovalStatusApproved)
	return v.ModelRef
}

// request is that of a step of a run.
func (c *cluster) request(run delivery.RunID, kind step.Kind, params any, inputs map[string]json.RawMessage) step.Request {
	r := c.shop.request(kind, params, inputs)
	r.Run = run
	return r
}

func paramsFor(m delivery.ModelRef, by delivery.ModelDelivery) step.DeployParams {
	p := step.DeployParams{Model: &m, ManifestParams: step.ManifestParams{ModelDelivery: by}}
	p.Target, p.Timeout = "local", delivery.Duration(2*time.Second)
	return p
}

// pushed is the output of a push step.
func pushed(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(step.PushOutput{Image: delivery.Image{Repository: "api", Digest: fake.Digest(9)}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]json.RawMessage{"push": raw}
}

// rawOf is what the steps after a deploy step get of it.
func rawOf(deployed step.Result) map[string]json.RawMessage {
	return map[string]json.RawMessage{"deploy": deployed.Output}
}

// deploys deploys a release with the model, and returns how that ended.
func (c *cluster) deploys(run delivery.RunID, params step.DeployParams) step.Result {
	c.t.Helper()
	res, err := deploy.Step{Services: c.shop.services, ModelImages: c}.Run(c.t.Context(), c.request(run, step.Deploy, params, pushed(c.t)))
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

// verifies verifies what a deploy step deployed.
func (c *cluster) verifies(run delivery.RunID, deployed step.Result) step.Result {
	c.t.Helper()
	params := step.VerifyParams{}
	params.Target, params.Timeout = "local", delivery.Duration(2*time.Second)
	res, err := verify.Step{Services: c.shop.services}.Run(c.t.Context(), c.request(run, step.Verify, params, rawOf(deployed)))
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}
