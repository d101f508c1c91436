package extension

import "github.com/slipway-cd/slipway/internal/port"

// Target is a kind of place to deploy to: target: {KIND: {section}}. The section,
// as JSON, becomes the delivery.Location in plans, which only the target reads.
type Target struct {
	Kind        Kind
	Description string // for the JSON Schema
	Example     string // for hints: "local: {}"
	Section     Section
	// Port returns the stable port of the service that the section asks for; nil
	// when it has none.
	Port      func(section any) int
	Abilities Abilities
	OnMachine bool // what it deploys is on the machine that deploys, and reached from there only
	// New connects to nothing yet. A target in more than one location is a
	// port.Locator; one that holds resources is an io.Closer.
	New      func(h Host) (port.Target, error)
	Commands []Command
}

// Abilities are the parts of slipway.yaml that a target reads beyond its own
// section. A part that no environment's target reads is refused.
type Abilities struct {
	Manifests   bool // deploy.manifests and deploy.values: it is a port.Renderer
	Strategies  bool // deploy.strategy other than its only one
	Canary      bool // deploy.canary: it is a port.TrafficSplitter
	ModelImages bool // model.deliver: it can run the model from an image
	Variables   bool // ${NAME} in deploy.env: it takes the value from Slipway's environment
}
