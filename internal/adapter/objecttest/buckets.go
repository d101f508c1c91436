package objecttest

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// bucketName is the name of the bucket, or the container, of every server.
const bucketName = "state"

// startS3With starts an S3, with something before it that sees each request.
func (s *Server) startS3With(t testing.TB, before func(http.Handler) http.Handler) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucketName); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Faults.handler(before(gofakes3.New(backend).Server()), s3Errors))
	t.Cleanup(server.Close)
	s.Environ = []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true"}
	query := "?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
	s.at = func(prefix string) string { return "s3://" + bucketName + "/" + prefix + query }
}

// Uploads counts the uploads in parts that an S3 has begun and not ended.
func (s *Server) Uploads(t testing.TB) int {
	t.Helper()
	u, err := url.Parse(s.Location(""))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(u.Query().Get("endpoint") + "/" + bucketName + "?uploads")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s (error = %v)", response.StatusCode, body, err)
	}
	return strings.Count(string(body), "<UploadId>")
}

func (s *Server) startGCS(t testing.TB) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	address := server.Listener.Addr().String()
	google, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Scheme: "http", PublicHost: address, ExternalURL: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	google.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucketName})
	server.Config.Handler = s.Faults.handler(google.HTTPHandler(), gcsErrors)
	server.Start()
	t.Cleanup(func() { server.Close(); google.Stop() })
	s.Environ = []string{"STORAGE_EMULATOR_HOST=" + address}
	s.at = func(prefix string) string { return "gs://" + bucketName + "/" + prefix }
}

// The account that Azurite has, as Microsoft publishes it.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

func (s *Server) startAzure(t testing.TB) {
	t.Helper()
	service := startAzurite(t)
	credential, err := azblob.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential(service.String()+"/"+azuriteAccount, credential, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateContainer(t.Context(), bucketName, nil); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Faults.handler(httputil.NewSingleHostReverseProxy(service), azureErrors))
	t.Cleanup(server.Close)
	s.Environ = []string{"AZURE_STORAGE_ACCOUNT=" + azuriteAccount, "AZURE_STORAGE_KEY=" + azuriteKey}
	query := "?protocol=http&localemu=true&domain=" + url.QueryEscape(strings.TrimPrefix(server.URL, "http://"))
	s.at = func(prefix string) string { return "azblob://" + bucketName + "/" + prefix + query }
}

// startAzurite starts an Azurite that keeps everything in memory.
func startAzurite(t testing.TB) *url.URL {
	t.Helper()
	program := filepath.Join(repository(t), "bin", "azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js")
	if _, err := os.Stat(program); err != nil {
		missing(t, "azure", "Azurite is not installed: make azurite")
	}
	cmd := exec.Command("node", program, "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", "0", "--skipApiVersionCheck", "--disableTelemetry", "--silent")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to save
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, address, ok := strings.Cut(lines.Text(), "successfully listens on "); ok {
			u, err := url.Parse(strings.TrimSpace(address))
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
	}
	t.Fatal("Azurite ended before it listened")
	return nil
}

// repository is the root of the module that is tested.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "e2e", "azurite")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the test runs outside of the repository")
		}
		dir = filepath.Dir(dir)
	}
}

// What the services respond with where a condition does not hold, where two requests
// collide, and where they are busy.
var (
	s3Errors = responses{
		precondition: response{http.StatusPreconditionFailed, `<Error><Code>PreconditionFailed</Code></Error>`, ""},
		conflict:     response{http.StatusConflict, `<Error><Code>ConditionalRequestConflict</Code></Error>`, ""},
		busy:         response{http.StatusServiceUnavailable, `<Error><Code>SlowDown</Code></Error>`, ""},
	}
	azureErrors = responses{
		precondition: response{http.StatusPreconditionFailed, "", "ConditionNotMet"},
		conflict:     response{http.StatusConflict, "", "BlobBeingRehydrated"},
		busy:         response{http.StatusServiceUnavailable, "", "ServerBusy"},
	}
	gcsErrors = responses{
		precondition: response{http.StatusPreconditionFailed, `{"error":{"code":412,"message":"conditionNotMet"}}`, ""},
		conflict:     response{http.StatusTooManyRequests, `{"error":{"code":429,"message":"rateLimitExceeded"}}`, ""},
		busy:         response{http.StatusServiceUnavailable, `{"error":{"code":503,"message":"backendError"}}`, ""},
	}
)
