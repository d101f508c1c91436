// Package types has the fields of Amazon ECS's types that Traefik reads.
package types

// What strings mean in an API that is not called here.
type (
	DesiredStatus     string
	HealthStatus      string
	NetworkMode       string
	TransportProtocol string
)

// Their values.
const (
	DesiredStatusRunning  DesiredStatus     = "RUNNING"
	HealthStatusHealthy   HealthStatus      = "HEALTHY"
	HealthStatusUnhealthy HealthStatus      = "UNHEALTHY"
	NetworkModeAwsvpc     NetworkMode       = "awsvpc"
	TransportProtocolTcp  TransportProtocol = "tcp"
)

// Task is a set of containers that run.
type Task struct {
	TaskArn, TaskDefinitionArn, ContainerInstanceArn, Group, LastStatus *string

	HealthStatus HealthStatus
	Containers   []Container
	Attachments  []struct{}
}

// Container is a container of a task.
type Container struct {
	Name              *string
	NetworkInterfaces []NetworkInterface
	NetworkBindings   []PortMapping
}

// NetworkInterface has the addresses of a container.
type NetworkInterface struct{ PrivateIpv4Address, Ipv6Address *string }

// PortMapping is a port of a container.
type PortMapping struct {
	HostPort, ContainerPort *int32
	Protocol                TransportProtocol
}

// TaskDefinition is what a task is made from.
type TaskDefinition struct {
	NetworkMode          NetworkMode
	ContainerDefinitions []ContainerDefinition
}

// ContainerDefinition is what a container is made from.
type ContainerDefinition struct {
	Name         *string
	DockerLabels map[string]string
	PortMappings []PortMapping
}

// ContainerInstance is a machine for tasks.
type ContainerInstance struct{ ContainerInstanceArn, Ec2InstanceId *string }
