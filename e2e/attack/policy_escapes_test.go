//go:build linux

package attack

import (
	"path/filepath"
	"testing"
)

// TestPolicyAddress: patterns of a policy met the text of an address. What looks like a
// folder of the listed bucket to a pattern is a request to another host.
func TestPolicyAddress(t *testing.T) {
	l := newLab(t)
	file := l.read(filepath.Join(l.repo, "slipway.yaml"))
	operator := l.with("AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=x", "AWS_EC2_METADATA_DISABLED=true",
		"SLIPWAY_POLICY="+l.policy(`addresses: {state: ["s3://releases/*"]}`+"\n"))
	for _, query := range []string{"endpoint=0.0.0.0:1", "region=r&endpoint=https%3A%2F%2F0.0.0.0%3A1", "region=r&profile=other"} {
		l.write("slipway.yaml", `state: "s3://releases/a?`+query+"\"\n"+file)
		operator.slipway("status").wantExit(1).wantText("state: the shared state that the file names: not allowed by the policy")
	}
}

// TestPolicyBesideService: the policy of a job was believed although it lies in the
// repository, where that has the service in a folder.
func TestPolicyBesideService(t *testing.T) {
	l := newLab(t)
	l.run("sh", "-c", "mkdir -p services/tiny && git mv $(git ls-files) services/tiny").wantExit(0)
	l.write("ci/policy.yaml", "version: 1\nsecrets: {pull_request: [\"*\"]}\n")
	l.commit("a monorepo with a policy")
	service := l.in(filepath.Join(l.repo, "services", "tiny")).with("SLIPWAY_POLICY=" + filepath.Join(l.repo, "ci", "policy.yaml"))
	service.slipway("status").wantExit(1).wantText("is in the repository")
}
