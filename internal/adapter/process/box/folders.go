package box

// The written plan: what commands see of a machine besides its read-only file systems.
var (
	// scratchFolders are empty and in memory.
	scratchFolders = []string{"/tmp", "/var/tmp", "/run", "/var/run"}

	// homeFolders hold the homes of all users: keys, tokens, configurations with them.
	homeFolders = []string{"/root", "/home"}

	// systemFolders are never hidden, whatever a variable or a repository says.
	systemFolders = []string{"/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/nix", "/opt", "/proc", "/sbin", "/sys", "/usr", "/usr/local", "/var"}

	// systemFiles are those below /run without which names can't be looked up, drivers
	// of GPUs don't work, or a system has no programs (NixOS).
	systemFiles = []string{
		"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf", "/run/connman", "/run/nscd",
		"/run/nvidia", "/run/nvidia-persistenced", "/run/opengl-driver", "/run/opengl-driver-32", "/run/current-system",
	}

	// cacheFolders of the command's home are kept from run to run, for each project and
	// class of trust. The user's own are not there: a pull request could change what
	// later runs, and other projects, find in them.
	cacheFolders = []string{".cache", "go", ".npm", ".m2", ".gradle", ".cargo/registry", ".cargo/git", ".conda/pkgs", ".nuget"}

	// cachedTools are folders of tools into which commands install, too: a cache if the
	// user has none.
	cachedTools = []string{".local/share/uv"}

	// toolFolders are installed programs below the user's home, without what is
	// configured there.
	toolFolders = []string{
		".local/bin", ".local/lib", ".local/pipx", ".local/share/fnm", ".local/share/hatch", ".local/share/mise", ".local/share/pipx",
		".local/share/pnpm", ".local/share/pypoetry", ".local/share/uv", ".local/share/virtualenvs",
		".asdf", ".bun/bin", ".cargo/bin", ".deno/bin", ".dotnet", ".goenv", ".jenv", ".nvm", ".pyenv", ".rbenv", ".rustup", ".sdkman", ".volta",
		"anaconda3", "mambaforge", "micromamba", "miniconda3", "miniforge3", ".conda/envs", "go/bin", "sdk",
	}

	// programFolders are the names of folders whose parent is an installation;
	// sharedFolders those parents, below the home, that hold more than that.
	programFolders = []string{"bin", "condabin", "sbin", "shims"}
	sharedFolders  = []string{"", ".local", ".cargo", ".bun", ".deno", "go"}

	// toolVariables name folders of tools, and folderVariables folders to write to.
	toolVariables   = []string{"CONDA_PREFIX", "CONDA_ROOT", "CUDA_HOME", "CUDA_PATH", "GOROOT", "JAVA_HOME", "PYTHONHOME", "VIRTUAL_ENV"}
	folderVariables = []string{
		"CONDA_PKGS_DIRS", "CUDA_CACHE_PATH", "GOCACHE", "GOMODCACHE", "GOPATH", "GOTMPDIR", "PIP_CACHE_DIR", "PYTHONPYCACHEPREFIX", "TMPDIR",
		"UV_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
	}

	// devices are patterns below /dev of what training computes on.
	devices = []string{"nvidia*", "dri", "kfd", "dxg", "accel", "infiniband"}
)

// homeInstead is the command's home where the user has none that could be hidden.
const homeInstead = "/tmp/home"
