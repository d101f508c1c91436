// Command evaluate measures a model on the held-out baskets of a data file and
// writes metrics.json: see package evaluate.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"example.com/retail/internal/atomicfile"
	"example.com/retail/internal/data"
	"example.com/retail/internal/evaluate"
	"example.com/retail/internal/model"
)

type options struct{ data, model, out string }

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "evaluate:", err)
		os.Exit(2)
	}
	if err := run(o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "evaluate:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("evaluate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.data, "data", "", "`file` of till rows, CSV with dunnhumby's 22 columns")
	flags.StringVar(&o.model, "model", "", "`folder` that holds model.json")
	flags.StringVar(&o.out, "out", "", "`file` to write the metrics to")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.data == "" || o.model == "" || o.out == "" || flags.NArg() > 0 {
		return o, errors.New("usage: evaluate -data FILE -model DIR -out FILE")
	}
	return o, nil
}

func run(o options, stderr io.Writer) error {
	m, err := model.Load(o.model)
	if err != nil {
		return err
	}
	table, err := data.ReadFile(o.data)
	if err != nil {
		return err
	}
	metrics := evaluate.Measure(m, table)
	text, err := json.MarshalIndent(metrics, "", "  ")
	if err != nil {
		return fmt.Errorf("encode metrics: %w", err)
	}
	if err := atomicfile.Write(o.out, append(text, '\n')); err != nil {
		return err
	}
	if metrics.Rows == 0 {
		fmt.Fprintf(stderr, "nothing measured: no basket of %s is held out, so accuracy is null\n", o.data)
	} else {
		fmt.Fprintf(stderr, "accuracy %.4f, macro F1 %.4f on %d held-out rows of %d baskets (always the commonest class: %.4f)\n",
			*metrics.Accuracy, *metrics.F1Macro, metrics.Rows, metrics.Baskets, *metrics.MajorityAccuracy)
	}
	fmt.Fprintln(stderr, "wrote", o.out)
	return nil
}
