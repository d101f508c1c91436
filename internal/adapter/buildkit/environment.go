package buildkit

// The environment variables that say where BuildKit is, and what it may use.
const (
	HostVariable    = "BUILDKIT_HOST"        // address of a BuildKit: unix://, tcp://, docker-container://, kube-pod://, ssh://...
	TLSVariable     = "SLIPWAY_BUILDKIT_TLS" // folder with ca.pem, cert.pem and key.pem for a tcp:// address
	ProgramVariable = "SLIPWAY_BUILDKITD"    // the buildkitd to start; default: the one of PATH
	MirrorsVariable = "SLIPWAY_MIRRORS"      // docker.io=http://127.0.0.1:5000,... for the BuildKit that Slipway starts
	dockerVariable  = "DOCKER_HOST"          // of Docker's engine; default: its usual socket
	dockerSocket    = "/var/run/docker.sock" //
	agentVariable   = "SSH_AUTH_SOCK"        // of the SSH agent
)

// IdleCommand is the hidden command that the program has to handle, see
// StopWhenIdle.
const IdleCommand = "keep-buildkit"
