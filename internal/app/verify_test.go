package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/port"
)

// crowded is a target where others run images, too.
type crowded struct {
	port.Target
	users []string
	err   error
}

func (c crowded) FindLatest(context.Context, string) ([]string, error) { return c.users, c.err }

// What runs the image by the tag latest is named, unless the file has the tag pushed.
func TestVerify_Latest(t *testing.T) {
	users := []string{"CronJob nightly", "Deployment batch"}
	for name, c := range map[string]struct {
		tags   []string
		target port.Target
		want   []string // beginnings
	}{
		"two":            {nil, crowded{users: users}, []string{"CronJob nightly runs mlops/api:latest, which", "Deployment batch runs mlops/api:latest, which"}},
		"other tags":     {[]string{"prod"}, crowded{users: users[:1]}, []string{"CronJob nightly"}},
		"pushed":         {[]string{"prod", "latest"}, crowded{users: users}, nil},
		"nobody":         {nil, crowded{}, nil},
		"not known":      {nil, crowded{err: errors.New("the cluster is away")}, []string{"who runs mlops/api:latest is not known: the cluster is away"}},
		"another target": {nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{project: config.Project{Image: config.Image{Tags: c.tags}}}
			got := s.latestNotes(t.Context(), c.target, "mlops/api")
			if !slices.EqualFunc(c.want, got, func(begin, note string) bool { return strings.HasPrefix(note, begin) }) {
				t.Errorf("notes %q, want %q", got, c.want)
			}
		})
	}
}
