package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Defaults of a Scanner.
const (
	scanWithin   = 15 * time.Minute // AWS does not document how long a scan takes
	scanInterval = 5 * time.Second
)

// ScannerConfig configures a Scanner. Only Images is required.
type ScannerConfig struct {
	Images   port.ImageStore // that uploads to ECR
	Options  session.Options
	Roles    Roles
	Within   time.Duration // how long results are awaited; 0: 15 minutes
	Interval time.Duration // between two questions; 0: 5 s
	Clock    func() time.Time
}

// Scanner is ECR's own. It uploads the image to its repository by digest, without a tag,
// so that it has no name before it has passed.
type Scanner struct {
	c          ScannerConfig
	registries *Registries
}

var _ port.Scanner = (*Scanner)(nil)

// NewScanner connects to nothing yet.
func NewScanner(c ScannerConfig) *Scanner {
	if c.Within == 0 {
		c.Within = scanWithin
	}
	if c.Interval == 0 {
		c.Interval = scanInterval
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Scanner{c: c, registries: NewRegistries(c.Options, c.Roles)}
}

// ScannerExtension describes the scanner to the catalog.
func ScannerExtension() extension.Scanner {
	return extension.Scanner{
		Kind: "ecr", Description: "the registry's own scanner, for images in ECR",
		Rights: ScanRights,
		New: func(h extension.Host) (port.Scanner, error) {
			return NewScanner(ScannerConfig{Images: h.Images, Roles: h.RegistryRoles, Clock: h.Clock}), nil
		},
	}
}

// Scan uploads the image and waits for the findings of all its platforms.
func (s *Scanner) Scan(ctx context.Context, req port.ScanRequest) (port.ScanReport, error) {
	host, path := delivery.SplitRepository(req.Image.Repository)
	if !s.registries.Manages(host) {
		return port.ScanReport{}, fault.New(fault.Unavailable, "ECR's scanner sees images in ECR only, and this one goes to %s", cmp.Or(host, "the embedded registry")).
			Hint("set image.registry: ecr, or scan with grype")
	}
	images, err := ocilayout.Layout(req.Layout).Images(req.Image.Digest)
	if err != nil {
		return port.ScanReport{}, fault.New(fault.Corrupt, "read %s from the OCI layout %s", req.Image.Digest, req.Layout).Cause(err).Hint("build the image again")
	}
	at, err := s.registries.at(ctx, host)
	if err != nil {
		return port.ScanReport{}, err
	}
	if _, err := s.registries.CheckRepository(ctx, host, path, req.CreateRepository); err != nil {
		return port.ScanReport{}, err
	}
	progress(req, "uploading the image without a tag")
	if _, err := s.c.Images.Push(ctx, req.Layout, req.Image, "", nil); err != nil {
		return port.ScanReport{}, err
	}
	bounded, cancel := context.WithTimeoutCause(ctx, s.c.Within, errLate)
	defer cancel()
	all := scanned{at: at, path: path, now: s.c.Clock(), report: port.ScanReport{Scanner: scannerName, Notes: []string{notCounted}}}
	for _, image := range images {
		if err := s.scanImage(bounded, &all, image.Descriptor.Digest, req); err != nil {
			if ctx.Err() == nil && errors.Is(context.Cause(bounded), errLate) {
				return port.ScanReport{}, fault.New(fault.Unavailable, "ECR has no findings for %s after %s", image.Descriptor.Digest, s.c.Within).
					Hint("look at the scan in ECR's console, and run it again")
			}
			return port.ScanReport{}, err
		}
	}
	all.report.Findings = port.DedupeFindings(all.report.Findings)
	return all.report, nil
}

// What reports say of the scanner.
const (
	scannerName = "ecr 2015-09-21" // the version of its API: AWS tells no other
	notCounted  = "ECR does not tell which packages it looked up"
)

var errLate = errors.New("the findings are late")

func progress(req port.ScanRequest, text string) {
	if req.OnProgress != nil {
		req.OnProgress(text)
	}
}

// scanned is what is known of the images so far.
type scanned struct {
	at     *registry
	path   string
	now    time.Time
	report port.ScanReport
}

// scanImage waits for the end of one scan, and begins it where nothing did.
func (s *Scanner) scanImage(ctx context.Context, all *scanned, digest delivery.Digest, req port.ScanRequest) error {
	for begun := false; ; {
		out, err := all.page(ctx, digest, nil)
		absent := (*types.ScanNotFoundException)(nil)
		switch {
		case errors.As(err, &absent) && !begun:
			begun = true
			if err := all.begin(ctx, digest); err != nil {
				return err
			}
		case err != nil && !errors.As(err, &absent):
			return all.at.session.Explain(ctx, "read ECR's findings for "+string(digest), err)
		case err == nil:
			status := statusOf(out)
			if done, err := all.judge(status, digest); err != nil {
				return err
			} else if done && (status.Status == types.ScanStatusComplete || status.Status == types.ScanStatusActive) {
				return all.collect(ctx, digest, out)
			} else if done {
				return nil
			}
			progress(req, fmt.Sprintf("waiting for ECR's scanner: %s", status.Status))
		}
		if err := wait.Sleep(ctx, s.c.Interval); err != nil {
			return err
		}
	}
}

// begin starts a scan where pushing did not. Limits and registries that scan all the time
// refuse that; what they have is awaited.
func (a *scanned) begin(ctx context.Context, digest delivery.Digest) error {
	_, err := a.at.client.StartImageScan(ctx, &ecr.StartImageScanInput{RegistryId: &a.at.account, RepositoryName: &a.path, ImageId: idOf(digest)})
	limited, continuous, unsupported := (*types.LimitExceededException)(nil), (*types.ValidationException)(nil), (*types.UnsupportedImageTypeException)(nil)
	switch {
	case err == nil, errors.As(err, &limited), errors.As(err, &continuous):
		return nil
	case errors.As(err, &unsupported):
		return fault.New(fault.Unavailable, "ECR can't scan %s: %s", digest, unsupported.ErrorMessage()).Hint("%s", statusHints[types.ScanStatusUnsupportedImage])
	}
	return a.at.session.Explain(ctx, "begin ECR's scan of "+string(digest), err)
}

func idOf(digest delivery.Digest) *types.ImageIdentifier {
	return &types.ImageIdentifier{ImageDigest: aws.String(string(digest))}
}

func statusOf(out *ecr.DescribeImageScanFindingsOutput) types.ImageScanStatus {
	if out.ImageScanStatus == nil {
		return types.ImageScanStatus{}
	}
	return *out.ImageScanStatus
}

// statusHints are what to do about scans that did not look at the image.
var statusHints = map[types.ScanStatus]string{
	types.ScanStatusFailed:                 "run it again; ECR's console says more",
	types.ScanStatusUnsupportedImage:       "ECR's scanner does not know the image's distribution: scan with grype",
	types.ScanStatusScanEligibilityExpired: "ECR scans the image no more, as it was pushed or pulled too long ago: build it again, or lengthen the duration in Amazon Inspector",
	types.ScanStatusFindingsUnavailable:    "the findings are gone: push the image again, or scan with grype",
	types.ScanStatusLimitExceeded:          "a quota of the account is used up: basic scans are one a day for an image",
	types.ScanStatusImageArchived:          "restore it with UpdateImageStorageClass, which takes up to 20 minutes",
	types.ScanStatus(imageSizeExceeded):    "the image is too large for ECR's scanner: make it smaller, or scan with grype",
}

// imageSizeExceeded is newer than some versions of the SDK.
const imageSizeExceeded = "IMAGE_SIZE_EXCEEDED"

// judge returns whether the scan has ended. What the scanner does not know is a gap of
// the image; otherwise no scanner could look, which never passes.
func (a *scanned) judge(status types.ImageScanStatus, digest delivery.Digest) (done bool, err error) {
	reason := fmt.Sprintf("ECR's scan of %s is %s", digest, status.Status)
	if text := aws.ToString(status.Description); text != "" {
		reason += ": " + text
	}
	switch status.Status {
	case types.ScanStatusComplete, types.ScanStatusActive:
		return true, nil
	case types.ScanStatusPending, types.ScanStatusInProgress:
		return false, nil
	case types.ScanStatusUnsupportedImage, types.ScanStatus(imageSizeExceeded):
		a.report.Gaps = append(a.report.Gaps, port.ScanGap{What: reason, Hint: statusHints[status.Status]})
		a.report.Database = a.now
		return true, nil
	}
	hint := statusHints[status.Status]
	if hint == "" {
		hint = "this Slipway does not know the status: update it, or scan with grype"
	}
	return true, fault.New(fault.Unavailable, "%s", reason).Hint("%s", hint)
}
