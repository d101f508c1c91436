package ecr

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// maxPages is how many pages of findings are read, each of at most 1,000. Source:
// DescribeImageScanFindings in ECR's API reference.
const maxPages = 50

const pageSize = 1000

func (a *scanned) page(ctx context.Context, digest delivery.Digest, token *string) (*ecr.DescribeImageScanFindingsOutput, error) {
	return a.at.client.DescribeImageScanFindings(ctx, &ecr.DescribeImageScanFindingsInput{
		RegistryId: &a.at.account, RepositoryName: &a.path, ImageId: idOf(digest), MaxResults: aws.Int32(pageSize), NextToken: token,
	})
}

// collect adds all findings of an image, from the first page on.
func (a *scanned) collect(ctx context.Context, digest delivery.Digest, out *ecr.DescribeImageScanFindingsOutput) error {
	a.useData(statusOf(out).Status, out.ImageScanFindings)
	for n := 1; ; n++ {
		if f := out.ImageScanFindings; f != nil {
			for _, found := range f.Findings {
				a.report.Findings = append(a.report.Findings, basic(found))
			}
			for _, found := range f.EnhancedFindings {
				a.report.Findings = append(a.report.Findings, a.enhanced(found)...)
			}
		}
		if aws.ToString(out.NextToken) == "" {
			return nil
		}
		if n == maxPages {
			return fault.New(fault.Unavailable, "ECR has more than %d findings for %s", maxPages*pageSize, digest).Hint("scan with grype")
		}
		var err error
		if out, err = a.page(ctx, digest, out.NextToken); err != nil {
			return a.at.session.Explain(ctx, "read ECR's findings for "+string(digest), err)
		}
	}
}

// useData keeps the age of the oldest data that a result is from. A registry that scans
// all the time has the newest.
func (a *scanned) useData(status types.ScanStatus, f *types.ImageScanFindings) {
	at := a.now
	if f != nil && status != types.ScanStatusActive {
		at = cmp.Or(aws.ToTime(f.VulnerabilitySourceUpdatedAt), aws.ToTime(f.ImageScanCompletedAt), time.Time{}).UTC()
	}
	if a.report.Database.IsZero() || at.Before(a.report.Database) {
		a.report.Database = at
	}
}

// severityOf translates AWS's words.
func severityOf(word string) delivery.Severity {
	switch word = strings.ToUpper(word); word {
	case "INFORMATIONAL":
		return delivery.Negligible
	case "UNDEFINED", "UNTRIAGED":
		return delivery.UnknownSeverity
	}
	return delivery.ParseSeverity(word)
}

// basic translates a finding of basic scanning.
func basic(found types.ImageScanFinding) delivery.Finding {
	f := delivery.Finding{
		ID: aws.ToString(found.Name), Severity: severityOf(string(found.Severity)), URL: aws.ToString(found.Uri), Title: firstLine(aws.ToString(found.Description)), Source: "ecr:basic",
	}
	for _, attribute := range found.Attributes {
		switch value := aws.ToString(attribute.Value); aws.ToString(attribute.Key) {
		case "package_name":
			f.Package = value
		case "package_version":
			f.Version = value
		}
	}
	return f
}

// enhanced translates a finding of Amazon Inspector: one for each package.
func (a *scanned) enhanced(found types.EnhancedImageScanFinding) []delivery.Finding {
	platform := a.platform(found)
	d := found.PackageVulnerabilityDetails
	if d == nil {
		return []delivery.Finding{{ID: aws.ToString(found.Title), Severity: severityOf(aws.ToString(found.Severity)), Source: "ecr:inspector"}}
	}
	all := make([]delivery.Finding, 0, len(d.VulnerablePackages))
	for _, p := range d.VulnerablePackages {
		f := delivery.Finding{
			ID: aws.ToString(d.VulnerabilityId), Aliases: d.RelatedVulnerabilities, Severity: severityOf(aws.ToString(found.Severity)), Title: firstLine(aws.ToString(found.Title)),
			URL: aws.ToString(d.SourceUrl), Source: "ecr:inspector", Package: aws.ToString(p.Name), Version: versionOf(p), Path: aws.ToString(p.FilePath),
		}
		f.Type, f.PURL = typeOf(p, platform)
		if fixed := aws.ToString(p.FixedInVersion); fixed != "" && fixed != "NotAvailable" {
			f.FixedIn = []string{fixed}
		}
		if layer := delivery.Digest(aws.ToString(p.SourceLayerHash)); layer.Valid() {
			f.Layer = layer
		}
		all = append(all, f)
	}
	return all
}

// platform returns the distribution that Inspector recognized, such as DEBIAN_12.
func (a *scanned) platform(found types.EnhancedImageScanFinding) string {
	for _, r := range found.Resources {
		if r.Details != nil && r.Details.AwsEcrContainerImage != nil {
			platform := aws.ToString(r.Details.AwsEcrContainerImage.Platform)
			a.report.Distribution = strings.ToLower(strings.ReplaceAll(platform, "_", " "))
			return platform
		}
	}
	return ""
}

func versionOf(p types.VulnerablePackage) string {
	version := aws.ToString(p.Version)
	if release := aws.ToString(p.Release); release != "" {
		version += "-" + release
	}
	return version
}

// packageTypes are the ecosystems of Inspector's package managers. Source: the API
// reference of Amazon Inspector, VulnerablePackage.
var packageTypes = map[string]string{
	"PIP": "python", "PYTHONPKG": "python", "POETRY": "python", "PIPENV": "python", "GO": "go", "GOBINARY": "go", "GOMOD": "go",
	"NPM": "npm", "NODEPKG": "npm", "YARN": "npm", "PNPM": "npm", "JAR": "java", "POM": "java", "GEMSPEC": "gem", "BUNDLER": "gem", "CARGO": "rust", "NUGET": "dotnet", "COMPOSER": "php",
}

// typeOf returns the ecosystem, and the package URL of a package of the distribution.
func typeOf(p types.VulnerablePackage, platform string) (kind, purl string) {
	manager := aws.ToString(p.PackageManager)
	if kind, ok := packageTypes[manager]; ok {
		return kind, ""
	}
	name, _, _ := strings.Cut(strings.ToLower(platform), "_")
	switch name {
	case "debian", "ubuntu":
		kind = "deb"
	case "alpine":
		kind = "apk"
	case "amazon", "redhat", "centos", "rocky", "alma", "oracle", "suse", "fedora":
		kind = "rpm"
	default:
		return strings.ToLower(manager), ""
	}
	return kind, fmt.Sprintf("pkg:%s/%s/%s@%s", kind, name, aws.ToString(p.Name), versionOf(p))
}

// firstLine keeps reports readable.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	const most = 200
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + "..."
	}
	return line
}
