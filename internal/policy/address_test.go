package policy_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/policy"
)

// TestAllowed_AllowsAddress: a pattern means hosts and paths, never what only looks like
// one in a text.
func TestAllowed_AllowsAddress(t *testing.T) {
	hosts, buckets := []string{"https://*.example.com", "https://f.example.org"}, []string{"s3://releases/*"}
	literal := []string{"s3://releases/a?endpoint=minio.example.com"}
	for _, c := range []struct {
		name    string
		list    []string
		address string
		want    bool
	}{
		{"host", hosts, "https://a.example.com", true},
		{"slash at the end", hosts, "https://f.example.org/", true},
		{"another host", hosts, "https://evil.test", false},
		{"query", hosts, "https://evil.test?.example.com", false},
		{"empty query", hosts, "https://a.example.com?", false},
		{"fragment", hosts, "https://evil.test#.example.com", false},
		{"user", hosts, "https://x@a.example.com", false},
		{"backslash", hosts, `https://evil.test\.example.com`, false},
		{"escape", hosts, "https://evil.test%2F.example.com", false},
		{"line", hosts, "https://evil.test\n.example.com", false},
		{"bucket", buckets, "s3://releases/a", true},
		{"region", buckets, "s3://releases/a?region=eu-west-1", true},
		{"endpoint", buckets, "s3://releases/a?endpoint=evil.test", false},
		{"endpoint after a region", buckets, "s3://releases/a?region=r&endpoint=https%3A%2F%2Fevil.test", false},
		{"query that can't be read", buckets, "s3://releases/a?x=%zz", false},
		{"listed as it is", literal, "s3://releases/a?endpoint=minio.example.com", true},
		{"listed otherwise", literal, "s3://releases/a?endpoint=evil.test", false},
		{"folder", []string{"/mnt/*"}, "/mnt/state", true},
		{"no list", nil, "https://a.example.com", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := policy.Allowed{}
			if c.list != nil {
				a.Lists = [][]string{c.list}
			}
			if got := a.AllowsAddress(c.address); got != c.want {
				t.Errorf("AllowsAddress(%q) = %t, want %t", c.address, got, c.want)
			}
		})
	}
}

func TestHostOf(t *testing.T) {
	for address, want := range map[string]string{
		"": "", "/mnt/state": "", "file:///mnt/state": "", "s3://releases/a?region=r": "", "azblob://c?storage_account=a": "",
		"s3://releases?endpoint=https://evil.test:9000/x": "evil.test", "azblob://c?domain=evil.test": "evil.test",
		"s3://releases?profile=other": "in the query", "postgres://u:p@db.example.com:5432/slipway": "db.example.com",
	} {
		t.Run(address, func(t *testing.T) {
			if got := policy.HostOf(address); got != want {
				t.Errorf("HostOf = %q, want %q", got, want)
			}
		})
	}
}
