package awstest

import (
	"net/http"
	"path/filepath"
	"sync"
	"testing"
)

// Lab is a Cloud for one test.
type Lab struct {
	*Cloud
	Client *http.Client // reaches it, and nothing else
	Stop   func()       // breaks every connection; the test's end does, too
}

// Start starts a Cloud for the test. Until As is called, this process has no credentials
// of AWS: neither the files nor the variables of who runs the test count.
func Start(t *testing.T, config Config) *Lab {
	t.Helper()
	cloud, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := cloud.Serve()
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() { _ = server.Close() })
	t.Cleanup(func() { stop(); t.Log(cloud.Contract()) })
	client, err := server.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	Isolate(t)
	return &Lab{Cloud: cloud, Client: client, Stop: stop}
}

// Isolate takes the configuration and the credentials of AWS from this process.
func Isolate(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_CA_BUNDLE": "", "AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
	As(t, Principal{})
}

// As gives this process the credentials of the principal.
func As(t *testing.T, p Principal) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", p.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", p.SecretKey)
	t.Setenv("AWS_SESSION_TOKEN", p.SessionToken)
}
