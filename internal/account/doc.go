// Package account is what a project needs in an account of AWS: roles whose trust and
// rights are exactly those that its pipeline uses, and the resources that they name. It
// decides; packages below internal/adapter/aws read and change the account.
package account
