package extension_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestSet_ParseStateURL(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		kind extension.Kind
		name string // for people
		err  string
	}{
		"S3":                        {"s3://bucket/a/b?region=eu-west-1", "s3", "s3://bucket/a/b", ""},
		"Google":                    {"gs://bucket", "gcs", "gs://bucket", ""},
		"Azure":                     {"azblob://container/a?storage_account=x", "azblob", "azblob://container/a", ""},
		"PostgreSQL, with password": {"postgres://user:hunter2@host/db?scope=a", "postgres", "postgres://host/db", ""},
		"absolute folder":           {"/mnt/a", "folder", "/mnt/a", ""},
		"relative folder":           {"../shared", "folder", "../shared", ""},
		"folder as URL":             {"file:///mnt/a", "folder", "file:///mnt/a", ""},
		"unknown scheme":            {"ftp://host/a", "", "", `unknown scheme "ftp"`},
		"no bucket":                 {"s3:///prefix", "", "", "names no bucket"},
		"credentials of S3":         {"s3://AKIA:hunter2@bucket", "", "", "holds a user"},
		"no database":               {"postgres://host", "", "", "names no database"},
		"folder on a host":          {"file://host/a", "", "", "names no folder"},
		"no URL":                    {"postgres://user:hunter2@host:port/db", "", "", "can't be parsed"},
	} {
		t.Run(name, func(t *testing.T) {
			u, store, err := catalog.Default().ParseStateURL(c.text)
			if c.err != "" {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.err) || fault.HintOf(err) == "" {
					t.Errorf("error = %v, hint %q, want %q with a hint", err, fault.HintOf(err), c.err)
				}
				if strings.Contains(err.Error()+fault.HintOf(err), "hunter2") {
					t.Errorf("the error shows the password: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if store.Kind != c.kind || extension.StateName(u) != c.name {
				t.Errorf("kind %s, name %q, want %s, %q", store.Kind, extension.StateName(u), c.kind, c.name)
			}
		})
	}
}
