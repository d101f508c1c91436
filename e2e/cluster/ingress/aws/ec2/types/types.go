// Package types has the fields of Amazon EC2's types that Traefik reads.
package types

// InstanceStateName is the state of an instance.
type InstanceStateName string

// InstanceStateNameRunning is the state of an instance that runs.
const InstanceStateNameRunning InstanceStateName = "running"

// Instance is a virtual machine.
type Instance struct {
	InstanceId, PrivateIpAddress *string
	State                        *InstanceState
}

// InstanceState is the state of an instance.
type InstanceState struct{ Name InstanceStateName }

// Reservation is a group of instances.
type Reservation struct{ Instances []Instance }
