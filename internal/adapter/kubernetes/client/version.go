package client

import (
	"context"
	"math"
	"strconv"
	"strings"

	"k8s.io/client-go/discovery"
)

// MinorVersion returns the minor version of the cluster's Kubernetes 1, a huge
// number for a later major version, and 0 where the cluster does not say.
func (c *Client) MinorVersion(ctx context.Context) int {
	c.mu.Lock()
	known := c.minorVersion
	c.mu.Unlock()
	if known != nil {
		return *known
	}
	minor, _ := shared(ctx, c, "version", c.requestMinorVersion) // an error is not kept: the next caller asks again
	return minor
}

func (c *Client) requestMinorVersion(ctx context.Context) (int, error) {
	d, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return 0, err
	}
	v, err := d.ServerVersionWithContext(ctx)
	if err != nil {
		return 0, err
	}
	minor, err := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	switch {
	case err != nil:
		minor = 0
	case v.Major != "1":
		minor = math.MaxInt
	}
	c.mu.Lock()
	c.minorVersion = &minor
	c.mu.Unlock()
	return minor, nil
}

// Version returns the version that the API server reports: "v1.34.2-eks-1234567".
func (c *Client) Version(ctx context.Context) (string, error) {
	d, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return "", err
	}
	v, err := d.ServerVersionWithContext(ctx)
	if err != nil {
		return "", Explain("ask "+c.title+" for its version", err)
	}
	return v.GitVersion, nil
}

// Groups returns the names of the API groups that the cluster has.
func (c *Client) Groups(ctx context.Context) (map[string]bool, error) {
	d, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return nil, err
	}
	list, err := d.ServerGroupsWithContext(ctx)
	if err != nil {
		return nil, Explain("list the API groups of "+c.title, err)
	}
	names := map[string]bool{}
	for _, g := range list.Groups {
		names[g.Name] = true
	}
	return names, nil
}
