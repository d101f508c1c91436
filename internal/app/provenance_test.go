package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

const signedProject = `version: 1
service: api
image: {build: {go: ./cmd/api}, repository: api}
environments:
  dev: {target: {local: {}}}
  staging: {target: {local: {}}, trust: {keys: [old.pub]}}
  prod: {target: {local: {}}, trust: {keys: [cosign.pub, old.pub], require: [signature]}}
`

// newSigned is a machine whose environments trust keys.
func newSigned(t *testing.T) (machine, *fake.AttestationStore) {
	t.Helper()
	m, store := newMachine(t, newSharedTarget()), &fake.AttestationStore{}
	p, err := config.Parse(config.FileName, []byte(signedProject), nil, kinds())
	m.must(err)
	m.project, m.workspace = p, Workspace{Repository: t.TempDir()}
	m.deps.Trust = trust.Verifier{Attestations: store, Signatures: fake.Verifier{}}
	for name, text := range map[string]string{"cosign.pub": "new", "old.pub": "old"} {
		m.must(os.WriteFile(filepath.Join(m.workspace.Repository, name), []byte(text), 0o600))
	}
	return m, store
}

func TestProvenance_Verdicts(t *testing.T) {
	m, store := newSigned(t)
	rel := m.recordDeployment("20260301-010000-aaaa", "c1", 1, delivery.Serving)
	raw := `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + delivery.DigestOf([]byte("c1")).Hex() + `"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`
	b, err := fake.Signer{Name: "cosign.pub"}.Sign(t.Context(), []byte(raw))
	m.must(err)
	_, err = store.Attach(t.Context(), port.Subject{Image: delivery.Image{Repository: "api", Digest: delivery.DigestOf([]byte("c1"))}}, "", b)
	m.must(err)
	for env, want := range map[delivery.Environment]delivery.Verdict{
		"prod": delivery.Passed, "staging": delivery.Failed, "": delivery.Failed, // all of them together want provenance
	} {
		p, err := m.provenance(t.Context(), rel, env)
		if err != nil || p.Verdict != want || p.Checks[0].Name != "release: record" {
			t.Errorf("provenance for %q = %+v, %v, want verdict %s and first the record", env, p, err, want)
		}
		last := p.Checks[len(p.Checks)-1]
		if last.Name != "deployment: prod" || !strings.Contains(last.Text, "deployed by ann") {
			t.Errorf("last check for %q = %+v, want the deployment by ann", env, last)
		}
	}
	store.Fail = fault.New(fault.Unavailable, "no answer")
	if p, err := m.provenance(t.Context(), rel, "prod"); err != nil || p.Verdict != delivery.Unavailable {
		t.Errorf("verdict without the registry = %s, %v, want %s", p.Verdict, err, delivery.Unavailable)
	}
}

func TestTrustPolicy_Resolution(t *testing.T) {
	m, _ := newSigned(t)
	rel := m.recordDeployment("20260301-010000-aaaa", "c1", 1, delivery.Serving)
	if _, err := m.provenance(t.Context(), rel, "dev"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "dev") {
		t.Errorf("error without a trust policy = %v, want kind %s with the environment", err, fault.Invalid)
	}
	if _, err := m.provenance(t.Context(), "r-000000000000", "prod"); !fault.Is(err, fault.NotFound) {
		t.Errorf("error of an unknown release = %v, want kind %s", err, fault.NotFound)
	}
	if _, err := m.provenance(t.Context(), "newest", ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("provenance of %q: error = %v, want one of kind %s", "newest", err, fault.Invalid)
	}
	if p, err := m.provenance(t.Context(), "latest", ""); err != nil || p.Release != rel {
		t.Errorf("provenance of %q = %s, %v, want that of %s", "latest", p.Release, err, rel)
	}
	all, err := m.trustPolicy("")
	if err != nil || len(all.Keys) != 2 || all.Keys[0].PEM != "new" || all.Keys[1].PEM != "old" {
		t.Errorf("union of the policies = %+v, %v, want the keys new and old", all, err)
	}
	m.must(os.Remove(filepath.Join(m.workspace.Repository, "cosign.pub")))
	if _, err := m.trustPolicy("prod"); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "cosign.pub") {
		t.Errorf("error of a missing key = %v, want kind %s with its name", err, fault.NotFound)
	}
	// Only files of the repository define trust.
	outside := filepath.Join(t.TempDir(), "key")
	m.must(os.WriteFile(outside, []byte("x"), 0o600))
	m.must(os.Symlink(outside, filepath.Join(m.workspace.Repository, "cosign.pub")))
	if p, err := m.trustPolicy("prod"); err == nil {
		t.Errorf("trust policy through a link out of the repository = %+v, want an error", p)
	}
	m.project.Environments = map[delivery.Environment]config.Environment{"dev": {}}
	if _, err := m.trustPolicy(""); !fault.Is(err, fault.Invalid) {
		t.Errorf("error without any trust policy = %v, want kind %s", err, fault.Invalid)
	}
}

func TestGenerateKey_NeverOverwrites(t *testing.T) {
	m, _ := newSigned(t)
	m.must(os.Remove(filepath.Join(m.workspace.Repository, "cosign.pub")))
	m.app.Environ = []string{"COSIGN_PASSWORD=hunter2"}
	m.deps.GenerateKey = func(pass []byte) ([]byte, []byte, error) {
		return []byte("private " + string(pass)), []byte("public"), nil
	}
	for _, folder := range []string{m.workspace.Repository, filepath.Join(m.workspace.Repository, "keys")} {
		if _, err := m.generateKey(folder); !fault.Is(err, fault.Invalid) {
			t.Errorf("error of folder %s = %v, want kind %s", folder, err, fault.Invalid)
		}
	}
	dir := filepath.Join(t.TempDir(), "keys")
	pair, err := m.generateKey(dir)
	m.must(err)
	text, err := os.ReadFile(pair.PrivatePath)
	info, err2 := os.Stat(pair.PrivatePath)
	if err != nil || err2 != nil || string(text) != "private hunter2" || info.Mode().Perm() != 0o600 {
		t.Errorf("private key = %q, error = %v, %v, want the encrypted key, readable by its owner only", text, err, err2)
	}
	if _, err := m.generateKey(dir); !fault.Is(err, fault.Conflict) {
		t.Errorf("error of existing keys = %v, want kind %s", err, fault.Conflict)
	}
	m.must(os.Remove(pair.PublicPath))
	if _, err := m.generateKey(dir); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), pair.PrivatePath) {
		t.Errorf("error of an existing private key = %v, want kind %s with its path", err, fault.Conflict)
	}
}
