package render

import (
	"fmt"
	"maps"
	"slices"
	templates "text/template"
)

// deterministicFuncs overrides the engine's functions whose results vary: a release
// depends on its files only. It sets usedLookup when a template calls lookup.
func deterministicFuncs(usedLookup *bool) templates.FuncMap {
	f := templates.FuncMap{
		"lookup": func(_, _, _, _ string) map[string]any {
			*usedLookup = true
			return map[string]any{}
		},
		"keys": func(dicts ...map[string]any) []string {
			var out []string
			for _, d := range dicts {
				out = append(out, slices.Sorted(maps.Keys(d))...)
			}
			return out
		},
		"values": func(d map[string]any) []any {
			out := make([]any, 0, len(d))
			for _, k := range slices.Sorted(maps.Keys(d)) {
				out = append(out, d[k])
			}
			return out
		},
	}
	for _, name := range []string{
		"now", "ago", "randAlpha", "randAlphaNum", "randAscii", "randNumeric", "randBytes", "randInt", "shuffle", "uuidv4",
		"genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
		"bcrypt", "htpasswd", "encryptAES",
	} {
		f[name] = func(...any) (string, error) {
			return "", fmt.Errorf("%s is not available: its result differs every time, and a release must be reproducible", name)
		}
	}
	return f
}
