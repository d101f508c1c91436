// Package buckettest starts servers with a bucket for tests.
package buckettest

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// StartS3 starts an S3 in this process, and returns the URL of a prefix in a bucket
// there. The prefix is empty, or a path with a slash before it.
func StartS3(t *testing.T) (at func(prefix string) string) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("state"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	return func(prefix string) string {
		return "s3://state" + prefix + "?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
	}
}
