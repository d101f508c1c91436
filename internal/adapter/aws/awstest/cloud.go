// Package awstest is an AWS for tests, in this process and on loopback. Every request
// is decoded and checked by AWS's own models (package model), its signature by the
// SDK's own signer, and its response by the model again. What a service remembers, and
// what it refuses beyond its model, is in a file of that service; an operation that
// none implements is answered as one that AWS does not have.
package awstest

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// Account and Region are where everything is, unless a Config says otherwise.
const (
	Account = "111122223333"
	Region  = "ap-southeast-1"
)

// Config configures a Cloud. The zero value is valid.
type Config struct {
	Account string           // twelve digits
	Region  string           // the only one
	Clock   func() time.Time // AWS's, by default this machine's

	// MetricsClock is CloudWatch's, by default Clock: with one of its own, hours of alarms
	// take a moment, and signatures stay valid.
	MetricsClock func() time.Time
	Jobs         func() time.Time // by which jobs live, by default Clock: signatures need the real time
}

// Cloud is the state of one account in one region. It is safe for concurrent use.
type Cloud struct {
	Account, Region string

	clock    func() time.Time
	metered  func() time.Time // CloudWatch's clock
	jobClock func() time.Time
	services map[string]*model.Service
	handlers map[string]map[string]handler // by service and operation

	mu         sync.Mutex
	principals map[string]Principal // by access key
	calls      []Record
	fault      func(*Call) Fault
	identities map[string]identity // those with policies, by "user/NAME" and "role/NAME"
	judgements []Judgement
	needs      map[string]func(*Call) ([]Access, bool) // by service; false: by the operation's name
	serial     int

	iam      iam
	tags     map[string]map[string]string // by ARN and key
	clusters map[string]*Cluster
	entries  map[string]*entry // of access, by cluster and principal

	associations  map[string]*association // of Pod Identity, by ID
	entryDelay    time.Duration
	serviceQuotas []Quota

	topics    map[string]*Topic
	repos     map[string]*Repository
	images    http.Handler          // the data plane of ECR
	passwords map[string]imageLogin // of the data plane
	scanner   func(repository string, image Image) *Scan
	onPush    *Repository // settings of the repositories that pushing makes; nil: it makes none
	ml        sagemakerState
	buckets   map[string]*Bucket
	taken     map[string]bool // names of buckets that others have
	logGroups map[string]*LogGroup
	metrics   metrics // of CloudWatch
	buses     buses
	jobs      map[string]*Job // of SageMaker, by kind and name
	life      func(Job) Life
	container Container
	missing   map[string]bool // instance types without capacity
	quotas    map[string]int  // by instance type
	denied    map[string]bool // actions
}

// handler carries an operation out, with c.mu held. What it returns is encoded as the
// operation's output; an Error is sent as such.
type handler func(*Call) (any, error)

// New makes an empty account.
func New(config Config) (*Cloud, error) {
	services, err := model.Load()
	if err != nil {
		return nil, err
	}
	c := &Cloud{
		Account: config.Account, Region: config.Region, clock: config.Clock, jobClock: config.Jobs, services: services,
		principals: map[string]Principal{}, tags: map[string]map[string]string{}, clusters: map[string]*Cluster{}, topics: map[string]*Topic{}, repos: map[string]*Repository{}, passwords: map[string]imageLogin{}, identities: map[string]identity{},
		entries: map[string]*entry{}, associations: map[string]*association{}, serviceQuotas: newQuotas(), taken: map[string]bool{},
		buckets: map[string]*Bucket{}, logGroups: map[string]*LogGroup{},
		metrics: metrics{alarms: map[string]*alarm{}, datapoints: map[string][]datapoint{}}, buses: buses{events: map[string][]Event{}},
		jobs: map[string]*Job{}, missing: map[string]bool{}, quotas: map[string]int{}, denied: map[string]bool{},
	}
	if c.Account == "" {
		c.Account = Account
	}
	if c.Region == "" {
		c.Region = Region
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.metered = config.MetricsClock; c.metered == nil {
		c.metered = c.clock
	}
	if c.jobClock == nil {
		c.jobClock = c.clock
	}
	c.ml = newSagemakerState()
	c.newIAM()
	c.handlers = map[string]map[string]handler{
		"sts": c.sts(), "iam": c.iamHandlers(), "ecr": c.ecr(), "eks": c.eks(), "sns": c.sns(),
		"sagemaker":                c.sagemaker(),
		"s3":                       c.s3(),
		"logs":                     c.logs(),
		"cloudwatch":               c.cloudwatch(),
		"events":                   c.events(),
		"resourcegroupstaggingapi": c.tagging(), "service-quotas": c.quotaHandlers(),
	}
	c.needs = map[string]func(*Call) ([]Access, bool){
		"sts": c.stsNeeds, "iam": c.iamNeeds, "ecr": c.ecrNeeds, "eks": c.eksNeeds, "sns": c.snsNeeds, "s3": c.s3Needs, "logs": c.logsNeeds, "sagemaker": c.sagemakerNeeds, "cloudwatch": c.cloudwatchNeeds, "events": c.eventsNeeds, "resourcegroupstaggingapi": c.taggingNeeds, "service-quotas": c.quotaNeeds,
	}
	for service, operations := range c.handlers {
		for name := range operations {
			if _, ok := services[service].Operations[name]; !ok {
				return nil, fmt.Errorf("awstest: the model of %s has no operation %s: add it to operations.txt", service, name)
			}
		}
	}
	return c, nil
}

// Enum returns the values that AWS's model has for a shape.
func (c *Cloud) Enum(service, shape string) []string { return c.services[service].Shapes[shape].Enum }

// Call is one request, decoded and checked.
type Call struct {
	Service   *model.Service
	Operation model.Operation
	Input     map[string]any // as JSON would be, with json.Number
	Principal Principal      // of the signature; empty where none is needed
	Region    string
	Request   *http.Request
	Body      []byte // of an object of S3, decoded

	checksums map[string]string // of Body, by header
}

// Record is what a Cloud remembers of a call.
type Record struct {
	Service, Operation string
	Input              map[string]any
	Principal          string // its ARN
	Error              string // the code that was sent
	Invalid            string // what AWS's model refuses of the input
}

// Calls returns what was called so far.
func (c *Cloud) Calls() []Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Count returns how often the operation was called with success.
func (c *Cloud) Count(service, operation string) (n int) {
	for _, call := range c.Calls() {
		if call.Service == service && call.Operation == operation && call.Error == "" {
			n++
		}
	}
	return n
}

// Fault is what goes wrong with a call.
type Fault int

// The faults that AWS and networks have.
const (
	NoFault      Fault = iota
	Throttled          // ThrottlingException, nothing is done
	Unavailable        // HTTP 503, nothing is done
	Denied             // AccessDenied, nothing is done
	ResponseLost       // the work is done, and the connection breaks
)

// Inject makes f decide about each call that is otherwise in order; nil ends it.
func (c *Cloud) Inject(f func(*Call) Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

// answer carries a call out and records it.
func (c *Cloud) answer(call *Call) (out any, fault Fault, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	record := Record{Service: call.Service.Name, Operation: call.Operation.Name, Input: call.Input, Principal: call.Principal.ARN}
	defer func() {
		if err != nil {
			record.Error = errorOf(err).Code
		}
		c.calls = append(c.calls, record)
	}()
	if c.fault != nil {
		fault = c.fault(call)
	}
	switch fault {
	case Throttled:
		return nil, fault, &Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: http.StatusBadRequest}
	case Denied:
		action := fmt.Sprintf("User: %s is not authorized to perform: %s:%s", call.Principal.ARN, call.Service.SigningName(), call.Operation.Name)
		return nil, fault, &Error{Code: "AccessDenied", Message: action, Status: http.StatusForbidden}
	case Unavailable:
		return nil, fault, &Error{Code: "ServiceUnavailable", Message: "try again", Status: http.StatusServiceUnavailable}
	}
	if call.Principal.ARN != "" {
		if err = c.authorizeCall(call); err != nil {
			return nil, fault, err
		}
		if err = c.authorizeBucket(call); err != nil {
			return nil, fault, err
		}
	}
	h := c.handlers[call.Service.Name][call.Operation.Name]
	if h == nil {
		return nil, fault, &Error{Code: "UnknownOperationException", Message: "awstest has no " + call.Service.Name + "." + call.Operation.Name, Status: http.StatusNotFound}
	}
	out, err = h(call)
	return out, fault, err
}

// next returns a number that was not returned before.
func (c *Cloud) next() int {
	c.serial++
	return c.serial
}

// arn makes the ARN of a resource in the account and region.
func (c *Cloud) arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, c.Region, c.Account, resource)
}
