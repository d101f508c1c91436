package scaffold

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

// environment is an entry of environments, as YAML.
type environment struct{ Name, Spec, Source string }

// cluster is where a pipeline deploys to.
type cluster struct {
	Context, Namespace, Registry string
	Manifests                    []string
	Source                       string
}

// importPipeline takes from a pipeline what it says about the service, before the
// repository is asked for the rest.
func (s *repoInfo) importPipeline() {
	p := s.from
	f := p.Facts()
	at := func(e pipeline.Entry) string { return p.At(e.Line) }
	if f.Deployment.Text != "" {
		s.Service = serviceName(f.Deployment.Text)
		s.note("service", s.Service, at(f.Deployment))
	}
	if f.Repository.Text != "" {
		s.Repository, s.RepositoryAt = f.Repository.Text, at(f.Repository)
		s.note("image.repository", s.Repository, s.RepositoryAt)
	}
	if group := modelGroup(f.ModelGroup.Text); group != "" {
		s.Group, s.GroupAt = group, at(f.ModelGroup)
		s.note("model.group", group, s.GroupAt)
	}
	if f.Health.Text != "" {
		s.Health, s.HealthAt = f.Health.Text, at(f.Health)
		s.note("deploy.health", s.Health, s.HealthAt)
	}
	for _, e := range p.On.PathsIgnore {
		if strings.HasPrefix(e.Text, "!") {
			s.lack("%s: %q takes files back, which source.ignore can't", at(e), e.Text)
			continue
		}
		s.Ignore = append(s.Ignore, fmt.Sprintf("%q", e.Text))
		s.note("source.ignore", e.Text, at(e))
	}
	s.importCluster(f)
	s.importEnvironments()
	for _, in := range p.On.Inputs {
		s.Inputs = append(s.Inputs, in.Name+" is "+flagFor(in.Name))
	}
}

var groupCharacters = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)

func modelGroup(name string) string {
	if name = strings.ToLower(name); groupCharacters.MatchString(name) && len(name) <= 100 {
		return name
	}
	return ""
}

// importCluster keeps what is needed to deploy to the pipeline's own cluster.
func (s *repoInfo) importCluster(f pipeline.Facts) {
	p := s.from
	for _, m := range f.Manifests {
		if !s.repo.has(m.Text) {
			s.lack("%s applies %s, which is not in the repository", p.At(m.Line), m.Text)
			continue
		}
		s.Cluster.Manifests = append(s.Cluster.Manifests, m.Text)
		s.note("deploy.manifests", m.Text, p.At(m.Line))
	}
	if f.Service.Text != "" {
		s.KubeService = f.Service.Text
		s.note("deploy.manifests", "Service "+f.Service.Text, p.At(f.Service.Line))
	}
	s.Cluster.Context, s.Cluster.Namespace, s.Cluster.Registry = f.Cluster.Text, f.Namespace.Text, f.Registry.Text
	if f.Cluster.Text != "" {
		s.Cluster.Source = p.At(f.Cluster.Line)
		s.note("environments.prod.target", "cluster "+f.Cluster.Text+", namespace "+cmp.Or(f.Namespace.Text, "default"), s.Cluster.Source)
	}
}

// importEnvironments makes an environment of every branch, and one for pull requests.
func (s *repoInfo) importEnvironments() {
	on := s.from.On
	if len(on.PullRequest) > 0 || on.OnPullRequest > 0 {
		branches, line := s.branchList(on.PullRequest), on.OnPullRequest
		s.addEnvironment("dev", fmt.Sprintf("{on: {pull_request: %s}, until: build}", branches), s.from.At(line))
	}
	taken := map[string][]pipeline.Entry{}
	var names []string
	for _, b := range on.Push {
		name := environmentFor(b.Text)
		if strings.HasPrefix(b.Text, "!") || name == "" {
			s.lack("%s: the branches %q become no environment: add one by hand", s.from.At(b.Line), b.Text)
			continue
		}
		if taken[name] == nil {
			names = append(names, name)
		}
		taken[name] = append(taken[name], b)
	}
	slices.SortStableFunc(names, func(a, b string) int { return environmentOrder(a) - environmentOrder(b) })
	for _, name := range names {
		target := "target: {local: {}}"
		if name == "prod" {
			target = "target: {local: {port: 18080}}, bake: 30s"
		}
		push := "push: " + s.branchList(taken[name])
		if name == "prod" && len(on.Tags) > 0 {
			push += ", tag: " + s.branchList(on.Tags)
		}
		s.addEnvironment(name, fmt.Sprintf("{on: {%s}, %s}", push, target), s.from.At(taken[name][0].Line))
	}
	if !slices.Contains(names, "prod") {
		s.addProduction()
	}
	for _, e := range on.Schedules {
		s.note("environments", "start by schedule "+e.Text+": `slipway run --env prod --retrain` in a cron job", s.from.At(e.Line))
	}
}

// addProduction adds the environment where no branch of the pipeline is it: its tags are,
// or the branch that people merge to.
func (s *repoInfo) addProduction() {
	on, source := "push: "+yamlString(s.Branch), ""
	if tags := s.from.On.Tags; len(tags) > 0 {
		on, source = "tag: "+s.branchList(tags), s.from.At(tags[0].Line)
	}
	s.addEnvironment("prod", fmt.Sprintf("{on: {%s}, target: {local: {port: 18080}}, bake: 30s}", on), source)
}

func (s *repoInfo) addEnvironment(name, spec, source string) {
	s.Environments = append(s.Environments, environment{name, spec, source})
	if source != "" {
		s.note("environments."+name, spec, source)
	}
}

func (s *repoInfo) branchList(all []pipeline.Entry) string {
	var out []string
	for _, b := range all {
		if !strings.HasPrefix(b.Text, "!") {
			out = append(out, yamlString(b.Text))
		}
	}
	switch len(out) {
	case 0:
		return yamlString(s.Branch)
	case 1:
		return out[0]
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// environmentFor is the environment that people deploy a branch to.
func environmentFor(branch string) string {
	switch branch {
	case "main", "master", "production", "prod", "trunk", "release":
		return "prod"
	case "develop", "development", "dev", "staging", "stage":
		return "staging"
	}
	name := strings.Trim(invalidNameChars.ReplaceAllString(strings.ToLower(branch), "-"), "-")
	if name == "" || len(name) > 40 || yamlKeywords[name] {
		return ""
	}
	return name
}

func environmentOrder(name string) int { return slices.Index([]string{"staging", "prod"}, name) }

// flagFor is the option of slipway run that an input of a workflow stands for.
func flagFor(input string) string {
	name := strings.ToLower(strings.ReplaceAll(input, "-", "_"))
	switch {
	case strings.Contains(name, "deploy_only"), strings.Contains(name, "skip_train"):
		return "--deploy-only"
	case strings.Contains(name, "train"):
		return "--retrain"
	case strings.Contains(name, "env"), name == "stage", name == "target":
		return "--env"
	case strings.Contains(name, "model"):
		return "--model"
	case strings.Contains(name, "rebuild"), strings.Contains(name, "no_cache"):
		return "--rebuild"
	}
	return "not an option of slipway run"
}

// policyFlaws looks into the JSON files of the repository for policies of the role that
// the pipeline takes.
func (s *repoInfo) policyFlaws() []pipeline.Flaw {
	var out []pipeline.Flaw
	for _, f := range s.repo.files {
		if path.Ext(f) == ".json" && strings.Contains(s.repo.text(f), `"Statement"`) {
			out = append(out, pipeline.PolicyFlaws(f, []byte(s.repo.text(f)))...)
		}
	}
	return out
}

// allPipelines are the one that the file is made from, and the repository's own.
func (s *repoInfo) allPipelines() []*pipeline.Pipeline {
	if s.from == nil {
		return s.pipelines
	}
	return append([]*pipeline.Pipeline{s.from}, s.pipelines...)
}
