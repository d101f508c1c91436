package config

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Sign configures how image and model are signed: with a key, or with the
// workload identity of the CI.
type Sign struct {
	Key        Secret `yaml:"key" jsonschema_description:"Private key (ECDSA P-256, plain or encrypted by cosign) as ${NAME}. The variable holds the key, or the path of a file outside the repository."`
	Passphrase Secret `yaml:"passphrase" jsonschema_description:"Passphrase of the key, as ${NAME}."`
	Keyless    bool   `yaml:"keyless" jsonschema_description:"Sign with the workload identity of the CI through Sigstore (GitHub Actions with the permission id-token: write)."`
	Fulcio     string `yaml:"fulcio" jsonschema_description:"URL of a private certificate authority, for keyless. Default: Sigstore's public services."`
	Rekor      string `yaml:"rekor" jsonschema_description:"URL of its transparency log, for keyless."`
	Timestamps string `yaml:"timestamps" jsonschema_description:"URL of its timestamp authority, for keyless."`
}

// Trust is what an environment requires of the releases that are deployed there.
type Trust struct {
	Keys       []string   `yaml:"keys" jsonschema_description:"Public key files, such as cosign.pub, relative to this file."`
	Identities []Identity `yaml:"identities" jsonschema_description:"Identities trusted for keyless signing."`
	Root       string     `yaml:"root" jsonschema_description:"Trusted root (trusted_root.json) of a private Sigstore instance. Default: the public one."`
	Images     []string   `yaml:"images" jsonschema_description:"Images in the manifests that may run without a trusted signature: references, in which * matches any characters. The release's own image is not one of them."`
	Require    []string   `yaml:"require" jsonschema:"enum=signature,enum=provenance,enum=sbom" jsonschema_description:"What image and model must carry, signed by one of these. Default: signature."`
}

// Identity is a workload identity that may sign without a key.
type Identity struct {
	Issuer  string `yaml:"issuer" jsonschema:"required" jsonschema_description:"OIDC issuer, such as https://token.actions.githubusercontent.com."`
	Subject string `yaml:"subject" jsonschema:"required" jsonschema_description:"Identity, such as https://github.com/ORG/REPO/.github/workflows/deliver.yml@refs/heads/main. * matches any characters."`
}

func (d *decoder) validateSign(s *Sign) {
	if s == nil {
		return
	}
	if s.Key.IsSet() == s.Keyless {
		d.addError("sign", "such as key: ${COSIGN_KEY} or keyless: true", "sign: set exactly one of key or keyless")
		return
	}
	d.validateSecret("sign.key", s.Key)
	d.validateSecret("sign.passphrase", s.Passphrase)
	if s.Passphrase.IsSet() && s.Keyless {
		d.addError("sign.passphrase", "remove it", "sign.passphrase: requires sign.key")
	}
	for key, address := range map[string]string{"sign.fulcio": s.Fulcio, "sign.rekor": s.Rekor, "sign.timestamps": s.Timestamps} {
		if _, there := d.positions[key]; !there {
			continue
		}
		switch {
		case !s.Keyless:
			d.addError(key, "remove it, or sign with keyless: true", "%s: only used with keyless: true", key)
		case !isSecureURL(address):
			d.addError(key, "such as https://fulcio.example.com, without credentials", "%s: not an https URL", key)
		}
	}
	if !s.Keyless {
		return
	}
	if s.Fulcio == "" && (s.Rekor != "" || s.Timestamps != "") {
		d.addError("sign", "add fulcio: https://..., or remove them", "sign: rekor and timestamps require fulcio")
	}
	if s.Fulcio != "" && s.Rekor == "" && s.Timestamps == "" {
		d.addError("sign.fulcio", "add rekor: https://... or timestamps: https://...", "sign.fulcio: requires rekor or timestamps to prove when a short-lived certificate was used")
	}
}

// isSecureURL reports whether secrets may be sent to an address: it is encrypted,
// or on this machine.
func isSecureURL(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && ip != nil && ip.IsLoopback()
}

func (d *decoder) validateTrust(at string, t *Trust) {
	if t == nil {
		return
	}
	if len(t.Keys)+len(t.Identities) == 0 {
		d.addError(at, "such as keys: [cosign.pub] or identities: [{issuer: ..., subject: ...}]", "%s: set keys, identities or both", at)
	}
	for i, key := range t.Keys {
		here := fmt.Sprintf("%s.keys[%d]", at, i)
		if strings.TrimSpace(key) == "" {
			d.addError(here, "such as cosign.pub", "%s is empty", here)
		}
		d.validatePath(here, key)
	}
	for i, id := range t.Identities {
		d.validateIdentity(fmt.Sprintf("%s.identities[%d]", at, i), id)
	}
	for i, image := range t.Images {
		if here := fmt.Sprintf("%s.images[%d]", at, i); strings.Trim(image, "*") == "" || strings.ContainsAny(image, " \t\n") {
			d.addError(here, "such as docker.io/istio/proxyv2:*", "%s: pattern %q matches every image, or none", here, image)
		}
	}
	if d.validatePath(at+".root", t.Root); t.Root != "" && len(t.Identities) == 0 {
		d.addError(at+".root", "remove it, or add identities", "%s.root: only used with identities", at)
	}
}

func (d *decoder) validateIdentity(at string, id Identity) {
	if !isSecureURL(id.Issuer) {
		d.addError(at+".issuer", "such as https://token.actions.githubusercontent.com", "%s.issuer: invalid issuer %q", at, id.Issuer)
	}
	if strings.Trim(id.Subject, "*/ ") == "" || strings.ContainsAny(id.Subject, " \t\n") {
		d.addError(at+".subject", "name the repository and the workflow", "%s.subject: pattern %q matches every identity", at, id.Subject)
	}
}
