package eks

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

func newCloud(t *testing.T) (*awstest.Lab, session.Options) {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddSession("deploy-prod", "run-1", time.Hour))
	return l, session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}
}

var mlops = Cluster{"mlops", extension.AWS{Region: awstest.Region, Account: awstest.Account}}

// The token of a cluster is its caller's for that cluster, and for no other.
func TestFind(t *testing.T) {
	cloud, options := newCloud(t)
	cloud.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: "https://1.2.3.4", CA: []byte("pem"), Version: "1.36"})
	at, err := Find(t.Context(), mlops, options)
	if err != nil {
		t.Fatal(err)
	}
	if at.Server != "https://1.2.3.4" || string(at.CA) != "pem" {
		t.Errorf("%s, CA %q", at.Server, at.CA)
	}
	token, ends, err := at.Token(t.Context())
	if err != nil || time.Until(ends) < 13*time.Minute || time.Until(ends) > 14*time.Minute {
		t.Fatalf("ends in %s, %v", time.Until(ends), err)
	}
	who, err := cloud.ClusterUser(t.Context(), "mlops", token)
	if err != nil || who.Role() != "deploy-prod" {
		t.Errorf("the token is that of %s, %v", who.ARN, err)
	}
	if _, err := cloud.ClusterUser(t.Context(), "other", token); err == nil {
		t.Error("the token counts for another cluster")
	}
}

// The CA is what the cluster has now: it is asked each time.
func TestFind_RotatedCA(t *testing.T) {
	cloud, options := newCloud(t)
	for _, ca := range []string{"old", "old\nnew"} {
		cloud.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: "https://1.2.3.4", CA: []byte(ca)})
		if at, err := Find(t.Context(), mlops, options); err != nil || string(at.CA) != ca {
			t.Errorf("CA %q, %v, want %q", at.CA, err, ca)
		}
	}
}

func TestFind_Errors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cluster *awstest.Cluster
		account string
		fault   awstest.Fault
		kind    fault.Kind
		text    string
		hint    string
	}{
		{"absent", nil, awstest.Account, awstest.NoFault, fault.NotFound, "find the cluster mlops of EKS in ap-southeast-1", "aws eks list-clusters"},
		{"being made", &awstest.Cluster{Status: "CREATING"}, awstest.Account, awstest.NoFault, fault.Unavailable, "not active", ""},
		{"without an endpoint", &awstest.Cluster{CA: []byte("x"), Endpoint: "http://1.2.3.4"}, awstest.Account, awstest.NoFault, fault.Unavailable, "no endpoint", ""},
		{"another account", &awstest.Cluster{}, "999988887777", awstest.NoFault, fault.Invalid, "slipway.yaml names 999988887777", "AWS_PROFILE"},
		{"not allowed", &awstest.Cluster{}, "", awstest.Denied, fault.Denied, "not authorized", "to the policy of the role"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud, options := newCloud(t)
			if tt.cluster != nil {
				tt.cluster.Name = "mlops"
				cloud.AddCluster(*tt.cluster)
			}
			cloud.Inject(func(*awstest.Call) awstest.Fault { return tt.fault })
			c := mlops
			c.Account = tt.account
			_, err := Find(t.Context(), c, options)
			if !fault.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(fault.HintOf(err), tt.hint) {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
		})
	}
}

func TestFind_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		o := session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }}
		return silenttest.Calls{"Find": func(ctx context.Context) error { _, err := Find(ctx, mlops, o); return err }}
	})
}
