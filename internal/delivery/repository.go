package delivery

import "strings"

// SplitRepository splits the name of an image repository into the host of its registry
// and the rest. The first part is a host if it has a dot or a colon or is "localhost", as
// everywhere; without one, the host is empty.
func SplitRepository(name string) (host, path string) {
	first, rest, deeper := strings.Cut(name, "/")
	if deeper && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return first, rest
	}
	return "", name
}

// RepositoryOf returns the repository of an image reference as it is written there:
// without its tag and its digest.
func RepositoryOf(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	if tag := strings.LastIndex(name, ":"); tag > strings.LastIndex(name, "/") {
		name = name[:tag]
	}
	return name
}

// QualifyRepository returns the repository with the host that a name without one means to
// those who pull it: Docker Hub.
func QualifyRepository(name string) string {
	switch host, _ := SplitRepository(name); {
	case host != "":
		return name
	case strings.Contains(name, "/"):
		return "docker.io/" + name
	}
	return "docker.io/library/" + name
}
