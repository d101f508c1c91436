//go:build e2e

package e2e

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const passphrase = "e2e-passphrase-93b1c4"

// cosignBinary is the real cosign, which `make e2e` builds from a separate module.
func cosignBinary() string {
	return cmp.Or(os.Getenv("COSIGN_BIN"), filepath.Join(filepath.Dir(slipwayBinary()), "cosign"))
}

// provenanceReport is the document of `slipway verify --provenance`.
type provenanceReport struct {
	Verdict string `json:"verdict"`
	Links   []struct {
		Link    string `json:"link"`
		Verdict string `json:"verdict"`
		Text    string `json:"text"`
	} `json:"links"`
}

// newSigningProject is the tiny project with a key, and an environment that trusts it.
func newSigningProject(t *testing.T) *project {
	t.Helper()
	p := newTinyProject(t)
	p.enableSigning("keys")
	p.edit("slipway.yaml", "bake: 300ms", "bake: 300ms, trust: {keys: [cosign.pub], require: [signature, provenance]}")
	p.commit("sign, and trust nobody else")
	return p
}

// enableSigning generates a key and configures the project to sign with it.
func (p *project) enableSigning(folder string) {
	p.t.Helper()
	p.generateKey(folder)
	p.write("slipway.yaml", p.read(filepath.Join(p.dir, "slipway.yaml"))+"\nsign: {key: \"${COSIGN_KEY}\", passphrase: \"${COSIGN_PASSWORD}\"}\n")
}

// generateKey generates a key in a folder beside the repository, and uses it from now on.
func (p *project) generateKey(folder string) {
	p.t.Helper()
	_ = os.Remove(filepath.Join(p.dir, "cosign.pub"))
	p.env = append(p.env, "COSIGN_PASSWORD="+passphrase, "COSIGN_KEY="+filepath.Join(p.base, folder, "cosign.key"))
	p.slipway("keys", "generate", "--dir", filepath.Join(p.base, folder)).wantExit(0)
}

// cosign runs the real cosign and returns its output.
func (p *project) cosign(args ...string) (string, error) {
	cmd := exec.Command(cosignBinary(), args...)
	cmd.Dir = p.dir
	// It keeps a folder in HOME, and asks nobody outside of this machine.
	cmd.Env = append(p.env, "HOME="+p.base, "SIGSTORE_NO_CACHE=true", "HTTPS_PROXY=http://127.0.0.1:1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// registry serves the embedded registry until the returned function is called. cosign
// pushes signatures to it with the token in its HOME.
func (p *project) registry() (address string, stop func()) {
	p.t.Helper()
	token := filepath.Join(p.base, "registry-token")
	p.must(os.WriteFile(token, []byte(registryToken+"\n"), 0o600))
	s := p.start("registry", "--writable", "--token-file", token, "--listen", "127.0.0.1:0")
	s.mu.Lock()
	defer s.mu.Unlock()
	const before = "the registry is at "
	for !strings.Contains(s.stdout.String(), before) && !s.ended {
		s.changed.Wait()
	}
	_, rest, found := strings.Cut(s.stdout.String(), before)
	if !found {
		p.t.Fatalf("the registry did not start: %s", s.stderr.String())
	}
	address = strings.TrimSpace(rest)
	p.must(os.MkdirAll(filepath.Join(p.base, ".docker"), 0o700))
	login := base64.StdEncoding.EncodeToString([]byte("slipway:" + registryToken))
	p.must(os.WriteFile(filepath.Join(p.base, ".docker", "config.json"), []byte(`{"auths": {"`+address+`": {"auth": "`+login+`"}}}`), 0o600))
	return address, func() { s.signal(syscall.SIGTERM); s.wait() }
}

// The real cosign accepts the signatures that Slipway writes, and Slipway accepts those of
// cosign.
func TestSign_AcceptedByCosign(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(cosignBinary()); err != nil {
		t.Fatalf("cosign not found (%v): use `make e2e`", err)
	}
	p := newSigningProject(t)
	first := p.run().wantRun(0, "deployed").report
	p.wantDeployed(first.Release)
	explained := runJSON[provenanceReport](p, "verify", "--provenance", first.Release)
	if explained.Verdict != "passed" || len(explained.Links) < 8 {
		t.Errorf("slipway verify --provenance = %+v, want verdict passed and at least 8 links", explained)
	}
	st, m := p.status("prod"), runJSON[[]modelVersion](p, "models")[0]
	address, stop := p.registry()
	for _, ref := range []string{address + "/tiny@" + st.Image.Digest, address + "/models/tiny-models@" + m.Digest} {
		for _, args := range [][]string{{"verify"}, {"verify-attestation", "--type", "slsaprovenance1"}} {
			args = append(args, "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--allow-http-registry", ref)
			if out, err := p.cosign(args...); err != nil {
				t.Errorf("cosign %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
	}
	p.checkOtherSigner(address, address+"/tiny@"+st.Image.Digest)
	stop()
	p.wantNoKeys()
}

// checkOtherSigner signs with cosign and another key, which is the only one that the
// environment trusts then.
func (p *project) checkOtherSigner(address, ref string) {
	t := p.t
	t.Helper()
	config := filepath.Join(p.base, "signing-config.json")
	for _, args := range [][]string{
		{"signing-config", "create", "--out", config},
		{"generate-key-pair", "--output-key-prefix", filepath.Join(p.base, "other")},
		{"sign", "--key", filepath.Join(p.base, "other.key"), "--signing-config", config, "--allow-http-registry", "-y", ref},
	} {
		if out, err := p.cosign(args...); err != nil {
			t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if out, err := p.cosign("verify", "--key", filepath.Join(p.base, "other.pub"), "--insecure-ignore-tlog=true", "--allow-http-registry", ref); err != nil {
		t.Fatalf("cosign rejects its own signature: %v\n%s", err, out)
	}
	p.write("cosign.pub", p.read(filepath.Join(p.base, "other.pub")))
	r := p.slipway("verify", "--provenance", p.status("prod").Release, "--env", "prod", "--json").wantExit(1)
	var c provenanceReport
	p.must(json.Unmarshal([]byte(r.stdout), &c))
	want := map[string]string{"image: signature": "passed", "image: provenance": "failed", "model: signature": "failed"}
	for _, l := range c.Links {
		if w, ok := want[l.Link]; ok && l.Verdict != w {
			t.Errorf("by cosign's key %s is %s (%s), want %s", l.Link, l.Verdict, l.Text, w)
		}
	}
}

// wantNoKeys searches for the key, its passphrase and the secret that commands print on
// purpose.
func (p *project) wantNoKeys() {
	p.t.Helper()
	lines := strings.Split(p.read(filepath.Join(p.base, "keys", "cosign.key")), "\n")
	if p.wantNoSecrets(passphrase, envSecret, lines[1]) == 0 {
		p.t.Error("no layer was looked at")
	}
}

// A release that the policy does not trust is refused before the deploy, with its cause,
// and the deployed release stays.
func TestTrust_RefusesUntrusted(t *testing.T) {
	t.Parallel()
	p := newSigningProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	ours := p.read(filepath.Join(p.dir, "cosign.pub"))
	refused := func(what string, says ...string) {
		t.Helper()
		p.slipway("run", "--env", "prod", "--deploy-only", "--json").wantRun(1, "failed").wantText(says...)
		if now := p.status("prod"); now.Release != good || now.Entering != nil {
			t.Errorf("%s: release %s, entering %+v, want %s and none", what, now.Release, now.Entering, good)
		}
		p.wantDeployed(good)
	}
	p.tamperWithRegistry(func(says ...string) { refused("tampered with", says...) })
	p.generateKey("other-keys")
	p.commit("trust another key")
	refused("another key", "by a key that the policy does not trust")
	p.write("cosign.pub", ours)
	p.commit("trust the first again")
	p.edit("slipway.yaml", "\nsign:", "\n#sign:")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("do not sign")
	// The image and the model are those that were signed; the commit is not.
	p.run().wantRun(1, "failed").wantText("does not match the release's commit")
	p.setBehaviour("good, and another image")
	p.run().wantRun(1, "failed").wantText("has no signature")
	p.wantDeployed(good)
	p.env = append(p.env, fmt.Sprintf("COSIGN_KEY=%s", filepath.Join(p.dir, "cosign.key")))
	p.write("cosign.key", p.read(filepath.Join(p.base, "keys", "cosign.key")))
	p.edit("slipway.yaml", "\n#sign:", "\nsign:")
	p.commit("a key in the repository")
	p.run().wantRun(1, "failed").wantText("inside the repository")
	p.wantDeployed(good)
}
