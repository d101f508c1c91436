package shoutrrr

import "testing"

func TestPlain(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"ordinary", "run 7 in prod: failed: accuracy >= 0.8 (0.71 < 0.8), by ann@example.com", "run 7 in prod: failed: accuracy >= 0.8 (0.71 < 0.8), by ann@example.com"},
		{"Slack, everybody", "a <!channel> b <!here|x>", "a < !channel> b < !here|x>"},
		{"Slack, person and channel", "<@U01> <#C01>", "< @U01> < #C01>"},
		{"Slack, disguised link", "<https://evil.test|approve here>", "< https://evil.test|approve here>"},
		{"Discord and Mattermost", "@everyone @Here @all", "@ everyone @ Here @ all"},
		{"link of Markdown", "[approve](https://evil.test)", "[approve] (https://evil.test)"},
		{"link of HTML", `<a href="https://evil.test">x</a>`, `<a href="https://evil.test">x< /a>`},
		{"address", "see https://example.com/runs/7", "see https://example.com/runs/7"},
		{"control characters", "a\x1b[2Kb\u202ec", "abc"},
		{"names that begin alike", "@allan @hereford", "@allan @hereford"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plain(c.in); got != c.want {
				t.Errorf("plain(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}
