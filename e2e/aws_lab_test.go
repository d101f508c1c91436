//go:build e2e && linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
)

// What examples/retail-aws names.
const (
	awsRepository = "mlops/retail-api"
	awsCluster    = "mlops-retail-cluster"
)

// awsProject is the example for AWS, with a namespace of the real cluster behind its EKS.
// It may do what the example's policies say, and no more.
type awsProject struct {
	*clusterProject
	*awsLab
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
	a.awsLab = p.startAWS(awstest.Config{})
	a.serveECR()
	a.serveEKS()
	a.serveSageMaker()
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

// addPrincipals makes the example's roles, with its policies, and a job of GitHub Actions:
// it has a session of the role of CI, and OIDC tokens of the environment prod by which
// Slipway assumes the roles that the file names.
func (a *awsProject) addPrincipals() {
	iam := func(name string) string {
		return strings.ReplaceAll(a.read(a.dir+"/aws/iam/"+name), "ENVIRONMENT", "prod")
	}
	issuer, err := awstest.NewIssuer("token.actions.githubusercontent.com")
	a.must(err)
	for role, files := range map[string]string{"retail-ci": "ci", "retail-deploy-prod": "deploy"} {
		a.must(a.cloud.AddTrustedRole(role, iam(files+"-trust.json"), issuer))
		a.must(a.cloud.SetPolicies("role/"+role, "", iam(files+".json")))
	}
	a.become(a.cloud.AddSession("retail-ci", "job", sessionLength))
	a.serveTokens(issuer, "repo:OWNER/REPOSITORY:environment:prod")
}

// serveTokens is what gives a job of GitHub Actions its OIDC tokens.
func (a *awsProject) serveTokens(issuer *awstest.Issuer, subject string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := issuer.Token(map[string]any{
			"aud": r.URL.Query().Get("audience"), "sub": subject, "repository_id": "REPOSITORY_ID",
			"nbf": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(),
		})
		if err != nil || r.Header.Get("Authorization") != "Bearer of-the-job" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"value": token})
	}))
	a.t.Cleanup(server.Close)
	a.env = append(a.env, "ACTIONS_ID_TOKEN_REQUEST_URL="+server.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-the-job")
}
