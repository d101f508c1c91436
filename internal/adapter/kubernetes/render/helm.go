package render

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	helmloader "helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/ignore"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/redact"
)

// minKubeVersion is the Kubernetes version that charts are rendered for: newer
// versions accept what charts write for the oldest supported one.
const minKubeVersion = "v1.29.0"

// renderChart renders a Helm chart as `helm template` does.
func (l *loader) renderChart(dir string) ([]object, error) {
	values, err := l.mergeValues()
	if err != nil {
		return nil, err
	}
	c, err := l.loadChart(dir)
	if err != nil {
		return nil, err
	}
	redactor := redact.New()
	redactValues(redactor, values)
	redactValues(redactor, c.Values)
	texts, err := l.executeTemplates(dir, c, values, redactor)
	if err != nil {
		return nil, err
	}
	var out []object
	for _, crd := range c.CRDObjects() {
		found, err := decode(path.Join(dir, withoutChartName(crd.Filename)), crd.File.Data)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if path.Base(name) == "NOTES.txt" {
			continue
		}
		found, err := decode(path.Join(dir, withoutChartName(name))+" (rendered)", []byte(texts[name]))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return l.mapHooks(out)
}

// mergeValues merges the values files, later ones over earlier ones.
func (l *loader) mergeValues() (map[string]any, error) {
	values := map[string]any{}
	for _, v := range l.values {
		name, err := localPath(v)
		if err != nil {
			return nil, err
		}
		data, err := l.source.readFile(name)
		if err != nil {
			return nil, err
		}
		// Parsed twice: Helm's parser has the last word, ours has errors with a
		// position and without values.
		if _, err := decode(name, data); err != nil {
			return nil, err
		}
		parsed, err := helmloader.LoadValues(bytes.NewReader(data))
		if err != nil {
			return nil, fault.New(fault.Invalid, "the values can't be read").Location(name).Hint("a values file is a map of names to values")
		}
		values = helmloader.MergeMaps(values, parsed)
	}
	return values, nil
}

func (l *loader) loadChart(dir string) (*chart.Chart, error) {
	files, err := l.chartFiles(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if path.Base(f.Name) == "Chart.yaml" || path.Base(f.Name) == "values.yaml" {
			if _, err := decode(path.Join(dir, f.Name), f.Data); err != nil {
				return nil, err
			}
		}
	}
	c, err := helmloader.LoadFiles(files)
	if err != nil {
		return nil, fault.New(fault.Invalid, "load the chart").Location(path.Join(dir, "Chart.yaml")).Cause(errors.New(redactParserMessage(summary(err)))).
			Hint("run `helm lint %s` for details", dir)
	}
	if c.Metadata.Type == "library" {
		return nil, fault.New(fault.Invalid, "the chart is a library chart, which renders no objects").Location(path.Join(dir, "Chart.yaml")).
			Hint("name a chart that depends on it")
	}
	if err := checkVendored(dir, c); err != nil {
		return nil, err
	}
	return c, nil
}

// chartFiles reads the chart's folder except for the files that .helmignore excludes.
func (l *loader) chartFiles(dir string) ([]*archive.BufferedFile, error) {
	rules := ignore.Empty()
	if name := path.Join(dir, ignore.HelmIgnore); l.source.exists(name) {
		data, err := l.source.readFile(name)
		if err != nil {
			return nil, err
		}
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, fault.New(fault.Invalid, "the patterns can't be read").Location(name).Cause(errors.New(summary(err)))
		}
	}
	rules.AddDefaults()
	var files []*archive.BufferedFile
	err := fs.WalkDir(l.source.root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return readError(name, err)
		}
		short := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		if dir == "." {
			short = name
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return readError(name, err)
		case name == dir:
			return nil
		case d.IsDir() && rules.Ignore(short, info):
			return fs.SkipDir
		case d.IsDir() || rules.Ignore(short, info):
			return nil
		}
		data, err := l.source.readFile(name)
		if err != nil {
			return err
		}
		files = append(files, &archive.BufferedFile{Name: short, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return files, nil
}

// checkVendored rejects a chart whose dependencies would have to be downloaded.
func checkVendored(dir string, c *chart.Chart) error {
	for _, d := range c.Metadata.Dependencies {
		if d == nil || slices.ContainsFunc(c.Dependencies(), func(have *chart.Chart) bool { return have.Name() == d.Name }) {
			continue
		}
		return fault.New(fault.Invalid, "the chart depends on %s, which is not in its charts folder", quoted(d.Name)).Location(path.Join(dir, "Chart.yaml")).
			Hint("run `helm dependency build %s` and commit %s/charts", dir, dir)
	}
	return nil
}

// executeTemplates renders the chart's templates. The result is keyed by the engine's
// names, "chart/templates/x.yaml".
func (l *loader) executeTemplates(dir string, c *chart.Chart, values map[string]any, redactor *redact.Redactor) (map[string]string, error) {
	if err := checkSchemaRefs(dir, c); err != nil {
		return nil, err
	}
	if err := checkTypeConflicts(dir, c, values); err != nil {
		return nil, err
	}
	if err := processDependencies(dir, c, values, redactor); err != nil {
		return nil, err
	}
	redactValues(redactor, c.Values) // with those of the subcharts
	caps, err := capabilities()
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: l.service, Namespace: "default", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValuesWithSchemaValidation(c, values, options, caps, true)
	if err != nil {
		return nil, fault.New(fault.Invalid, "merge the chart's values").Location(path.Join(dir, "Chart.yaml")).Cause(errors.New(truncate(redactor.Text(oneLine(err)))))
	}
	if err := validateValues(dir, c, all); err != nil {
		return nil, err
	}
	usedLookup := false
	texts, err := engine.Engine{CustomTemplateFuncs: deterministicFuncs(&usedLookup)}.Render(c, all)
	if err != nil {
		return nil, templateError(dir, err, redactor)
	}
	if usedLookup {
		l.notes = append(l.notes, fmt.Sprintf("chart %s calls lookup, which finds nothing: releases are rendered without a cluster", c.Name()))
	}
	return texts, nil
}

func capabilities() (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(minKubeVersion)
	if err != nil {
		return nil, fmt.Errorf("read version %s: %w", minKubeVersion, err)
	}
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = *version
	return caps, nil
}

var (
	parseErrorPattern = regexp.MustCompile(`^[a-z ]+ at \(([^():]+(?::\d+)*)\): `)
	execErrorPattern  = regexp.MustCompile(`^(?:template: )?([^\s:]+(?::\d+)+):? `)
	quotedTextPattern = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// templateError converts an error of the template engine, and moves its position to
// the front.
func templateError(dir string, err error, redactor *redact.Redactor) error {
	text := quotedTextPattern.ReplaceAllStringFunc(redactor.Text(oneLine(err)), func(q string) string {
		if len(q) > maxQuoteLength {
			return `"..."`
		}
		return q
	})
	location := dir
	for _, pattern := range []*regexp.Regexp{parseErrorPattern, execErrorPattern} {
		if match := pattern.FindStringSubmatch(text); match != nil {
			location, text = path.Join(dir, withoutChartName(match[1])), text[len(match[0]):]
			break
		}
	}
	return fault.New(fault.Invalid, "render the chart").Location(location).Cause(errors.New(truncate(text))).
		Hint("`helm template %s` with the same values reproduces the error", dir)
}
