package s3_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

const bucket = "retail-artifacts"

func newClient(t *testing.T, at extension.AWS) (*awstest.Lab, *s3.Client) {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	l.AddBucket(awstest.Bucket{Name: bucket})
	awstest.As(t, l.AddUser("alice"))
	at.Region = awstest.Region
	opened, err := session.Open(t.Context(), at, session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	return l, s3.New(opened)
}

func object(key string) s3.Object { return s3.Object{Bucket: bucket, Key: key} }

func TestParse(t *testing.T) {
	o, err := s3.Parse("s3://b/a/c d")
	if err != nil || o != (s3.Object{Bucket: "b", Key: "a/c d"}) || o.String() != "s3://b/a/c d" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, uri := range []string{"", "s3://", "s3:///k", "https://b/k", "s3://b/k?versionId=1", "s3://b/\n"} {
		if _, err := s3.Parse(uri); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

// Content is stored once under its name, however many do it at a time, and with every
// response lost after the work was done.
func TestClient_CreatesOnce(t *testing.T) {
	l, client := newClient(t, extension.AWS{Account: awstest.Account})
	n := 0
	l.Inject(func(call *awstest.Call) awstest.Fault {
		if n++; call.Operation.Name == "PutObject" && n%2 == 0 {
			return awstest.ResponseLost
		}
		return awstest.NoFault
	})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := client.Create(t.Context(), object("sha256/1"), strings.NewReader("content"), 7, s3.Encryption{KMSKey: "alias/slipway"}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	o, ok := l.Object(bucket, "sha256/1")
	if !ok || string(o.Body) != "content" || o.KMSKey != "alias/slipway" {
		t.Errorf("%+v", o)
	}
	if stored := l.Count("s3", "PutObject"); stored != 1 {
		t.Errorf("stored %d times", stored)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}

// A large object goes in parts. One that fails leaves no part behind.
func TestClient_CreatesInParts(t *testing.T) {
	l, client := newClient(t, extension.AWS{})
	client.LimitParts(5 << 20)
	content := bytes.Repeat([]byte("0123456789abcdef"), 6<<16) // 6 MiB
	created, err := client.Create(t.Context(), object("big"), bytes.NewReader(content), int64(len(content)), s3.Encryption{})
	if err != nil || !created {
		t.Fatal(created, err)
	}
	if o, ok := l.Object(bucket, "big"); !ok || !bytes.Equal(o.Body, content) || l.Count("s3", "UploadPart") != 2 {
		t.Errorf("%d bytes in %d parts", len(o.Body), l.Count("s3", "UploadPart"))
	}
	l.Inject(func(call *awstest.Call) awstest.Fault {
		if call.Operation.Name == "CompleteMultipartUpload" {
			return awstest.Denied
		}
		return awstest.NoFault
	})
	_, err = client.Create(t.Context(), object("other"), bytes.NewReader(content), int64(len(content)), s3.Encryption{})
	if !fault.Is(err, fault.Denied) || l.Uploads(bucket) != 0 {
		t.Errorf("%v, %d uploads left", err, l.Uploads(bucket))
	}
}

func TestClient_Errors(t *testing.T) {
	l, client := newClient(t, extension.AWS{})
	l.AddBucket(awstest.Bucket{Name: "elsewhere", Region: "eu-west-1"})
	for _, tt := range []struct {
		at   s3.Object
		kind fault.Kind
		text string
	}{
		{object("absent"), fault.NotFound, "does not exist"},
		{s3.Object{Bucket: "absent-bucket", Key: "k"}, fault.NotFound, "bucket absent-bucket does not exist"},
		{s3.Object{Bucket: "elsewhere", Key: "k"}, fault.Invalid, "is in eu-west-1, not in ap-southeast-1"},
	} {
		if _, err := client.Unpack(t.Context(), tt.at, t.TempDir()); !fault.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.at, err)
		}
	}
}

// An archive is fetched in the version that was pinned, and named as its files would be
// named on this machine.
func TestClient_Unpack(t *testing.T) {
	l, client := newClient(t, extension.AWS{})
	packed, err := awstest.TarGz(map[string]string{"./model.json": "{}", "sub/weights.bin": "w"})
	if err != nil {
		t.Fatal(err)
	}
	version, err := l.PutObject(bucket, "job/output/model.tar.gz", packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.PutObject(bucket, "job/output/model.tar.gz", []byte("overwritten")); err != nil {
		t.Fatal(err)
	}
	at := object("job/output/model.tar.gz")
	if _, err := client.Unpack(t.Context(), at, t.TempDir()); !fault.Is(err, fault.Corrupt) {
		t.Errorf("overwritten with something else: %v", err)
	}
	at.Version = version
	info, err := client.Stat(t.Context(), at)
	if err != nil || info.Version != version || info.Size != int64(len(packed)) {
		t.Errorf("%+v, %v", info, err)
	}
	dir := t.TempDir()
	a, err := client.Unpack(t.Context(), at, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := delivery.FolderDigest(map[string]delivery.Digest{"model.json": delivery.DigestOf([]byte("{}")), "sub/weights.bin": delivery.DigestOf([]byte("w"))})
	if a.SHA256 != delivery.DigestOf(packed) || a.Files != want || a.Version != version {
		t.Errorf("%+v, want the files %s", a, want)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "sub", "weights.bin")); err != nil || string(text) != "w" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestClient_ReadTooLarge(t *testing.T) {
	l, c := newClient(t, extension.AWS{Region: awstest.Region})
	if _, err := l.PutObject(bucket, "large", []byte("12345")); err != nil {
		t.Fatal(err)
	}
	if raw, err := c.Read(t.Context(), object("large"), 5); err != nil || string(raw) != "12345" {
		t.Errorf("%q, %v", raw, err)
	}
	if _, err := c.Read(t.Context(), object("large"), 4); !fault.Is(err, fault.Exhausted) {
		t.Errorf("error = %v, want %s", err, fault.Exhausted)
	}
	if _, err := c.Read(t.Context(), object("absent"), 4); !fault.Is(err, fault.NotFound) {
		t.Errorf("error = %v, want %s", err, fault.NotFound)
	}
}

// A folder is fetched as it is, and no more than fits.
func TestClient_Download(t *testing.T) {
	l, client := newClient(t, extension.AWS{})
	for key, text := range map[string]string{"out/metrics.json": "{}", "out/sub/a b": "x", "outer": "y"} {
		if _, err := l.PutObject(bucket, key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := client.Download(t.Context(), object("out/"), dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "sub", "a b")); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "er")); err == nil {
		t.Error("an object of another folder was fetched")
	}
	for i := range 10_001 {
		if _, err := l.PutObject(bucket, fmt.Sprintf("many/%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	before := l.Count("s3", "GetObject")
	if err := client.Download(t.Context(), object("many/"), t.TempDir()); !fault.Is(err, fault.Exhausted) {
		t.Errorf("%v", err)
	}
	if n := l.Count("s3", "GetObject") - before; n != 0 {
		t.Errorf("%d objects were fetched before the limit was seen", n)
	}
}
