package git

import (
	"runtime"
	"strings"

	"github.com/slipway-cd/slipway/internal/environ"
)

// cleanEnviron returns the variables that git gets: those of all programs, and what git
// itself reads. GIT_DIR and others that redirect it are left out: in a git hook they
// name the repository of the hook. One that fetches also gets what its helpers sign in
// with.
func cleanEnviron(all []string, fetches bool) []string {
	kept := []string{"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"}
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		switch {
		case name == "LC_ALL" || name == "LANGUAGE" || name == "LANG":
		case environ.Inherits(name), strings.HasPrefix(name, "GIT_CONFIG"), isIn(ownVariables, name), fetches && isIn(fetchVariables, name):
			kept = append(kept, kv)
		}
	}
	return kept
}

// isIn reports whether a list has a name.
func isIn(list, name string) bool {
	for word := range strings.FieldsSeq(list) {
		if word == name {
			return true
		}
	}
	return false
}

const (
	// ownVariables are how git finds itself, a repository and, on Windows, its files.
	ownVariables = `
		GIT_CEILING_DIRECTORIES GIT_DISCOVERY_ACROSS_FILESYSTEM GIT_EXEC_PATH
		APPDATA COMSPEC HOMEDRIVE HOMEPATH LOCALAPPDATA PATHEXT PROGRAMDATA PROGRAMFILES SYSTEMDRIVE SYSTEMROOT TEMP TMP USERNAME USERPROFILE WINDIR`

	// fetchVariables are what ssh and the helpers for credentials read that people have
	// in their own configuration of git: gh, glab, those of AWS and Google, the desktop's.
	fetchVariables = `
		SSH_AUTH_SOCK SSH_AGENT_PID SSH_ASKPASS DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS GNUPGHOME GPG_TTY PASSWORD_STORE_DIR KRB5CCNAME
		GH_TOKEN GITHUB_TOKEN GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN GH_HOST GH_CONFIG_DIR GITLAB_TOKEN GLAB_CONFIG_DIR CI_JOB_TOKEN SYSTEM_ACCESSTOKEN
		GCM_CREDENTIAL_STORE GCM_PROVIDER GCM_INTERACTIVE GCM_CREDENTIAL_CACHE_OPTIONS GCM_PLAINTEXT_STORE_PATH
		AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
		AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN
		GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_CONFIG CLOUDSDK_CORE_ACCOUNT CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`
)
