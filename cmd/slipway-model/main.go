// Command slipway-model runs in an init container: it copies the model from its
// own image to a volume, and refuses what is not the model that a release pins.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
)

func main() {
	if err := modelfiles.DropPrivileges(); err != nil {
		fmt.Fprintln(os.Stderr, "slipway-model:", err)
		os.Exit(1)
	}
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is 0 when the model is in its place, 1 when it is not, 2 for wrong usage.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	host, _ := os.Hostname() // none is a name, too
	c := modelfiles.Copy{Owner: host}
	set := flag.NewFlagSet("slipway-model", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&c.From, "from", "/model", "")
	set.StringVar(&c.To, "to", "/target", "")
	set.StringVar(&c.Digest, "digest", getenv("MODEL_DIGEST"), "")
	err := set.Parse(args)
	switch {
	case err == nil && set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	case err == nil && !modelfiles.ValidDigest(c.Digest):
		err = fmt.Errorf("invalid digest %q: set the model's digest with -digest or MODEL_DIGEST", c.Digest)
	}
	if err != nil {
		fmt.Fprintf(stderr, "slipway-model: %s; usage: slipway-model [-from FOLDER] [-to FOLDER] -digest sha256:...\n", line(err))
		return 2
	}
	n, err := c.Run()
	if err != nil {
		fmt.Fprintln(stderr, "slipway-model:", line(err))
		return 1
	}
	fmt.Fprintf(stdout, "slipway-model: copied %d bytes of model %s to %s\n", n, c.Digest, c.To)
	return 0
}

// line keeps what is said on one line.
func line(err error) string {
	if errors.Is(err, flag.ErrHelp) {
		return "copies a model out of its image"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
