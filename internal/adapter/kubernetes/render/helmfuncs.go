package render

import (
	"fmt"
	"maps"
	"slices"
	templates "text/template"
)

// deterministicFuncs replaces those of the engine's functions that answer differently
// each time: a release is made of its files alone. asked becomes true when a
// template looks into the cluster.
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
			return "", fmt.Errorf("%s is not available: it gives another result each time, and a release is the same each time", name)
		}
	}
	return f
}
