package awstest

import (
	"fmt"
	"strconv"
	"time"
)

// Scan is what the scanner of the registry says of an image.
type Scan struct {
	Status   string // PENDING, IN_PROGRESS, COMPLETE, ACTIVE, FAILED, ...
	Reason   string
	DataAt   time.Time // of its vulnerability data; zero: now
	Waits    int       // how many questions are answered with IN_PROGRESS before
	Findings []Finding
	Enhanced []EnhancedFinding // of Amazon Inspector, instead of Findings
	Platform string            // that Inspector recognized, such as DEBIAN_12
	PageSize int               // of findings; 0: as the caller asks
}

// Finding is a vulnerability of the basic scanner.
type Finding struct{ Name, Severity, Package, Version string }

// EnhancedFinding is a vulnerability of Amazon Inspector.
type EnhancedFinding struct{ Name, Severity, Package, Version, Release, Manager, FixedIn, Layer string }

// SetScanner makes scan decide what the scanner finds in images that are pushed to
// repositories that scan them, or for StartImageScan. Without it, they have no findings.
func (c *Cloud) SetScanner(scan func(repository string, image Image) *Scan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scanner = scan
}

// scan scans an image, with c.mu held.
func (c *Cloud) scan(r *Repository, image *Image) {
	image.Scan = &Scan{Status: "COMPLETE"}
	if c.scanner != nil {
		image.Scan = c.scanner(r.Name, *image)
	}
}

func (c *Cloud) startImageScan(call *Call) (any, error) {
	_, image, r, err := c.scannedImage(call)
	if err != nil {
		return nil, err
	}
	switch {
	case image.status() != "ACTIVE":
		return nil, refuse("ImageArchivedException", "The image is archived")
	case image.Scan != nil:
		return nil, refuse("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")
	}
	c.scan(r, image)
	return map[string]any{"registryId": c.Account, "repositoryName": r.Name, "imageId": map[string]string{"imageDigest": image.Digest}, "imageScanStatus": map[string]string{"status": "IN_PROGRESS"}}, nil
}

type scanInput struct {
	RepositoryName string
	ImageID        imageID `json:"imageId"`
	NextToken      string
	MaxResults     int
}

func (c *Cloud) scannedImage(call *Call) (in scanInput, image *Image, r *Repository, err error) {
	if err = call.Into(&in); err != nil {
		return in, nil, nil, err
	}
	if r, err = c.repository(in.RepositoryName); err != nil {
		return in, nil, nil, err
	}
	image, err = r.find(in.ImageID)
	return in, image, r, err
}

func (c *Cloud) describeImageScanFindings(call *Call) (any, error) {
	in, image, r, err := c.scannedImage(call)
	if err != nil {
		return nil, err
	}
	scan := image.Scan
	if scan == nil {
		return nil, refuse("ScanNotFoundException", "Image scan does not exist for the image with '%s' in the repository with name '%s'", image.Digest, r.Name)
	}
	out := map[string]any{"registryId": c.Account, "repositoryName": r.Name, "imageId": map[string]string{"imageDigest": image.Digest}}
	if scan.Waits > 0 {
		scan.Waits--
		out["imageScanStatus"] = map[string]string{"status": "IN_PROGRESS"}
		return out, nil
	}
	status := map[string]string{"status": scan.Status}
	if scan.Reason != "" {
		status["description"] = scan.Reason
	}
	out["imageScanStatus"] = status
	out["imageScanFindings"], out["nextToken"] = c.findings(scan, in, image.Digest)
	if out["nextToken"] == "" {
		delete(out, "nextToken")
	}
	return out, nil
}

// findings returns a page of them, and the token of the next.
func (c *Cloud) findings(scan *Scan, in scanInput, digest string) (map[string]any, string) {
	at := scan.DataAt
	if at.IsZero() {
		at = c.clock()
	}
	out := map[string]any{"vulnerabilitySourceUpdatedAt": at.UTC(), "imageScanCompletedAt": c.clock().UTC()}
	var all []any
	kind, counts := "findings", map[string]int{}
	for _, f := range scan.Findings {
		counts[f.Severity]++
		all = append(all, map[string]any{"name": f.Name, "severity": f.Severity, "attributes": []any{
			map[string]string{"key": "package_name", "value": f.Package}, map[string]string{"key": "package_version", "value": f.Version},
		}})
	}
	for _, f := range scan.Enhanced {
		kind = "enhancedFindings"
		counts[f.Severity]++
		all = append(all, c.enhanced(scan, f, digest))
	}
	first, _ := strconv.Atoi(in.NextToken)
	size := scan.PageSize
	if size == 0 {
		size = max(in.MaxResults, 100)
	}
	last := min(first+size, len(all))
	next := ""
	if last < len(all) {
		next = fmt.Sprint(last)
	}
	out[kind], out["findingSeverityCounts"] = append([]any{}, all[first:last]...), counts
	return out, next
}

func (c *Cloud) enhanced(scan *Scan, f EnhancedFinding, digest string) map[string]any {
	p := map[string]any{"name": f.Package, "version": f.Version, "packageManager": f.Manager}
	for key, value := range map[string]string{"release": f.Release, "fixedInVersion": f.FixedIn, "sourceLayerHash": f.Layer} {
		if value != "" {
			p[key] = value
		}
	}
	return map[string]any{
		"awsAccountId": c.Account, "severity": f.Severity, "title": f.Name + " - " + f.Package, "type": "PACKAGE_VULNERABILITY", "status": "ACTIVE",
		"packageVulnerabilityDetails": map[string]any{"vulnerabilityId": f.Name, "vulnerablePackages": []any{p}},
		"resources": []any{map[string]any{"type": "AWS_ECR_CONTAINER_IMAGE", "id": digest, "details": map[string]any{
			"awsEcrContainerImage": map[string]any{"imageHash": digest, "platform": scan.Platform},
		}}},
	}
}
