package scan

import (
	"cmp"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// The parts of SARIF 2.1.0 that findings need.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID         string            `json:"id"`
		Short      sarifText         `json:"shortDescription"`
		Help       string            `json:"helpUri,omitempty"`
		Properties map[string]string `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule         string             `json:"ruleId"`
		Index        int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// sarif returns the findings as SARIF. Each vulnerability is a rule; waived and
// suppressed findings are included as suppressed.
func sarif(j assessment, r port.ScanReport) sarifLog {
	name, version, _ := strings.Cut(r.Scanner, " ")
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: name, Version: version, Rules: []sarifRule{}}
	rules := map[string]int{}
	for _, f := range j.Findings {
		i, known := rules[f.ID]
		if !known {
			i = len(rules)
			rules[f.ID] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
				ID: f.ID, Short: sarifText{cmp.Or(truncateLine(f.Title), f.ID)}, Help: f.URL,
				Properties: map[string]string{"security-severity": score(f.Severity)},
			})
		}
		run.Results = append(run.Results, result(f, i))
	}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

func result(f assessedFinding, rule int) sarifResult {
	where := cmp.Or(strings.TrimPrefix(f.Path, "/"), "image")
	out := sarifResult{
		Rule: f.ID, Index: rule, Level: level(f), Message: sarifText{f.String()},
		Locations:    []sarifLocation{{Physical: sarifPhysical{sarifArtifact{where}}}},
		Fingerprints: map[string]string{"finding/v1": strings.Join([]string{f.ID, f.Type, f.Package, f.Version}, "|")},
	}
	if f.Layer != "" {
		out.Locations[0].Logical = []sarifLogical{{Name: string(f.Layer) + ":" + f.Path, Kind: "resource"}}
	}
	if f.waived || f.suppressedByVEX {
		out.Suppressions = []sarifSuppression{{Kind: "external", Justification: cmp.Or(f.Why, f.Note)}}
	}
	return out
}

// level returns error for what fails the gate, and warning or note otherwise.
func level(f assessedFinding) string {
	switch {
	case f.Blocks:
		return "error"
	case f.Severity.AtLeast(delivery.Medium):
		return "warning"
	}
	return "note"
}

// score is a number for tools that sort by one: the least of CVSS's range.
func score(s delivery.Severity) string {
	switch s {
	case delivery.Critical:
		return "9.0"
	case delivery.High:
		return "7.0"
	case delivery.Medium:
		return "4.0"
	}
	return "0.1"
}
