//go:build e2e && linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
)

// What examples/retail-aws names.
const (
	awsRepository = "mlops/retail-api"
	awsCluster    = "mlops-retail-cluster"
	awsTopic      = "retail-forecast-releases"
)

// awsProject is the example for AWS, with an AWS of the test's own and a namespace of the
// real cluster behind its EKS. The program reaches AWS by its real host names, through a
// proxy and a CA of the test; it may do what the example's policies say, and no more.
type awsProject struct {
	*clusterProject
	cloud *awstest.Cloud
	topic string // ARN
}

// newAWSProject lays the example over Retail, in a namespace of its own.
func newAWSProject(t *testing.T) *awsProject {
	t.Helper()
	p := newProject(t)
	for _, dir := range []string{"../examples/retail", "../examples/retail-aws"} {
		p.overlay(dir)
	}
	p.must(os.RemoveAll(filepath.Join(p.dir, "k8s")))
	a := &awsProject{clusterProject: newNamespace(t, p)}
	a.trim()
	p.runTool("go", "list", "-deps", "./...") // fetches modules, while the network is still there
	cloud, err := awstest.New(awstest.Config{})
	p.must(err)
	a.cloud = cloud
	server, err := cloud.Serve()
	p.must(err)
	t.Cleanup(func() { _ = server.Close() })
	ca := filepath.Join(p.base, "aws-ca.pem")
	p.must(os.WriteFile(ca, server.CA, 0o644))
	p.env = append(p.env, server.Env(ca)...)
	a.serveECR()
	a.serveEKS()
	a.topic = cloud.AddTopic(awsTopic)
	a.addPrincipals()
	a.commitRetail()
	t.Cleanup(a.cleanUp) // before AWS ends, which it needs
	return a
}

// overlay copies a folder over the repository.
func (p *project) overlay(dir string) {
	p.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			p.write(rel, p.read(path))
		}
		return err
	})
	p.must(err)
}

// trim leaves out the example's tests, which TestRetail_Go runs, and staging, which
// is as prod, and makes the namespace and the times the test's.
func (a *awsProject) trim() {
	text := a.read(a.dir + "/slipway.yaml")
	begin, end := strings.Index(text, "test:\n"), strings.Index(text, "image:\n")
	if begin < 0 || end < begin {
		a.t.Fatal("slipway.yaml has no tests before its image")
	}
	text = text[:begin] + text[end:]
	begin, end = strings.Index(text, "  staging:\n"), strings.Index(text, "  prod:\n")
	if begin < 0 || end < begin {
		a.t.Fatal("slipway.yaml has no staging before prod")
	}
	a.write("slipway.yaml", text[:begin]+text[end:])
	a.edit("slipway.yaml", "namespace: mlops}", "namespace: "+a.namespace+"}")
	a.edit("slipway.yaml", "bake: 5m", "bake: 2s")
}

// serveECR makes Slipway's embedded registry the data plane of ECR, for the program and,
// in the cluster's network, for the node.
func (a *awsProject) serveECR() {
	home := filepath.Join(a.base, "ecr")
	images, err := embedded.Open(filepath.Join(home, "registry"))
	a.must(err)
	a.t.Cleanup(func() { _ = images.Close() })
	a.cloud.ServeImages(images.Handler())
	a.cloud.AddRepository(awstest.Repository{Name: awsRepository, ScanOnPush: true})
	a.serve(a.registry, "SLIPWAY_HOME="+home)
	a.must(a.cluster.Redirect(a.cloud.RegistryHost(), a.registry))
}

// serveEKS puts a server in front of the cluster's API server, which finds out by STS
// whose a token is, and what the role's access entry makes of it.
func (a *awsProject) serveEKS() {
	target, transport := a.apiServer()
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := a.cloud.ClusterUser(r.Context(), awsCluster, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil || who.Role() == "" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "message": "Unauthorized", "code": 401}`))
			return
		}
		r.Header.Del("Authorization")
		r.Header.Set("Impersonate-User", who.Role())
		proxy.ServeHTTP(w, r)
	}))
	a.t.Cleanup(server.Close)
	a.cloud.AddCluster(awstest.Cluster{
		Name: awsCluster, Version: "1.36", Endpoint: server.URL, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	})
	a.kubectlIn("create", "rolebinding", "eks", "--role=slipway", "--user=retail-deploy-prod")
}

// apiServer returns the address of the cluster's API server, and its administrator.
func (a *awsProject) apiServer() (*url.URL, http.RoundTripper) {
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate []byte `json:"client-certificate-data"`
				Key         []byte `json:"client-key-data"`
			}
		}
	}
	a.must(json.Unmarshal([]byte(a.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")), &config))
	address, err := url.Parse(config.Clusters[0].Cluster.Server)
	a.must(err)
	pair, err := tls.X509KeyPair(config.Users[0].User.Certificate, config.Users[0].User.Key)
	a.must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.Clusters[0].Cluster.CA)
	return address, &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots}}
}

// addPrincipals makes the example's roles, with its policies, and the session of a CI's
// job.
func (a *awsProject) addPrincipals() {
	iam := func(name string) string { return a.read(a.dir + "/aws/iam/" + name) }
	a.must(a.cloud.AddTrustedRole("retail-deploy-prod", iam("deploy-trust.json"), nil))
	a.must(a.cloud.SetPolicies("role/retail-deploy-prod", "", iam("deploy.json")))
	a.must(a.cloud.SetPolicies("role/retail-ci", "", iam("ci.json")))
	p := a.cloud.AddSession("retail-ci", "job", sessionLength)
	a.env = append(a.env, "AWS_ACCESS_KEY_ID="+p.AccessKey, "AWS_SECRET_ACCESS_KEY="+p.SecretKey, "AWS_SESSION_TOKEN="+p.SessionToken, "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_CONFIG_FILE=/dev/null")
}

// disturb throttles or fails a fifth of the calls, and loses one response in fifty. The
// same seed disturbs the same numbers of calls.
func (a *awsProject) disturb(seed uint64) (faults func() map[awstest.Fault]int) {
	var mu sync.Mutex
	random, counts := rand.New(rand.NewPCG(seed, seed)), map[awstest.Fault]int{}
	a.cloud.Inject(func(*awstest.Call) awstest.Fault {
		mu.Lock()
		defer mu.Unlock()
		fault := awstest.NoFault
		switch n := random.IntN(100); {
		case n < 10:
			fault = awstest.Throttled
		case n < 20:
			fault = awstest.Unavailable
		case n < 22:
			fault = awstest.ResponseLost
		}
		counts[fault]++
		return fault
	})
	return func() map[awstest.Fault]int {
		mu.Lock()
		defer mu.Unlock()
		return counts
	}
}

// requireValid requires that AWS's models and the policies allowed every request, and
// returns which operations were called.
func (a *awsProject) requireValid() []string {
	a.t.Helper()
	a.must(a.cloud.Invalid())
	for _, j := range a.cloud.Judgements() {
		if j.Decision != awstest.Allowed {
			a.t.Errorf("%s was refused %s on %s", j.Principal, j.Access.Action, j.Access.Resource)
		}
	}
	var used []string
	for _, call := range a.cloud.Calls() {
		used = append(used, call.Service+"."+call.Operation)
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// told requires that the topic was told an outcome.
func (a *awsProject) told(text string) {
	a.t.Helper()
	var all []string
	for _, m := range a.cloud.Messages(a.topic) {
		all = append(all, m.Subject+"\n"+m.Text)
	}
	if !slices.ContainsFunc(all, func(m string) bool { return strings.Contains(m, text) }) {
		a.t.Errorf("SNS was told %q, want %s", all, text)
	}
}

func (a *awsProject) coverage() string {
	used := a.requireValid()
	a.compareDecisions()
	return fmt.Sprintf("%d operations used, %d requests validated, %d decisions of policies:\n  %s", len(used), len(a.cloud.Calls()), len(a.cloud.Judgements()), strings.Join(used, "\n  "))
}
