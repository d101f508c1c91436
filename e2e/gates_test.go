//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
)

// vulnerabilityID is the vulnerability in the database of these tests.
const vulnerabilityID = "CVE-2099-0001"

// checkGates checks that an example is stopped by the scan of a vulnerable dependency
// and by a modified image or model. good is the deployed release, and the file has
// one environment with a bake of 2s.
func (p *project) checkGates(weak testdb.Vulnerability, good string) {
	p.t.Helper()
	p.plantVulnerability(weak)
	p.enableSigning("keys")
	p.edit("slipway.yaml", "bake: 2s", "bake: 2s, trust: {keys: [cosign.pub], require: [signature, provenance, sbom]}")
	p.edit("slipway.yaml", "\nsign:", "\nscan: {}\nsign:")
	p.commit("scan, sign, and trust nobody else")
	p.run().wantRun(1, "failed").wantText(vulnerabilityID+" CRITICAL in "+weak.Package, "scan.waive")
	p.wantRetailDeployed(good)

	p.edit("slipway.yaml", "\nscan: {}\n", "\nscan: {waive: [{id: "+vulnerabilityID+", until: 2099-12-31, why: planted}]}\n")
	p.commit("waive it")
	second := p.run().wantRun(0, "skipped").report.Release // scanned and signed now; the content is what is deployed
	if second != good {
		p.t.Errorf("release = %s, want %s: policies are no content", second, good)
	}
	p.wantRetailDeployed(second)
	if c := runJSON[provenanceReport](p, "verify", "--provenance", second, "--env", "prod"); c.Verdict != "passed" {
		p.t.Errorf("slipway verify --provenance %s = %+v, want verdict passed", second, c)
	}
	p.tamperWithRegistry(func(says ...string) {
		p.t.Helper()
		p.slipway("run", "--env", "prod", "--deploy-only", "--json").wantRun(1, "failed").wantText(says...)
		p.wantRetailDeployed(second)
	})
	p.edit("slipway.yaml", "2099-12-31", "2020-01-01")
	p.commit("the waiver is over")
	p.run().wantRun(1, "failed").wantText(vulnerabilityID, "its waiver expired on 2020-01-01 (planted)")
	p.wantRetailDeployed(second)
	p.wantNoKeys()
}

// plantVulnerability installs a database in which every version of the package is
// vulnerable. It includes the distribution of the stand-in base image, without which
// the scan has no verdict.
func (p *project) plantVulnerability(weak testdb.Vulnerability) {
	p.t.Helper()
	dir := filepath.Join(p.base, "planted")
	p.must(os.MkdirAll(dir, 0o755))
	weak.ID, weak.Severity, weak.Below = vulnerabilityID, "critical", "99.0.0"
	file, err := testdb.Write(dir, []testdb.Vulnerability{weak, {
		ID: "CVE-2099-0002", Severity: "low", Ecosystem: "deb", Distro: "debian", DistroVersion: "12", Codename: "bookworm",
		Package: "nothing-that-is-installed", Below: "1",
	}})
	p.must(err)
	p.env = append(p.env, "SLIPWAY_SCAN_DB="+filepath.Join(p.base, "vulnerabilities"), "SLIPWAY_SCAN_DB_URL=http://127.0.0.1:1/databases")
	p.slipway("scan", "db", "import", file).wantExit(0)
}

// tamperWithRegistry modifies the deployed image in the registry and calls refused, then
// does the same with the model.
func (p *project) tamperWithRegistry(refused func(says ...string)) {
	p.t.Helper()
	for name, digest := range map[string]string{"image": p.status("prod").Image.Digest, "model": runJSON[[]modelVersion](p, "models")[0].Digest} {
		hex := strings.TrimPrefix(digest, "sha256:")
		blob := filepath.Join(p.home, "registry", "docker", "registry", "v2", "blobs", "sha256", hex[:2], hex, "data")
		whole := p.read(blob)
		changed := strings.Replace(whole, `"schemaVersion":2`, `"schemaVersion": 2`, 1)
		if changed == whole {
			changed = strings.Replace(whole, `"schemaVersion": 2`, `"schemaVersion":2`, 1)
		}
		if changed == whole {
			p.t.Fatalf("the manifest of the %s has no schemaVersion: %s", name, whole)
		}
		p.must(os.Chmod(blob, 0o644))
		p.must(os.WriteFile(blob, []byte(changed), 0o600))
		refused(name, "does not match what the release pins")
		p.must(os.WriteFile(blob, []byte(whole), 0o600))
	}
}
