package opinion_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// What is there in every AWS before the steps.
const (
	bucket     = "retail-artifacts"
	repository = "mlops/retail-api"
	unscanned  = "mlops/unscanned" // nothing scans what is pushed there
	cluster    = "mlops-retail-cluster"
	logGroup   = "/slipway/retail"
	models     = "retail-price-sensitivity-models"
	deployRole = "arn:aws:iam::" + awstest.Account + ":role/deploy"
	subject    = "repo:o/r:environment:prod"
	github     = "token.actions.githubusercontent.com"
)

// trust lets GitHub's tokens and the account itself in.
const trust = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "arn:aws:iam::` + awstest.Account + `:oidc-provider/` + github + `"},
	 "Condition": {"StringEquals": {"` + github + `:aud": "sts.amazonaws.com", "` + github + `:sub": "` + subject + `"}}},
	{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::` + awstest.Account + `:root"}}]}`

// world is an AWS in which the steps are done.
type world struct {
	t      *testing.T
	client *opinion.Client
	fake   *awstest.Lab // nil: another program's
	topic  string
	image  delivery.Digest // in the repository, with a manifest of Docker
	tokens string          // URL of the service that makes OIDC tokens
	lookup map[string]string
}

// options are those of every adapter: no pauses, and no job of GitHub unless a step is in one.
func (w *world) options() session.Options {
	return session.Options{Client: w.client, Backoff: func(int) time.Duration { return 0 }, Lookup: func(name string) (string, bool) { v, ok := w.lookup[name]; return v, ok }}
}

func (w *world) at() extension.AWS {
	return extension.AWS{Account: awstest.Account, Region: awstest.Region}
}

func (w *world) open(ctx context.Context) (*session.Session, error) {
	return session.Open(ctx, w.at(), w.options())
}

func (w *world) host() string {
	return awstest.Account + ".dkr.ecr." + awstest.Region + ".amazonaws.com"
}

// manifest is one of an image as Docker makes them, without layers.
func manifest(size int) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":"sha256:%064d"},"layers":[]}`, dockerManifest, size, size)
}

const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"

// newFake is the AWS of the tests.
func newFake(t *testing.T, issuer *awstest.Issuer) *world {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("ci"))
	w := &world{t: t, fake: l, client: opinion.NewClient(l.Cloud, l.Client.Do), image: delivery.DigestOf([]byte(manifest(2)))}
	w.topic = l.AddTopic("releases")
	l.AddBus("default")
	l.AddBucket(awstest.Bucket{Name: bucket})
	l.AddRepository(awstest.Repository{Name: repository, ScanOnPush: true})
	l.AddRepository(awstest.Repository{Name: unscanned})
	l.PutImage(repository, awstest.Image{Digest: string(w.image), MediaType: dockerManifest, Tags: []string{"r1"}, Size: 1000})
	l.AddCluster(awstest.Cluster{Name: cluster, Version: "1.36", Endpoint: "https://127.0.0.1", CA: []byte("pem")})
	l.Log(logGroup, "other", "hi")
	l.SetLife(func(awstest.Job) awstest.Life { return awstest.Life{Lasts: time.Hour, Lines: []string{"epoch 1"}} })
	if err := l.AddTrustedRole("deploy", trust, issuer); err != nil {
		t.Fatal(err)
	}
	w.serveTokens(issuer)
	return w
}

// newWorld is the AWS of another program, with the same in it.
func newWorld(t *testing.T, e *opinion.Emulator, names *awstest.Cloud, issuer *awstest.Issuer) *world {
	t.Helper()
	awstest.Isolate(t)
	awstest.As(t, awstest.Principal{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "secret"})
	w := &world{t: t, client: e.Client(names), image: delivery.DigestOf([]byte(manifest(2))), topic: "arn:aws:sns:" + awstest.Region + ":" + awstest.Account + ":releases"}
	if err := w.seed(t.Context(), e); err != nil {
		t.Fatalf("%s: %v\n%s", e.Name, err, e.Log())
	}
	w.client.Take()
	w.serveTokens(issuer)
	return w
}

// serveTokens is GitHub's service of OIDC tokens.
func (w *world) serveTokens(issuer *awstest.Issuer) {
	server := httptest.NewServer(http.HandlerFunc(func(res http.ResponseWriter, r *http.Request) {
		token, err := issuer.Token(map[string]any{"sub": subject, "aud": r.FormValue("audience"), "exp": time.Now().Add(time.Hour).Unix()})
		if err != nil {
			http.Error(res, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(res).Encode(map[string]string{"value": token})
	}))
	w.t.Cleanup(server.Close)
	w.tokens = server.URL
}

// zeros is content; reading it fails from a byte on, unless that is 0.
type zeros struct{ fails int64 }

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	if z.fails > 0 && off+int64(len(p)) > z.fails {
		return 0, errors.New("the disk is broken")
	}
	clear(p)
	return len(p), nil
}
