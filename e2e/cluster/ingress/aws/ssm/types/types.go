// Package types has the fields of the AWS Systems Manager's types that Traefik reads.
package types

// InstanceInformation describes an instance.
type InstanceInformation struct{ InstanceId, IPAddress *string }

// InstanceInformationStringFilter selects instances.
type InstanceInformationStringFilter struct {
	Key    *string
	Values []string
}
