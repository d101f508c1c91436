package render

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/slipway-cd/slipway/internal/fault"
)

// validateKustomization validates a kustomization before the library acts on it: the
// library would clone repositories, download URLs and run plugins. It is decoded into
// the library's own types, so that both read the same.
func (o *kustomizeFS) validateKustomization(name string, data []byte) error {
	for _, d := range splitDocuments(string(data)) {
		if _, err := d.decode(name); err != nil {
			return err
		}
	}
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return fault.New(fault.Invalid, "the kustomization can't be read").Location(name).Cause(errors.New(redactParserMessage(unknownFieldMessage(err)))).
			Hint("check its fields against the kustomize reference")
	}
	k.FixKustomization()
	if field := unsupportedFeature(k); field != "" {
		return fault.New(fault.Invalid, "the kustomization uses %s, which Slipway does not support", field).Location(name).
			Hint("build it beforehand and commit the result, or list the chart itself under deploy.manifests")
	}
	for _, p := range referencedPaths(k) {
		if isRemote(p) {
			return fault.New(fault.Invalid, "the kustomization loads %s, a remote resource", quoted(redactAddress(p))).Location(name).
				Hint("copy it into the repository: a release consists of what is committed")
		}
	}
	o.collectSecrets(path.Dir(name), k)
	return o.validateResources(path.Dir(name), k)
}

// unknownFieldMessage returns the part of the library's message that names an unknown
// field.
func unknownFieldMessage(err error) string {
	if match := regexp.MustCompile(`unknown field "[A-Za-z0-9_.-]+"`).FindString(err.Error()); match != "" {
		return match
	}
	return "a field has a value of the wrong type"
}

func unsupportedFeature(k types.Kustomization) string {
	switch {
	case len(k.Generators) > 0:
		return "generators (plugins)"
	case len(k.Transformers) > 0:
		return "transformers (plugins)"
	case len(k.Validators) > 0:
		return "validators (plugins)"
	case len(k.HelmCharts) > 0 || k.HelmGlobals != nil || len(k.HelmChartInflationGenerator) > 0:
		return "helmCharts"
	case len(k.OpenAPI) > 0:
		return "openapi"
	}
	return ""
}

// referencedPaths returns everything that the library would treat as a path or URL.
func referencedPaths(k types.Kustomization) []string {
	var out []string
	for _, list := range [][]string{k.Resources, k.Components, k.Crds, k.Configurations} {
		out = append(out, list...)
	}
	for _, p := range append(append([]types.Patch{}, k.Patches...), k.PatchesJson6902...) { //nolint:staticcheck // old kustomizations use them
		out = append(out, p.Path)
	}
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // old kustomizations use them
		if !strings.Contains(string(p), "\n") { // otherwise an inline patch
			out = append(out, string(p))
		}
	}
	for _, r := range k.Replacements {
		out = append(out, r.Path)
	}
	for _, g := range generatorSources(k) {
		out = append(append(out, g.FileSources...), g.EnvSources...)
	}
	return out
}

func generatorSources(k types.Kustomization) []types.KvPairSources {
	var out []types.KvPairSources
	for _, g := range k.ConfigMapGenerator {
		out = append(out, g.KvPairSources)
	}
	for _, g := range k.SecretGenerator {
		out = append(out, g.KvPairSources)
	}
	return out
}

// remotePattern matches what the library may treat as a URL: a scheme, a user before
// a host, or GitHub's name. It is deliberately broader, as no path looks like that.
var remotePattern = regexp.MustCompile(`(?i)://|^\s*(?:[a-z][a-z0-9+.-]*:|[a-z][a-z0-9-]*@|github\.com)`)

func isRemote(p string) bool {
	_, value, _ := strings.Cut(p, "=") // generators use key=path
	return remotePattern.MatchString(p) || remotePattern.MatchString(value) || strings.HasPrefix(strings.ToLower(p), "git::")
}

// redactAddress removes what may be credentials from an address.
func redactAddress(p string) string {
	if i := strings.LastIndexByte(p, '@'); i >= 0 {
		p = "..." + p[i:]
	}
	p, _, _ = strings.Cut(p, "?")
	return p[:min(len(p), 100)]
}

// collectSecrets adds the values of the kustomization's generated Secrets to the
// redactor.
func (o *kustomizeFS) collectSecrets(dir string, k types.Kustomization) {
	for _, g := range k.SecretGenerator {
		for _, literal := range g.LiteralSources {
			_, value, ok := strings.Cut(literal, "=")
			if !ok {
				value = literal
			}
			o.redactor.Add(strings.Trim(value, `"'`))
		}
		for _, f := range append(append([]string{}, g.FileSources...), g.EnvSources...) {
			if _, p, ok := strings.Cut(f, "="); ok {
				f = p
			}
			data, err := o.tree.readFile(path.Join(dir, f))
			if err != nil {
				continue // the library reports it
			}
			o.redactor.Add(string(data), valuesAfter("=", string(data)))
		}
	}
	for _, p := range append(append([]types.Patch{}, k.Patches...), k.PatchesJson6902...) { //nolint:staticcheck // old kustomizations use them
		o.collectPatchSecrets(dir, p.Path, p.Patch)
	}
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // old kustomizations use them
		o.collectPatchSecrets(dir, string(p), string(p))
	}
}

// collectPatchSecrets adds all values of a patch that mentions a Secret to the
// redactor.
func (o *kustomizeFS) collectPatchSecrets(dir, file, text string) {
	if file != "" && o.tree.exists(path.Join(dir, file)) {
		data, err := o.tree.readFile(path.Join(dir, file))
		if err != nil {
			return // the library reports it
		}
		text = string(data)
	}
	if !strings.Contains(text, "Secret") && !strings.Contains(text, "ata/") {
		return
	}
	o.redactor.Add(valuesAfter(": ", text))
}

// valuesAfter returns what follows the separator in each line, without quotes.
func valuesAfter(separator, text string) string {
	var values []string
	for line := range strings.Lines(text) {
		if _, value, ok := strings.Cut(line, separator); ok {
			values = append(values, strings.Trim(strings.TrimSpace(value), `"'`))
		}
	}
	return strings.Join(values, "\n")
}

// validateResources decodes the resource files up front: the library reports errors
// without a line.
func (o *kustomizeFS) validateResources(dir string, k types.Kustomization) error {
	for _, p := range k.Resources {
		name := path.Join(dir, p)
		if path.IsAbs(p) || strings.HasPrefix(name, "..") {
			return fault.New(fault.Invalid, "the kustomization's resource %s is outside the checkout", quoted(p)).Location(dir)
		}
		info, err := o.tree.stat(name)
		if err != nil {
			return err
		}
		if info.IsDir() || !isManifest(name) {
			continue
		}
		data, err := o.tree.readFile(name)
		if err != nil {
			return err
		}
		found, err := decode(name, data)
		if err != nil {
			return err
		}
		for _, object := range found {
			redactSecret(&o.redactor, object)
		}
	}
	return nil
}

// ReadFile reads a file. Kustomizations are validated first.
func (o *kustomizeFS) ReadFile(p string) ([]byte, error) {
	name := o.rel(p)
	if !o.tree.exists(name) {
		return nil, fs.ErrNotExist // expected: the library tries every name that a kustomization can have
	}
	data, err := o.tree.readFile(name)
	if err == nil && slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(name)) {
		err = o.validateKustomization(name, data)
	}
	if err != nil && o.firstErr == nil {
		o.firstErr = err
	}
	return data, err
}
