package delivery

// Strategy is how a release takes over from the one before.
type Strategy string

// The strategies.
const (
	Rolling   Strategy = "rolling"    // replica by replica
	BlueGreen Strategy = "blue_green" // all at once; the one before stays until the release is accepted
	Canary    Strategy = "canary"     // step by step, each judged against the one before
)

// ModelDelivery is how a model comes into a pod.
type ModelDelivery string

// The ways.
const (
	DeliverByInit   ModelDelivery = "init"   // an init container copies it from an image
	DeliverByVolume ModelDelivery = "volume" // the image is a volume (Kubernetes 1.33 and newer, with a runtime that can)
	DeliverByEnv    ModelDelivery = "env"    // only variables: the service loads it itself
)
