package mlflow

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (f *fakeServer) createModel(in map[string]any) (any, *refusal) {
	name := text(in, "name")
	switch {
	case f.models[name] != nil:
		return nil, &refusal{400, codeExists, "model exists"}
	case name == "" || strings.ContainsAny(name, "/:"):
		return nil, invalid("model name")
	}
	f.models[name] = &fakeModel{aliases: map[string]int{}}
	return map[string]any{}, nil
}

func (f *fakeServer) getModel(in map[string]any) (any, *refusal) {
	m := f.models[text(in, "name")]
	if m == nil {
		return nil, missing("model")
	}
	var aliases []map[string]any
	for alias, version := range m.aliases {
		aliases = append(aliases, map[string]any{"alias": alias, "version": strconv.Itoa(version)})
	}
	return map[string]any{"registered_model": map[string]any{"aliases": aliases}}, nil
}

func (f *fakeServer) findVersion(in map[string]any) (*fakeModel, *modelVersion, *refusal) {
	m := f.models[text(in, "name")]
	n, _ := strconv.Atoi(text(in, "version"))
	if m == nil || n < 1 || n > len(m.versions) || m.versions[n-1] == nil {
		return nil, nil, missing("version")
	}
	return m, m.versions[n-1], nil
}

func (f *fakeServer) setAlias(in map[string]any) (any, *refusal) {
	m, v, err := f.findVersion(in)
	if err == nil {
		m.aliases[text(in, "alias")] = int(v.Version)
	}
	return map[string]any{}, err
}

func (f *fakeServer) deleteAlias(in map[string]any) (any, *refusal) {
	if m := f.models[text(in, "name")]; m != nil {
		delete(m.aliases, text(in, "alias"))
	}
	return map[string]any{}, nil
}

func (f *fakeServer) createVersion(in map[string]any) (any, *refusal) {
	m := f.models[text(in, "name")]
	if m == nil {
		return nil, missing("model")
	}
	if u, err := url.Parse(text(in, "source")); err != nil || !strings.HasPrefix(u.Path, "/") {
		return nil, invalid("source")
	}
	v := &modelVersion{
		Name: text(in, "name"), Version: integer(len(m.versions) + 1), RunID: text(in, "run_id"),
		Created: integer(time.Now().UnixMilli()), Tags: decode[[]keyValue](in["tags"]),
	}
	m.versions = append(m.versions, v)
	return map[string]any{"model_version": m.wire(v, true)}, nil
}

func (m *fakeModel) wire(v *modelVersion, withAliases bool) map[string]any {
	out := map[string]any{
		"name": v.Name, "version": strconv.Itoa(int(v.Version)), "creation_timestamp": int64(v.Created), "run_id": v.RunID, "tags": v.Tags,
	}
	var aliases []string
	for alias, n := range m.aliases {
		if n == int(v.Version) && withAliases {
			aliases = append(aliases, alias)
		}
	}
	out["aliases"] = aliases
	return out
}

func (f *fakeServer) getVersion(in map[string]any) (any, *refusal) {
	m, v, err := f.findVersion(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"model_version": m.wire(v, true)}, nil
}

func (f *fakeServer) searchVersions(in map[string]any) (any, *refusal) {
	filter := text(in, "filter")
	parts := nameFilter.FindStringSubmatch(filter)
	if filter != "" && parts == nil {
		return nil, invalid("filter")
	}
	all := []any{}
	for name, m := range f.models {
		for _, v := range m.versions {
			if v == nil || parts != nil && parts[1] != name {
				continue
			}
			if parts != nil && parts[2] != "" {
				if key, value, ok := parseTag(parts[2]); !ok || v.tag(key) != value {
					continue
				}
			}
			all = append(all, m.wire(v, false))
		}
	}
	size, _ := strconv.Atoi(text(in, "max_results"))
	from, _ := strconv.Atoi(text(in, "page_token"))
	out := map[string]any{"model_versions": all[from:min(len(all), from+size)]}
	if from+size < len(all) {
		out["next_page_token"] = strconv.Itoa(from + size)
	}
	return out, nil
}

func (f *fakeServer) setTag(in map[string]any) (any, *refusal) {
	_, v, err := f.findVersion(in)
	if err != nil {
		return nil, err
	}
	v.Tags = slices.DeleteFunc(v.Tags, func(kv keyValue) bool { return kv.Key == text(in, "key") })
	v.Tags = append(v.Tags, keyValue{text(in, "key"), text(in, "value")})
	return map[string]any{}, nil
}

func (f *fakeServer) deleteVersion(in map[string]any) (any, *refusal) {
	m, v, err := f.findVersion(in)
	if err == nil {
		m.versions[v.Version-1] = nil
	}
	return map[string]any{}, err
}
