package catalog_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/eks"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// The API server of a cluster of EKS sees the role that slipway.yaml names, by a token
// for this cluster, over TLS with the CA that AWS names: no kubeconfig, no aws program.
func TestEKS_IsTheRole(t *testing.T) {
	cloud := awstest.Start(t, awstest.Config{})
	p := cloud.AddUser("ci")
	awstest.As(t, p)
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	cloud.AddRole(awstest.Role{Name: "deploy-prod", Trusted: []string{p.ARN}})

	var mu sync.Mutex
	callers := map[string]int{}
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := cloud.ClusterUser(r.Context(), "mlops", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		mu.Lock()
		callers[who.Role()]++
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`))
	}))
	t.Cleanup(api.Close)
	cloud.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: api.URL, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})})

	target := kubernetes.New(kubernetes.Config{Access: func(ctx context.Context, c kubernetes.ManagedCluster) (client.Endpoint, error) {
		at, err := eks.Find(ctx, eks.Cluster{Name: c.Cluster, AWS: c.AWS}, session.Options{Client: cloud.Client, Backoff: func(int) time.Duration { return 0 }})
		return client.Endpoint(at), err
	}})
	location, err := delivery.NewLocation(kubernetes.EKSSection{
		Cluster: "mlops", Namespace: "mlops",
		AWS: extension.AWS{Region: awstest.Region, Account: awstest.Account, Role: "arn:aws:iam::" + awstest.Account + ":role/deploy-prod"},
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := target.For(location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	_, err = at.Observe(t.Context(), "retail-api", "prod")
	t.Logf("observed: %v", err)
	mu.Lock()
	defer mu.Unlock()
	if len(callers) != 1 || callers["deploy-prod"] == 0 {
		t.Errorf("callers %v, want only deploy-prod", callers)
	}
	if n := cloud.Count("sts", "AssumeRole"); n != 1 {
		t.Errorf("assumed %d times", n)
	}
}
