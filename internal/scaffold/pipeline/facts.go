package pipeline

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Facts are what a pipeline says about the service that it delivers.
type Facts struct {
	Repository Entry // of the image, without registry and tag
	Registry   Entry // host
	Cluster    Entry
	Namespace  Entry
	ModelGroup Entry
	Region     Entry
	Dockerfile Entry
	Context    Entry
	Manifests  []Entry
	Service    Entry // of Kubernetes
	Deployment Entry
	Health     Entry
}

var (
	dockerBuild  = regexp.MustCompile(`\bdocker(?:\s+buildx)?\s+build\s+(.*)$|\bbuildah\s+(?:bud|build)\s+(.*)$`)
	kubectlApply = regexp.MustCompile(`\bkubectl\b.*\bapply\b.*?(?:-f|--filename)[ =](\S+)`)
	applyKustom  = regexp.MustCompile(`\bkubectl\b.*\bapply\b.*?-k[ =](\S+)`)
	applyFile    = regexp.MustCompile(`(?:-f|--filename)[ =](\S+)`)
	serviceGet   = regexp.MustCompile(`\bkubectl\b.*\bget\s+(?:svc|service|services)\b(.*)$`)
	setImage     = regexp.MustCompile(`\bset image\s+(?:deploy|deployment|deployments)(?:\.apps)?/(\S+)`)
	assignment   = regexp.MustCompile(`^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=["']?([A-Za-z0-9._/-]+)["']?$`)
	imageName    = regexp.MustCompile(`^[a-z0-9]+(?:[._/-][a-z0-9]+)*$`)
)

// variableNames are the names that people give to what a slipway.yaml wants to have.
var variableNames = map[string][]string{
	"repository": {"ECR_REPOSITORY", "ECR_REPO", "IMAGE_NAME", "IMAGE_REPOSITORY", "REPOSITORY", "IMAGE", "DOCKER_IMAGE", "GAR_REPOSITORY"},
	"registry":   {"REGISTRY", "ECR_REGISTRY", "DOCKER_REGISTRY", "CONTAINER_REGISTRY"},
	"cluster":    {"EKS_CLUSTER_NAME", "EKS_CLUSTER", "CLUSTER_NAME", "GKE_CLUSTER", "AKS_CLUSTER", "CLUSTER", "KUBE_CONTEXT"},
	"namespace":  {"K8S_NAMESPACE", "KUBE_NAMESPACE", "NAMESPACE", "KUBERNETES_NAMESPACE"},
	"model":      {"MODEL_PACKAGE_GROUP", "MODEL_PACKAGE_GROUP_NAME", "MODEL_GROUP", "MODEL_NAME"},
	"region":     {"AWS_REGION", "AWS_DEFAULT_REGION", "REGION"},
	"account":    {"AWS_ACCOUNT_ID", "ACCOUNT_ID", "AWS_ACCOUNT"},
}

// Facts collects what the pipeline says.
func (p *Pipeline) Facts() Facts {
	f := Facts{
		Repository: p.variable("repository"), Registry: p.variable("registry"), Cluster: p.variable("cluster"),
		Namespace: p.variable("namespace"), ModelGroup: p.variable("model"), Region: p.variable("region"),
	}
	if account := p.variable("account"); f.Registry.Text == "" && account.Text != "" && f.Region.Text != "" {
		f.Registry = Entry{account.Text + ".dkr.ecr." + f.Region.Text + ".amazonaws.com", account.Line}
	}
	p.steps(func(j Job, s Step) { p.readStep(&f, s) })
	if !imageName.MatchString(f.Repository.Text) {
		f.Repository = Entry{}
	}
	return f
}

// variable finds a variable by one of the names that people give it.
func (p *Pipeline) variable(what string) Entry {
	for _, name := range variableNames[what] {
		if v, ok := p.Variable(name); ok && v.Value != "" && !strings.Contains(v.Value, "$") {
			return Entry{v.Value, v.Line}
		}
	}
	return Entry{}
}

func (p *Pipeline) readStep(f *Facts, s Step) {
	if strings.HasPrefix(s.Uses.Text, "docker/build-push-action@") {
		if v, ok := s.Parameter("context"); ok && f.Context.Text == "" {
			f.Context = Entry{v.Value, v.Line}
		}
		if v, ok := s.Parameter("file"); ok && f.Dockerfile.Text == "" {
			f.Dockerfile = Entry{v.Value, v.Line}
		}
	}
	own := map[string]string{}
	for _, l := range s.Lines {
		if m := assignment.FindStringSubmatch(l.Text); m != nil {
			own[m[1]] = m[2]
		}
		text, _ := p.Expand(l.Text)
		text = shellVariable.ReplaceAllStringFunc(text, func(m string) string {
			if v, ok := own[strings.Trim(m, "${}")]; ok {
				return v
			}
			return m
		})
		f.readLine(Entry{text, l.Line}, s.Dir)
	}
}

func (f *Facts) readLine(l Entry, dir string) {
	setOnce := func(to *Entry, text string) {
		if text = strings.Trim(text, `"'`); to.Text == "" && text != "" && !strings.Contains(text, "$") {
			*to = Entry{text, l.Line}
		}
	}
	if m := dockerBuild.FindStringSubmatch(l.Text); m != nil {
		file, context := buildArguments(m[1] + m[2])
		if context != "" {
			setOnce(&f.Context, path.Join(dir, context))
		}
		if file != "" {
			setOnce(&f.Dockerfile, path.Join(dir, file))
		} else if context != "" {
			setOnce(&f.Dockerfile, path.Join(dir, context, "Dockerfile"))
		}
	}
	if kubectlApply.MatchString(l.Text) {
		for _, m := range applyFile.FindAllStringSubmatch(l.Text, -1) {
			f.addManifest(path.Join(dir, strings.Trim(m[1], `"'`)), l.Line)
		}
	}
	if m := applyKustom.FindStringSubmatch(l.Text); m != nil {
		f.addManifest(path.Join(dir, strings.Trim(m[1], `"'`)), l.Line)
	}
	if m := serviceGet.FindStringSubmatch(l.Text); m != nil {
		setOnce(&f.Service, serviceArgument(m[1]))
	}
	if m := setImage.FindStringSubmatch(l.Text); m != nil {
		setOnce(&f.Deployment, m[1])
	}
	if m := healthPath.FindStringSubmatch(l.Text); m != nil && curlLine.MatchString(l.Text) && !strings.HasSuffix(m[1], ".sh") {
		setOnce(&f.Health, m[1])
	}
}

func (f *Facts) addManifest(file string, line int) {
	known := slices.ContainsFunc(f.Manifests, func(e Entry) bool { return e.Text == file })
	if known || strings.ContainsAny(file, "$<>|") || file == "-" || strings.Contains(file, "://") || strings.HasPrefix(file, "..") {
		return
	}
	f.Manifests = append(f.Manifests, Entry{file, line})
}

// serviceArgument finds the name among the arguments of kubectl get svc.
func serviceArgument(args string) string {
	words := strings.Fields(args)
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case slices.Contains([]string{"-n", "--namespace", "-o", "--output", "-l", "--selector", "--context"}, w):
			i++
		case strings.HasPrefix(w, "-"):
		default:
			return strings.Trim(w, `"');`)
		}
	}
	return ""
}

// buildArguments finds the Dockerfile and the context in the arguments of docker build.
func buildArguments(args string) (file, context string) {
	withValue := []string{"-t", "--tag", "--build-arg", "--target", "--platform", "--label", "--cache-from", "--cache-to", "--secret", "--network", "--progress", "--builder", "--output", "-o", "--ssh"}
	words := strings.Fields(args)
	for i := 0; i < len(words); i++ {
		w := words[i]
		name, value, inline := strings.Cut(w, "=")
		switch {
		case w == "-f" || w == "--file":
			if i++; i < len(words) {
				file = strings.Trim(words[i], `"'`)
			}
		case inline && (name == "-f" || name == "--file"):
			file = strings.Trim(value, `"'`)
		case slices.Contains(withValue, w):
			i++
		case strings.HasPrefix(w, "-"):
		case w == "&&" || w == ";" || w == "|" || w == "||":
			return file, context
		default:
			context = strings.Trim(w, `"'`)
		}
	}
	return file, context
}
