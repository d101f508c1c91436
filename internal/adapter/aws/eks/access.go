// Package eks finds clusters of AWS and makes tokens for them: no aws program, no
// kubeconfig.
package eks

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Cluster is a cluster of an account, and the role that uses it.
type Cluster struct {
	Name string
	extension.AWS
}

// Endpoint is how a cluster is reached.
type Endpoint struct {
	Server string // https://...
	CA     []byte // PEM; two certificates while it is being rotated
	Token  func(ctx context.Context) (token string, ends time.Time, err error)
}

// described is what DescribeCluster returns of a cluster, as far as it is used.
type described struct {
	Status               string `json:"status"`
	Endpoint             string `json:"endpoint"`
	CertificateAuthority struct {
		Data string `json:"data"`
	} `json:"certificateAuthority"`
}

// Find returns how to reach the cluster. Its CA may change, so Find is called at every
// connection. Credentials of another account than the settings name are refused.
func Find(ctx context.Context, c Cluster, o session.Options) (Endpoint, error) {
	s, err := session.Open(ctx, c.AWS, o)
	if err != nil {
		return Endpoint{}, err
	}
	if err := s.Check(ctx); err != nil {
		return Endpoint{}, err
	}
	action := "find the cluster " + c.Name + " of EKS in " + c.Region
	var out struct {
		Cluster described `json:"cluster"`
	}
	err = s.REST(ctx, session.API{Name: "eks"}, "DescribeCluster", http.MethodGet, "/clusters/"+url.PathEscape(c.Name), nil, nil, &out)
	if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "ResourceNotFoundException" {
		return Endpoint{}, fault.New(fault.NotFound, "%s", action).Cause(err).
			Hint("check the name, aws.region and aws.account: `aws eks list-clusters --region %s` lists what is there", c.Region)
	}
	if err != nil {
		return Endpoint{}, s.Explain(ctx, action, err)
	}
	k := out.Cluster
	if k.Status != "ACTIVE" && k.Status != "UPDATING" {
		return Endpoint{}, fault.New(fault.Unavailable, "%s: it is not active", action).Infrastructure()
	}
	ca, err := base64.StdEncoding.DecodeString(k.CertificateAuthority.Data)
	if err != nil || len(ca) == 0 || !strings.HasPrefix(k.Endpoint, "https://") {
		return Endpoint{}, fault.New(fault.Unavailable, "%s: AWS returned no endpoint with a certificate", action).Infrastructure()
	}
	return Endpoint{k.Endpoint, ca, func(ctx context.Context) (string, time.Time, error) { return newToken(ctx, s, c.Name) }}, nil
}

const (
	// clusterHeader binds a token to a cluster.
	clusterHeader = "X-K8s-Aws-Id"
	// presignedSeconds is how long the call in a token is valid, and counts how long a
	// cluster takes the token. Source: aws-iam-authenticator, which has 15 minutes.
	presignedSeconds = "60"
	counts           = 14 * time.Minute
)

// newToken makes a bearer token: a presigned call of GetCallerIdentity that names the
// cluster, which the cluster makes to find out who it is. It needs no permission.
func newToken(ctx context.Context, s *session.Session, cluster string) (string, time.Time, error) {
	now := time.Now()
	client := sts.NewFromConfig(s.Config)
	request, err := sts.NewPresignClient(client).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.Presigner = clusterSigner{v4.NewSigner(), cluster}
	})
	if err != nil {
		return "", time.Time{}, s.Explain(ctx, "make a token for the cluster "+cluster, err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(request.URL)), now.Add(counts), nil
}

// clusterSigner signs the cluster's name and a short life into a call.
type clusterSigner struct {
	signer  *v4.Signer
	cluster string
}

// PresignHTTP implements sts.HTTPPresignerV4.
func (n clusterSigner) PresignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payload, service, region string, at time.Time, opts ...func(*v4.SignerOptions)) (string, http.Header, error) {
	query := r.URL.Query()
	query.Set("X-Amz-Expires", presignedSeconds)
	r.URL.RawQuery = query.Encode()
	r.Header.Set(clusterHeader, n.cluster)
	return n.signer.PresignHTTP(ctx, c, r, payload, service, region, at, opts...)
}
