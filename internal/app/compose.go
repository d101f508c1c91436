package app

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	composePort     = 8000  // that a service without a port of its own gets
	composeHostPort = 18080 // where it is reached; one more for every replica
)

// composeFile runs a release as the local target does. exposed is the only port that its
// image exposes; 0: there is none, or more.
func composeFile(req port.DeployRequest, image string, exposed int) string {
	w, b := req.Release.Workload, &strings.Builder{}
	inside := composePort
	switch {
	case w.Port > 0:
		inside = w.Port
	case w.Port == 0 && exposed > 0:
		inside = exposed
	}
	env := map[string]string{
		"PORT": strconv.Itoa(inside), "SLIPWAY_RELEASE": string(req.ID), "SLIPWAY_ENVIRONMENT": string(req.Environment),
	}
	if m := req.Release.Model; m != nil {
		env["MODEL_PATH"], env["MODEL_VERSION"] = "/model", strconv.Itoa(m.Version)
	}
	for name, value := range w.Env {
		if _, own := env[name]; !own {
			env[name] = value
		}
	}
	replicas := max(1, w.Replicas)
	host := strconv.Itoa(composeHostPort)
	if replicas > 1 {
		host += "-" + strconv.Itoa(composeHostPort+replicas-1)
	}
	fmt.Fprintf(b, "# %s, release %s of %s as it was deployed.\n", req.Service, req.ID, req.Environment)
	fmt.Fprintf(b, "services:\n  %s:\n    image: %q # %s\n", req.Service, image, req.Release.Image.Digest)
	fmt.Fprintf(b, "    ports: [%q]\n    environment:\n", "127.0.0.1:"+host+":"+strconv.Itoa(inside))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(b, "      %s: %s\n", name, composeString(env[name]))
	}
	if len(w.Args) > 0 {
		args := make([]string, len(w.Args))
		for i, a := range w.Args {
			args[i] = composeString(a)
		}
		fmt.Fprintf(b, "    command: [%s]\n", strings.Join(args, ", "))
	}
	if req.Release.Model != nil {
		fmt.Fprintf(b, "    volumes: [\"./model:/model:ro\"] # %s, %s\n", req.Release.Model, req.Release.Model.Digest)
	}
	if !w.Writable {
		b.WriteString("    read_only: true\n    tmpfs: [/tmp]\n")
	}
	b.WriteString("    restart: unless-stopped\n")
	if w.Drain > 0 {
		fmt.Fprintf(b, "    stop_grace_period: %s\n", w.Drain.D())
	}
	b.WriteString(composeDeploy(w, replicas))
	return b.String()
}

func composeDeploy(w delivery.Workload, replicas int) string {
	var limits []string
	if w.CPU > 0 {
		limits = append(limits, fmt.Sprintf("cpus: %q", strconv.FormatFloat(w.CPU, 'f', -1, 64)))
	}
	if w.Memory > 0 {
		limits = append(limits, fmt.Sprintf("memory: \"%d\"", w.Memory))
	}
	text := fmt.Sprintf("    deploy:\n      replicas: %d\n", replicas)
	if len(limits) > 0 {
		text += "      resources: {limits: {" + strings.Join(limits, ", ") + "}}\n"
	}
	return text
}

var referencePattern = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// references are the variables that values refer to as ${NAME}.
func references(env map[string]string) []string {
	var found []string
	for _, v := range env {
		found = append(found, extension.References(v)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// composeString quotes a text for Compose, which expands $ but for ${NAME}, as Slipway
// does.
func composeString(text string) string {
	var b strings.Builder
	rest := text
	for rest != "" {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			break
		}
		b.WriteString(rest[:i])
		if m := referencePattern.FindString(rest[i:]); m != "" && strings.HasPrefix(rest[i:], m) {
			b.WriteString(m)
			rest = rest[i+len(m):]
			continue
		}
		b.WriteString("$$")
		rest = rest[i+1:]
	}
	b.WriteString(rest)
	return strconv.Quote(b.String())
}
