package box

// Command is the internal command that makes a box, and initCommand its first process.
const (
	Command     = "boxed-command"
	initCommand = "boxed-init"
)

// MakerVariable is set in the environment of the makers of boxes alone, which make no
// other: a program that took the internal command for its own would start itself
// without an end.
const MakerVariable = "SLIPWAY_BOX_MAKER"

// Request is what the maker of a box reads from a pipe: it may hold secrets of the
// command.
type Request struct {
	Plan Plan     `json:"plan"`
	Args []string `json:"args"`
	Dir  string   `json:"dir"`
	Env  []string `json:"env"` // complete
}

// The open files of both processes, which the command does not get: but for the
// first, which becomes its file 3.
const (
	barrierFile = 3
	requestFile = 4
	statusFile  = 5 // a sandbox.Report, or nothing
)

// errorCode is how a process exits that could not make the box.
const errorCode = 125
