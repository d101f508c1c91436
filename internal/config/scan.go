package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// Scan configures the gate for known vulnerabilities.
type Scan struct {
	With        extension.Kind      `yaml:"with" kinds:"scanners" jsonschema_description:"Scanner to use."`
	Also        extension.Kind      `yaml:"also" json:",omitzero" kinds:"scanners" jsonschema_description:"Second scanner. What either of them finds counts, and both must be able to look."`
	FailOn      []delivery.Severity `yaml:"fail_on" jsonschema:"minItems=1,enum=UNKNOWN,enum=NEGLIGIBLE,enum=LOW,enum=MEDIUM,enum=HIGH,enum=CRITICAL" jsonschema_description:"Severities that fail the gate: the lowest one listed and everything above it. Unrated findings fail only if UNKNOWN is listed. Default [HIGH, CRITICAL]."`
	FixableOnly bool                `yaml:"fixable_only" jsonschema_description:"Only fail on vulnerabilities that have a fix."`
	Waive       []Waiver            `yaml:"waive" jsonschema_description:"Vulnerabilities that are accepted until a given date."`
	VEX         []string            `yaml:"vex" jsonschema_description:"OpenVEX documents in this repository. Findings that they mark not_affected or fixed do not fail the gate."`
	MaxAge      delivery.Duration   `yaml:"max_age" jsonschema_description:"Maximum age of the scanner's database. Default 120h (5 days)."`
}

// Waiver accepts one vulnerability until a day. After it the gate fails, and
// names the waiver.
type Waiver struct {
	ID      string `yaml:"id" jsonschema:"required" jsonschema_description:"ID of the vulnerability, such as CVE-2021-44228, or an alias of it."`
	Package string `yaml:"package" jsonschema_description:"Only in this package. Default: any package."`
	Until   string `yaml:"until" jsonschema:"required" jsonschema_description:"Last day of the waiver, in UTC, such as 2026-12-01."`
	Why     string `yaml:"why" jsonschema:"required" jsonschema_description:"Reason for the waiver. It is kept with the findings."`
}

// EnvironmentScan configures what the scan means in one environment.
type EnvironmentScan struct {
	Unavailable step.UnavailablePolicy `yaml:"unavailable" jsonschema:"enum=fail,enum=accept" jsonschema_description:"What to do when the image could not be scanned (no database, unknown distribution): fail (default) or accept."`
}

const (
	vulnerabilityPattern = `^[A-Za-z0-9][A-Za-z0-9._:-]*$`
	datePattern          = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
)

// validateScan checks the waivers, and rejects scan settings of environments when
// no scan is configured.
func (d *decoder) validateScan(p *Project) {
	for name, e := range p.Environments {
		if e.Scan != nil && p.Scan == nil {
			at := "environments." + string(name) + ".scan"
			d.addError(at, "add a top-level section scan: {}", "%s: requires a top-level scan section", at)
		}
	}
	if p.Scan == nil {
		return
	}
	if p.Scan.Also != "" && p.Scan.Also == p.Scan.With {
		d.addError("scan.also", "remove it, or name another one", "scan.also: %s is scan.with, too", p.Scan.Also)
	}
	for i, w := range p.Scan.Waive {
		d.validateWaiver(fmt.Sprintf("scan.waive[%d]", i), w, p.Scan.Waive[:i])
	}
	for i, path := range p.Scan.VEX {
		at := fmt.Sprintf("scan.vex[%d]", i)
		if strings.TrimSpace(path) == "" {
			d.addError(at, "such as security/openvex.json", "%s is empty", at)
			continue
		}
		d.validatePath(at, path)
	}
}

func (d *decoder) validateWaiver(at string, w Waiver, before []Waiver) {
	d.matchPattern(at+".id", w.ID, vulnerabilityPattern, "use a vulnerability ID such as CVE-2021-44228")
	if _, there := d.positions[at+".package"]; there && strings.TrimSpace(w.Package) == "" {
		d.addError(at+".package", "name it, or remove the line", "%s.package is empty", at)
	}
	if _, err := time.Parse(time.DateOnly, w.Until); err != nil {
		d.addError(at+".until", "use the last day it applies, such as 2026-12-01", "%s.until: invalid date %q (want YYYY-MM-DD)", at, w.Until)
	}
	if strings.TrimSpace(w.Why) == "" {
		d.addError(at+".why", "give the reason; it is kept with the findings", "%s.why is empty", at)
	}
	twice := func(o Waiver) bool { return strings.EqualFold(o.ID, w.ID) && strings.EqualFold(o.Package, w.Package) }
	if i := slices.IndexFunc(before, twice); i >= 0 {
		d.addError(at, fmt.Sprintf("the first one is scan.waive[%d]", i), "%s: %s is waived twice", at, w.ID)
	}
}
