// Command generate writes till rows with a planted signal as CSV: see data.Generate.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"example.com/retail/internal/atomicfile"
	"example.com/retail/internal/data"
)

type options struct {
	rows int
	seed uint64
	out  string
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(2)
	}
	if err := run(o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rows, "rows", 16000, "rows to write")
	flags.Uint64Var(&o.seed, "seed", 1, "the same seed and rows write the same file")
	flags.StringVar(&o.out, "out", "data/transactions.csv", "`file` to write")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.rows < 1 || flags.NArg() > 0 {
		return o, errors.New("usage: generate [-rows N] [-seed S] [-out FILE], N at least 1")
	}
	return o, nil
}

func run(o options, stderr io.Writer) error {
	var text bytes.Buffer
	if err := data.Generate(&text, o.rows, o.seed); err != nil {
		return fmt.Errorf("generate %d rows: %w", o.rows, err)
	}
	if err := atomicfile.Write(o.out, text.Bytes()); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "wrote %d generated rows (seed %d) to %s\n", o.rows, o.seed, o.out)
	return nil
}
