package app

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

type composeDocument struct {
	Services map[string]struct {
		Image       string
		Ports       []string
		Environment map[string]string
		Command     []string
		Volumes     []string
		ReadOnly    bool   `yaml:"read_only"`
		Grace       string `yaml:"stop_grace_period"`
		Deploy      struct {
			Replicas  int
			Resources struct{ Limits map[string]string }
		}
	}
}

// The Compose file runs a release as the local target does.
func TestComposeFile(t *testing.T) {
	req := port.DeployRequest{Service: "api", Environment: "prod", ID: "r-0123456789ab", Release: delivery.Release{
		Image: delivery.Image{Repository: "api", Digest: delivery.DigestOf([]byte("x"))},
		Model: &delivery.ModelRef{Group: "prices", Version: 7, Digest: delivery.DigestOf([]byte("m"))},
		Workload: delivery.Workload{
			Replicas: 2, Env: map[string]string{"LEVEL": "info", "COST": "5$", "KEY": "${API_KEY}", "QUOTED": "a\"b: #c"}, Args: []string{"-v", "a b"},
			CPU: 0.5, Memory: 256 << 20, Health: "/health", Port: 8001, Drain: delivery.Duration(5 * time.Second),
		},
	}}
	var got composeDocument
	text := composeFile(req, "api:r-0123456789ab", 0)
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s := got.Services["api"]
	if s.Image != "api:r-0123456789ab" || !s.ReadOnly || s.Grace != "5s" || s.Deploy.Replicas != 2 || !strings.Contains(text, string(req.Release.Image.Digest)) {
		t.Errorf("the service is\n%s", text)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"ports", s.Ports, []string{"127.0.0.1:18080-18081:8001"}},
		{"environment", s.Environment, map[string]string{
			"LEVEL": "info", "COST": "5$$", "KEY": "${API_KEY}", "QUOTED": "a\"b: #c", "MODEL_PATH": "/model", "MODEL_VERSION": "7", "PORT": "8001",
			"SLIPWAY_ENVIRONMENT": "prod", "SLIPWAY_RELEASE": "r-0123456789ab",
		}},
		{"command", s.Command, []string{"-v", "a b"}},
		{"volumes", s.Volumes, []string{"./model:/model:ro"}},
		{"limits", s.Deploy.Resources.Limits, map[string]string{"cpus": "0.5", "memory": "268435456"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if diff := cmp.Diff([]string{"API_KEY"}, references(req.Release.Workload.Env)); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

// The port is the configured one, or else the only one that the image exposes.
func TestComposeFile_Port(t *testing.T) {
	for name, c := range map[string]struct {
		configured, exposed int
		want                string
	}{
		"configured":         {9000, 8000, `"127.0.0.1:18080:9000"`},
		"exposed":            {0, 5000, `"127.0.0.1:18080:5000"`},
		"neither":            {0, 0, `"127.0.0.1:18080:8000"`},
		"whatever PORT says": {delivery.AnyPort, 5000, `"127.0.0.1:18080:8000"`},
	} {
		t.Run(name, func(t *testing.T) {
			req := port.DeployRequest{Service: "api", Release: delivery.Release{Workload: delivery.Workload{Port: c.configured, Writable: true}}}
			text := composeFile(req, "api:1", c.exposed)
			if !strings.Contains(text, c.want) || strings.Contains(text, "read_only") {
				t.Errorf("want %s and no read_only in:\n%s", c.want, text)
			}
		})
	}
}
