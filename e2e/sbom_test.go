//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/adapter/sigstore"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/provenance"
)

// The real cosign accepts the attached SBOMs under its name for each format, and only
// with the right key.
func TestSBOM_AcceptedByCosign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private, public, err := sigstore.Generate([]byte(passphrase))
	must(t, err)
	_, stranger, err := sigstore.Generate(nil)
	must(t, err)
	for name, key := range map[string][]byte{"cosign.pub": public, "stranger.pub": stranger} {
		must(t, os.WriteFile(filepath.Join(dir, name), key, 0o600))
	}
	signer, err := sigstore.New(sigstore.Config{}).NewSigner(port.SignRequest{Key: private, Passphrase: []byte(passphrase)})
	must(t, err)
	registry, err := embedded.Open(filepath.Join(dir, "registry"))
	must(t, err)
	defer registry.Close()
	r := oci.New(oci.Config{Embedded: func() (*embedded.Registry, error) { return registry, nil }})
	built := porttest.WriteLayout(t, filepath.Join(dir, "layout"), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	img := delivery.Image{Repository: "billed", Digest: built.Digest}
	_, err = r.Push(t.Context(), built.Layout, img, "v1", nil)
	must(t, err)
	for kind, doc := range map[string]string{
		provenance.CycloneDXPredicate: `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[{"type":"library","name":"numpy","version":"2.1.0"}]}`,
		provenance.SPDXPredicate:      `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"billed","packages":[{"name":"numpy","versionInfo":"2.1.0"}]}`,
	} {
		raw, err := provenance.SBOMStatement(provenance.ImageSubject(img), kind, []byte(doc))
		must(t, err)
		bundle, err := signer.Sign(t.Context(), raw)
		must(t, err)
		_, err = r.Attach(t.Context(), port.Subject{Image: img}, kind, bundle)
		must(t, err)
	}
	l, err := registry.Listen("127.0.0.1:0", "")
	must(t, err)
	defer l.Close()
	for _, c := range []struct {
		key, kind string
		good      bool
	}{{"cosign.pub", "cyclonedx", true}, {"cosign.pub", "spdxjson", true}, {"stranger.pub", "cyclonedx", false}, {"cosign.pub", "openvex", false}} {
		cmd := exec.Command(cosignBinary(), "verify-attestation", "--type", c.kind, "--key", filepath.Join(dir, c.key),
			"--insecure-ignore-tlog=true", "--allow-http-registry", l.Addr()+"/"+img.String())
		cmd.Env = append(os.Environ(), "HOME="+dir, "HTTPS_PROXY=http://127.0.0.1:1")
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.good || c.good && !strings.Contains(string(out), "payload") {
			t.Errorf("%s by %s: %v\n%s", c.kind, c.key, err, out)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
