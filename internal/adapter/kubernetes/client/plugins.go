package client

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
)

// checkPlugins refuses a kubeconfig that comes with the repository and runs a program, or
// sends a file, to get credentials: everybody who writes to the repository would run
// programs with the rights of those who look at what is deployed. The context and the
// path of the kubeconfig are empty for the defaults.
func checkPlugins(repository, path, context string, loader clientcmd.ClientConfig) error {
	raw, err := loader.RawConfig()
	if err != nil {
		return nil //nolint:nilerr // reported where it is used
	}
	current, ok := raw.Contexts[cmp.Or(context, raw.CurrentContext)]
	if !ok {
		return nil
	}
	user, ok := raw.AuthInfos[current.AuthInfo]
	if !ok {
		return nil
	}
	what := pluginOf(user)
	if what == "" || repository == "" || user.LocationOfOrigin == "" {
		return nil
	}
	why := distrust(repository, user.LocationOfOrigin, path != "")
	if why == "" {
		return nil
	}
	return fault.New(fault.Denied, "use the kubeconfig %s: user %q %s, and the file %s", user.LocationOfOrigin, current.AuthInfo, what, why).
		Hint("keep it outside of the repository and name it in $KUBECONFIG, or put a token or a client certificate into it")
}

// pluginOf describes where a user's credentials come from, if that is not the kubeconfig.
func pluginOf(user *api.AuthInfo) string {
	switch {
	case user.Exec != nil:
		return "runs the program " + user.Exec.Command
	case user.AuthProvider != nil:
		return "uses the plugin " + user.AuthProvider.Name
	case user.TokenFile != "":
		return "sends the content of " + user.TokenFile
	}
	return ""
}

// distrust returns why a file must not choose what is run; empty: it may. One that
// $KUBECONFIG names was chosen by the user.
func distrust(project, path string, bySection bool) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return "can't be located"
	}
	if repository := repositoryOf(project); filetrust.Controls(repository, path) {
		return "is in the repository " + repository
	}
	if _, foreign := filetrust.Foreign(path); bySection && foreign {
		return "belongs to another user"
	}
	return ""
}

// repositoryOf returns the repository that a folder is part of, or the folder itself.
// Submodules come with the repository around them.
func repositoryOf(folder string) string {
	top := folder
	for dir := folder; ; dir = filepath.Dir(dir) {
		git := filepath.Join(dir, ".git")
		if info, err := os.Lstat(git); err == nil {
			if top = dir; info.IsDir() {
				return top
			}
			if link, err := os.ReadFile(git); err != nil || !strings.Contains(string(link), "/modules/") {
				return top
			}
		}
		if dir == filepath.Dir(dir) {
			return top
		}
	}
}
