// Command main plans with the extensions that the test added.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
)

// output is what the test reads.
type output struct {
	Plan      plan.Plan `json:"plan"`
	Schema    string    `json:"schema"`
	Notifier  string    `json:"notifier"`
	HasStep   bool      `json:"has_step"`
	HasTarget bool      `json:"has_target"`
	Mistakes  []string  `json:"mistakes"`
}

func main() {
	kinds := catalog.Default()
	must(kinds.Validate())
	file, err := os.ReadFile(os.Args[1])
	must(err)
	project, err := config.Parse(config.FileName, file, os.LookupEnv, kinds)
	must(err)
	var out output
	out.Plan, err = plan.New(project, plan.Trigger{Environment: "prod", By: "test"}, plan.Facts{
		Run:    "20261124-120000-abcd",
		Commit: delivery.Commit{SHA: strings.Repeat("1", 40), Tree: strings.Repeat("2", 40)},
	})
	must(err)
	must(plan.Validate(out.Plan, kinds.StepKinds()))
	schema, err := config.Schema(kinds)
	must(err)
	out.Schema = string(schema)
	kind, err := kinds.Notifier(project.Notify[0].Kind)
	must(err)
	notifier, err := kind.New(project.Notify[0].Section, os.LookupEnv, time.Now)
	must(err)
	out.Notifier = notifier.Name()
	deps, err := catalog.NewFactory("test")(context.Background(), app.Workspace{Repository: os.Args[2], Home: os.Args[2], Project: "retail"})
	must(err)
	_, out.HasStep = deps.Steps["drift"]
	_, out.HasTarget = deps.Targets["shelf"]
	must(deps.Close())
	for _, wrong := range os.Args[3:] {
		_, err := config.Parse(config.FileName, []byte(strings.Replace(string(file), "{pager: +1-555-0100, token: \"${TOKEN}\"}", wrong, 1)), os.LookupEnv, kinds)
		out.Mistakes = append(out.Mistakes, fmt.Sprint(err))
	}
	must(json.NewEncoder(os.Stdout).Encode(out))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
