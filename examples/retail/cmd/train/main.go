// Command train fits the model on the training baskets of a data file and writes
// it as model.json: see package train.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example.com/retail/internal/data"
	"example.com/retail/internal/model"
	"example.com/retail/internal/train"
)

type options struct {
	data, out string
	l2        float64
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(2)
	}
	if err := run(o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("train", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.data, "data", "", "`file` of till rows, CSV with dunnhumby's 22 columns")
	flags.StringVar(&o.out, "out", "", "`folder` to write model.json to")
	flags.Float64Var(&o.l2, "l2", train.DefaultL2, "strength of the regularisation, above 0: more is simpler")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.data == "" || o.out == "" || !(o.l2 > 0) || flags.NArg() > 0 {
		return o, errors.New("usage: train -data FILE -out DIR [-l2 STRENGTH], STRENGTH above 0")
	}
	return o, nil
}

func run(o options, stderr io.Writer) error {
	table, err := data.ReadFile(o.data)
	if err != nil {
		return err
	}
	m, err := train.Fit(table, train.Options{L2: o.l2, Progress: stderr})
	if err != nil {
		return fmt.Errorf("fit a model to %s: %w", o.data, err)
	}
	if err := m.Save(o.out); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "wrote", filepath.Join(o.out, model.FileName))
	return nil
}
