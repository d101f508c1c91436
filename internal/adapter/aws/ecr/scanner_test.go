package ecr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// registryOf uploads images to the cloud's repository, as the store of images does.
type registryOf struct {
	port.ImageStore
	cloud *awstest.Lab
	tags  []string
}

func (r *registryOf) Push(_ context.Context, layout string, img delivery.Image, tag string, _ port.Progress) (delivery.Image, error) {
	r.tags = append(r.tags, tag)
	images, err := ocilayout.Layout(layout).Images(img.Digest)
	if err != nil {
		return img, fault.New(fault.Corrupt, "push").Cause(err)
	}
	for _, image := range images {
		r.cloud.PutImage(path, awstest.Image{Digest: string(image.Descriptor.Digest), MediaType: image.Descriptor.MediaType})
	}
	return img, nil
}

// scene is a scanner, and what it is asked.
type scene struct {
	cloud   *awstest.Lab
	images  *registryOf
	scanner *Scanner
	request port.ScanRequest
}

func newScene(t *testing.T, scan *awstest.Scan) *scene {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("ci"))
	l.AddRepository(awstest.Repository{Name: path, ScanOnPush: true})
	l.SetScanner(func(string, awstest.Image) *awstest.Scan { return scan })
	s := &scene{cloud: l, images: &registryOf{cloud: l}}
	s.scanner = NewScanner(ScannerConfig{
		Images: s.images, Interval: time.Millisecond, Options: session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }},
	})
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "app", Body: "x", Mode: 0o755}})
	s.request = port.ScanRequest{Layout: built.Layout, Image: delivery.Image{Repository: l.RegistryHost() + "/" + path, Digest: built.Digest}}
	return s
}

func (s *scene) run(t *testing.T) (port.ScanReport, error) {
	t.Helper()
	r, err := s.scanner.Scan(t.Context(), s.request)
	if err := s.cloud.Invalid(); err != nil {
		t.Error(err)
	}
	return r, err
}

// All eleven statuses of AWS's model: two end well, two are awaited, and of the others
// nobody could look, which never passes.
func TestScanner_Statuses(t *testing.T) {
	models := newScene(t, nil).cloud.Enum("ecr", "ScanStatus")
	if len(models) != 11 {
		t.Errorf("AWS's model has %d statuses: %v", len(models), models)
	}
	for _, status := range models {
		t.Run(status, func(t *testing.T) {
			s := newScene(t, &awstest.Scan{Status: status, Reason: "because"})
			s.scanner.c.Within = 100 * time.Millisecond
			r, err := s.run(t)
			switch status {
			case "COMPLETE", "ACTIVE":
				if err != nil || len(r.Gaps) > 0 || r.Database.IsZero() {
					t.Errorf("%+v, %v", r, err)
				}
			case "UNSUPPORTED_IMAGE", "IMAGE_SIZE_EXCEEDED":
				if err != nil || len(r.Gaps) != 1 || !strings.Contains(r.Gaps[0].What, "because") || r.Gaps[0].Hint == "" {
					t.Errorf("%+v, %v", r, err)
				}
			case "PENDING", "IN_PROGRESS":
				if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "no findings") {
					t.Errorf("%v", err)
				}
			default:
				if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), status+": because") || fault.HintOf(err) == "" {
					t.Errorf("%v (%s)", err, fault.HintOf(err))
				}
			}
		})
	}
}

// A status that is newer than this program is one of a scan that did not look.
func TestScanner_NewStatus(t *testing.T) {
	done, err := (&scanned{}).judge(types.ImageScanStatus{Status: "SOMETHING_NEW"}, "sha256:0")
	if !done || !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
		t.Errorf("%t, %v (%s)", done, err, fault.HintOf(err))
	}
}

// The image is uploaded without a tag, and the findings are awaited.
func TestScanner_Findings(t *testing.T) {
	data := time.Now().Add(-26 * time.Hour).UTC().Truncate(time.Second)
	s := newScene(t, &awstest.Scan{Status: "COMPLETE", Waits: 3, DataAt: data, Findings: []awstest.Finding{
		{Name: "CVE-2099-0001", Severity: "HIGH", Package: "openssl", Version: "3.0.1"},
		{Name: "CVE-2099-0002", Severity: "INFORMATIONAL", Package: "zlib", Version: "1.2"},
		{Name: "CVE-2099-0003", Severity: "UNDEFINED", Package: "zlib", Version: "1.2"},
	}})
	r, err := s.run(t)
	if err != nil || len(r.Findings) != 3 || !r.Database.Equal(data) {
		t.Fatalf("%+v, %v", r, err)
	}
	for i, want := range []struct {
		id       string
		severity delivery.Severity
	}{{"CVE-2099-0001", delivery.High}, {"CVE-2099-0002", delivery.Negligible}, {"CVE-2099-0003", delivery.UnknownSeverity}} {
		if f := r.Findings[i]; f.ID != want.id || f.Severity != want.severity || f.Package == "" || f.Version == "" {
			t.Errorf("finding %d is %+v, want %s %s", i, f, want.id, want.severity)
		}
	}
	if len(s.images.tags) != 1 || s.images.tags[0] != "" {
		t.Errorf("uploaded with the tags %q, want none", s.images.tags)
	}
}

func TestScanner_Pages(t *testing.T) {
	many := make([]awstest.Finding, 250)
	for i := range many {
		many[i] = awstest.Finding{Name: fmt.Sprintf("CVE-2099-%04d", i), Severity: "LOW", Package: "p", Version: "1"}
	}
	r, err := newScene(t, &awstest.Scan{Status: "COMPLETE", PageSize: 100, Findings: many}).run(t)
	if err != nil || len(r.Findings) != len(many) {
		t.Errorf("%d findings, %v, want %d", len(r.Findings), err, len(many))
	}
	r, err = newScene(t, &awstest.Scan{Status: "COMPLETE", PageSize: 1, Findings: many}).run(t)
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("more pages than are read: %d findings, %v", len(r.Findings), err)
	}
}

// A repository that scans nothing when it is pushed: the scan is begun, once.
func TestScanner_BeginsScan(t *testing.T) {
	s := newScene(t, &awstest.Scan{Status: "COMPLETE", Waits: 1})
	s.cloud.AddRepository(awstest.Repository{Name: path})
	for range 2 {
		if r, err := s.run(t); err != nil || len(r.Gaps) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if n := s.cloud.Count("ecr", "StartImageScan"); n != 1 {
		t.Errorf("begun %d times", n)
	}
}

func TestScanner_Late(t *testing.T) {
	s := newScene(t, &awstest.Scan{Status: "COMPLETE", Waits: 1 << 30})
	s.scanner.c.Within = 50 * time.Millisecond
	began := time.Now()
	if _, err := s.run(t); !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.scanner.Scan(ctx, s.request); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestScanner_Repositories(t *testing.T) {
	s := newScene(t, &awstest.Scan{Status: "COMPLETE"})
	s.request.Image.Repository = "registry.example.com/" + path
	if _, err := s.run(t); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), "image.registry: ecr") {
		t.Errorf("elsewhere: %v (%s)", err, fault.HintOf(err))
	}
	s.request.Image.Repository = s.cloud.RegistryHost() + "/absent"
	if _, err := s.run(t); !fault.Is(err, fault.NotFound) {
		t.Errorf("absent: %v", err)
	}
	if len(s.images.tags) > 0 {
		t.Error("uploaded")
	}
}

// The suite of all scanners, with what Inspector says of such images.
func TestScanner_Conformance(t *testing.T) {
	porttest.TestScanner(t, func(t *testing.T, w porttest.ScanFixture) port.Scanner {
		scan := &awstest.Scan{Status: "ACTIVE", Platform: "DEBIAN_12"}
		switch w.Case {
		case porttest.ScanPlanted:
			scan.Enhanced = []awstest.EnhancedFinding{{
				Name: "CVE-2099-0001", Severity: "HIGH", Package: "libplanted", Version: "1.9", Release: "3", Manager: "OS", FixedIn: "2.0-1", Layer: string(delivery.DigestOf([]byte("layer"))),
			}}
		case porttest.ScanUnknown, porttest.ScanEmpty:
			scan = &awstest.Scan{Status: "UNSUPPORTED_IMAGE"}
		case porttest.ScanNoData:
			scan = &awstest.Scan{Status: "FINDINGS_UNAVAILABLE"}
		}
		s := newScene(t, scan)
		return inRepository{s.scanner, s.request.Image.Repository}
	})
}

// inRepository gives the images of the suite a repository in ECR.
type inRepository struct {
	port.Scanner
	repository string
}

func (i inRepository) Scan(ctx context.Context, req port.ScanRequest) (port.ScanReport, error) {
	req.Image.Repository = i.repository
	return i.Scanner.Scan(ctx, req)
}

func TestScanner_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	s := newScene(t, nil)
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		scanner := NewScanner(ScannerConfig{Images: s.images, Options: session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }}})
		return silenttest.Calls{"Scanner.Scan": func(ctx context.Context) error { _, err := scanner.Scan(ctx, s.request); return err }}
	})
}
