package delivery

import "testing"

func TestRepository(t *testing.T) {
	for reference, want := range map[string][3]string{ // repository, host, qualified
		"api":                        {"api", "", "docker.io/library/api"},
		"api:1":                      {"api", "", "docker.io/library/api"},
		"mlops/api@sha256:00":        {"mlops/api", "", "docker.io/mlops/api"},
		"localhost/api:1":            {"localhost/api", "localhost", "localhost/api"},
		"localhost:5000/api":         {"localhost:5000/api", "localhost:5000", "localhost:5000/api"},
		"r.example.com/a/b:1@sha256": {"r.example.com/a/b", "r.example.com", "r.example.com/a/b"},
		"r.example.com":              {"r.example.com", "", "docker.io/library/r.example.com"},
	} {
		repository := RepositoryOf(reference)
		host, _ := SplitRepository(repository)
		if got := [3]string{repository, host, QualifyRepository(repository)}; got != want {
			t.Errorf("%s: %q, want %q", reference, got, want)
		}
	}
}
