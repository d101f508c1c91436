package awstest

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxTokenLifetime is how long the authenticator lets a presigned call be valid; the
// token itself counts for 15 minutes. Source: aws-iam-authenticator.
const maxTokenLifetime = 15 * time.Minute

// Cluster is a cluster of EKS.
type Cluster struct {
	Name, Endpoint, Version string
	CA                      []byte // PEM
	Status                  string // empty: ACTIVE

	AuthenticationMode string            // empty: API
	Issuer             string            // of the tokens of its pods, with https://; empty: none
	Addons             map[string]string // versions by name, such as eks-pod-identity-agent
	Nodegroups         []Nodegroup
	FargateProfiles    []FargateProfile
}

// AddCluster makes a cluster, or replaces it.
func (c *Cloud) AddCluster(k Cluster) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.Status == "" {
		k.Status = "ACTIVE"
	}
	if k.AuthenticationMode == "" {
		k.AuthenticationMode = "API"
	}
	c.clusters[k.Name] = &k
}

func (c *Cloud) eks() map[string]handler {
	all := map[string]handler{"DescribeCluster": c.describeCluster}
	for _, some := range []map[string]handler{c.eksEntries(), c.eksPods(), c.eksParts()} {
		maps.Copy(all, some)
	}
	return all
}

func (c *Cloud) cluster(name string) (*Cluster, error) {
	if k := c.clusters[name]; k != nil {
		return k, nil
	}
	return nil, refuse("ResourceNotFoundException", "No cluster found for name: %s.", name)
}

func (c *Cloud) describeCluster(call *Call) (any, error) {
	var in struct{ Name string }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	k, err := c.cluster(in.Name)
	if err != nil {
		return nil, err
	}
	d := map[string]any{
		"name": k.Name, "arn": c.arn("eks", "cluster/"+k.Name), "endpoint": k.Endpoint, "version": k.Version, "status": k.Status,
		"certificateAuthority": map[string]any{"data": base64.StdEncoding.EncodeToString(k.CA)},
		"accessConfig":         map[string]any{"authenticationMode": k.AuthenticationMode},
	}
	if k.Issuer != "" {
		d["identity"] = map[string]any{"oidc": map[string]any{"issuer": k.Issuer}}
	}
	return map[string]any{"cluster": d}, nil
}

// ClusterUser returns who a bearer token of an EKS cluster is, as the cluster's
// authenticator finds out: the token is a presigned call of STS that names the cluster.
func (c *Cloud) ClusterUser(ctx context.Context, cluster, token string) (Principal, error) {
	text, ok := strings.CutPrefix(token, "k8s-aws-v1.")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		return Principal{}, refuse("Unauthorized", "not a token of EKS")
	}
	u, err := url.Parse(string(raw))
	if err != nil || u.Scheme != "https" || u.Host != "sts."+c.Region+".amazonaws.com" || u.Query().Get("Action") != "GetCallerIdentity" {
		return Principal{}, refuse("Unauthorized", "the token is not a call of GetCallerIdentity in %s", c.Region)
	}
	r := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{"X-K8s-Aws-Id": {cluster}}}).WithContext(ctx)
	s, err := parseSignature(r)
	if err != nil {
		return Principal{}, err
	}
	if !strings.Contains(";"+strings.Join(s.headers, ";")+";", ";x-k8s-aws-id;") || s.lifetime > maxTokenLifetime {
		return Principal{}, refuse("Unauthorized", "the token is not for a cluster")
	}
	return c.authenticate(ctx, r, s, nil)
}
