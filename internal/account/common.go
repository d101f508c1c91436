package account

// What every resource of a kind has, whoever makes it: `slipway aws apply`, or the tool
// that an export is for.

// InlinePolicy is the name of a role's one inline policy.
const InlinePolicy = "slipway"

// UntaggedRule describes the one rule of a repository's lifecycle, for people.
const UntaggedRule = "untagged images; those of releases have tags"

// TLSOnly is the statement by which a bucket refuses requests without TLS.
func TLSOnly(bucketARN string) Statement {
	return Statement{
		Sid: "SlipwayTLSOnly", Deny: true, Principals: Principals{"AWS": {"*"}}, Actions: []string{"s3:*"},
		Resources: []string{bucketARN, bucketARN + "/*"}, Conditions: Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
	}
}
