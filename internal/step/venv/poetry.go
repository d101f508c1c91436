package venv

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/slipway-cd/slipway/internal/fault"
)

// poetryLock is poetry.lock, of lock version 1.1 to 2.1.
type poetryLock struct {
	Packages []poetryPackage `toml:"package"`
	Metadata struct {
		LockVersion string                  `toml:"lock-version"`
		Files       map[string][]poetryFile `toml:"files"` // 1.1
	} `toml:"metadata"`
}

type poetryPackage struct {
	Name         string         `toml:"name"`
	Version      string         `toml:"version"`
	Optional     bool           `toml:"optional"` // only with an extra of the project
	Groups       []string       `toml:"groups"`   // since 2.1
	Markers      any            `toml:"markers"`  // since 2.1: for all groups, or by group
	Files        []poetryFile   `toml:"files"`
	Dependencies map[string]any `toml:"dependencies"`
	Source       struct {
		Type string `toml:"type"`
		URL  string `toml:"url"`
	} `toml:"source"`
}

type poetryFile struct {
	Hash string `toml:"hash"`
}

// readPoetry reads the packages that `poetry install --no-root` installs: those of
// all groups that are not optional.
func readPoetry(text, pyproject []byte) (locked, error) {
	var lock poetryLock
	if err := toml.Unmarshal(text, &lock); err != nil {
		return locked{}, err
	}
	project, err := readPoetryProject(pyproject)
	if err != nil {
		return locked{}, fmt.Errorf("read pyproject.toml: %w", err)
	}
	conditionOf, err := lock.conditions(project)
	if err != nil {
		return locked{}, err
	}
	var out locked
	var urls []string
	for _, p := range lock.Packages {
		c := conditionOf(p)
		if p.Optional || c == nil {
			continue
		}
		l := lockedPackage{name: p.Name, version: p.Version, markers: c.markers()}
		switch p.Source.Type {
		case "":
		case "legacy":
			urls = append(urls, p.Source.URL)
		case "url":
			l.url = p.Source.URL
		case "git":
			return out, notLockable(p.Name, "git")
		default: // directory, file
			return out, notLockable(p.Name, "the repository")
		}
		files := p.Files
		if len(files) == 0 {
			files = lock.Metadata.Files[p.Name]
		}
		for _, f := range files {
			l.hashes = append(l.hashes, f.Hash)
		}
		out.packages = append(out.packages, l)
	}
	out.indexes, err = indexLines(urls, false)
	return out, err
}

// conditions returns the function that gives the condition of a package; nil for one
// that is not installed. Poetry writes them since lock version 2.1; before, they
// follow from what depends on it.
func (l poetryLock) conditions(project poetryProject) (func(poetryPackage) *condition, error) {
	major, minor, _ := strings.Cut(l.Metadata.LockVersion, ".")
	switch {
	case major == "2" && minor != "0":
		return func(p poetryPackage) *condition { return p.recordedCondition(project.optional) }, nil
	case major == "1" || major == "2":
		edges := l.edges(project)
		return func(p poetryPackage) *condition { return edges[normalName(p.Name)] }, nil
	}
	return nil, fault.New(fault.Invalid, "unsupported lock version %q", l.Metadata.LockVersion).
		Hint("lock with a version of Poetry that writes lock version 2.1, or export a requirements file: `poetry export`")
}

// recordedCondition is that of the groups that are installed.
func (p poetryPackage) recordedCondition(optional []string) *condition {
	var c *condition
	for _, group := range p.Groups {
		if slices.Contains(optional, group) {
			continue
		}
		if c == nil {
			c = &condition{}
		}
		text, _ := p.Markers.(string)
		if byGroup, ok := p.Markers.(map[string]any); ok {
			text, _ = byGroup[group].(string)
		}
		c.add(text)
	}
	return c
}

// condition is when a package is needed: always, or under one of several markers.
type condition struct {
	always bool
	any    []string
}

func (c *condition) add(markers string) {
	if markers == "" {
		c.always = true
	} else if !slices.Contains(c.any, markers) {
		c.any = append(c.any, markers)
	}
}

func (c *condition) markers() string {
	switch {
	case c.always || len(c.any) == 0:
		return ""
	case len(c.any) == 1:
		return c.any[0]
	}
	return "(" + strings.Join(c.any, ") or (") + ")"
}

// edges collects the conditions under which the project, and what it depends on,
// depend on each package. A package that nothing depends on is not installed.
func (l poetryLock) edges(project poetryProject) map[string]*condition {
	depends := map[string]map[string]any{}
	for _, p := range l.Packages {
		depends[normalName(p.Name)] = p.Dependencies
	}
	out := map[string]*condition{}
	var next []string
	add := func(name string, dependency any) {
		name = normalName(name)
		if out[name] == nil {
			out[name] = &condition{}
			next = append(next, name)
		}
		for _, markers := range dependencyMarkers(dependency) {
			out[name].add(markers)
		}
	}
	for _, d := range project.dependencies {
		add(d.name, d.value)
	}
	for len(next) > 0 {
		name := next[0]
		next = next[1:]
		for _, needed := range slices.Sorted(maps.Keys(depends[name])) {
			add(needed, depends[name][needed])
		}
	}
	return out
}

var (
	extraAfter  = regexp.MustCompile(`\s+and\s+extra\s*==\s*["'][^"']*["']`)
	extraBefore = regexp.MustCompile(`extra\s*==\s*["'][^"']*["']\s+and\s+`)
)

// dependencyMarkers lists the markers of one dependency: "" is none. That an extra
// was requested is certain, since the package is in the lock.
func dependencyMarkers(dependency any) []string {
	var out []string
	switch d := dependency.(type) {
	case map[string]any:
		text, _ := d["markers"].(string)
		text = extraBefore.ReplaceAllString(extraAfter.ReplaceAllString(text, ""), "")
		if strings.Contains(text, "extra") {
			text = ""
		}
		out = append(out, text)
	case []any:
		for _, one := range d {
			out = append(out, dependencyMarkers(one)...)
		}
	case []map[string]any:
		for _, one := range d {
			out = append(out, dependencyMarkers(one)...)
		}
	default:
		out = append(out, "")
	}
	return out
}

// poetryProject is what is read of pyproject.toml.
type poetryProject struct {
	dependencies []projectDependency
	optional     []string // groups that are not installed by default
}

type projectDependency struct {
	name  string
	value any
}

var namePart = regexp.MustCompile(`^[A-Za-z0-9._-]+`)

func readPoetryProject(text []byte) (poetryProject, error) {
	var file struct {
		Project struct {
			Dependencies []string `toml:"dependencies"`
		} `toml:"project"`
		Tool struct {
			Poetry struct {
				Dependencies map[string]any `toml:"dependencies"`
				Dev          map[string]any `toml:"dev-dependencies"`
				Group        map[string]struct {
					Optional     bool           `toml:"optional"`
					Dependencies map[string]any `toml:"dependencies"`
				} `toml:"group"`
			} `toml:"poetry"`
		} `toml:"tool"`
	}
	if err := toml.Unmarshal(text, &file); err != nil {
		return poetryProject{}, err
	}
	var out poetryProject
	addAll := func(all map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			out.dependencies = append(out.dependencies, projectDependency{name, all[name]})
		}
	}
	for _, spec := range file.Project.Dependencies {
		name, markers, _ := strings.Cut(spec, ";")
		d := projectDependency{name: namePart.FindString(strings.TrimSpace(name)), value: map[string]any{"markers": strings.TrimSpace(markers)}}
		out.dependencies = append(out.dependencies, d)
	}
	addAll(file.Tool.Poetry.Dependencies)
	addAll(file.Tool.Poetry.Dev)
	for _, name := range slices.Sorted(maps.Keys(file.Tool.Poetry.Group)) {
		group := file.Tool.Poetry.Group[name]
		if group.Optional {
			out.optional = append(out.optional, name)
			continue
		}
		addAll(group.Dependencies)
	}
	return out, nil
}
