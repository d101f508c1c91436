package arch

// unasked are the functions that take a context and ask no server, and packages of such
// functions, with what they do instead.
var unasked = map[string]string{
	"internal/adapter/anchore Scanner.ImageSBOM": "reads an image's layout",
	"internal/adapter/anchore Scanner.Import":    "reads a file",
	"internal/adapter/anchore Scanner.ModelSBOM": "reads a model's files",
	"internal/adapter/anchore Scanner.Scan":      "reads an image's layout and the database",

	"internal/adapter/aws/awstest Cloud.ClusterUser":     "is in memory",
	"internal/adapter/aws/eks clusterSigner.PresignHTTP": "signs in memory",
	"internal/adapter/aws/resources alarm.Create":        "does nothing: deployments make alarms",
	"internal/adapter/aws/resources alarm.Read":          "does nothing: deployments make alarms",
	"internal/adapter/aws/resources alarm.Update":        "does nothing: deployments make alarms",
	"internal/adapter/aws/session Open":                  "reads files and variables",

	"internal/adapter/buildkit Builder.ListUnused": "looks at a folder",
	"internal/adapter/buildkit StopWhenIdle":       "is a process of its own, which looks at files",
	"internal/adapter/buildkit blobWriter.Commit":  "writes a file",
	"internal/adapter/buildkit store.Abort":        "does nothing",
	"internal/adapter/buildkit store.Info":         "looks at a file",
	"internal/adapter/buildkit store.Writer":       "creates a file",

	"internal/adapter/ko RunBuild": "is a process of its own",

	"internal/adapter/kubernetes Target.Export":     "writes manifests",
	"internal/adapter/kubernetes Target.Render":     "reads manifests",
	"internal/adapter/kubernetes Target.Unlock":     "calls Lease.Release, or does nothing",
	"internal/adapter/kubernetes/lease Lease.Guard": "makes a context",
	"internal/adapter/kubernetes/render Render":     "reads manifests",

	"internal/adapter/process Commands.CheckBox":      "runs a box of this program, and nothing in it",
	"internal/adapter/local RunInternal":              "is a process of its own",
	"internal/adapter/local Supervise":                "is a process of its own",
	"internal/adapter/local Target.Anchor":            "reads a file",
	"internal/adapter/local Target.DryRun":            "looks at variables",
	"internal/adapter/local Target.ListUnused":        "looks at folders",
	"internal/adapter/local Target.ReplicaLogs":       "reads files",
	"internal/adapter/local Target.SetAnchor":         "writes a file",
	"internal/adapter/local supervisors.List":         "reads /proc",
	"internal/adapter/local supervisors.Stop":         "sends a signal, and waits for the process with the context",
	"internal/adapter/local/proxy Pool.Drained":       "waits for requests of users with the context",
	"internal/adapter/local/proxy Server.Close":       "waits for requests of users with the context",
	"internal/adapter/local/supervisor Dial":          "connects to a socket, as the calls of Target do",
	"internal/adapter/local/supervisor Instance.Stop": "sends a signal, and waits for the process with the context",
	"internal/adapter/local/supervisor MarkReading":   "locks a file",
	"internal/adapter/local/supervisor Run":           "is a process of its own",

	"internal/adapter/oci Registry.CheckRepository":     "calls the Control that it was made with",
	"internal/adapter/oci Registry.ToDocker":            "reads and writes files of a layout",
	"internal/adapter/oci loginKeychain.ResolveContext": "calls the Login that it was made with",

	"internal/adapter/objectfolder": "files of this machine",
	"internal/adapter/objecttest":   "for tests",

	"internal/adapter/process Jobs.Log":    "reads a file",
	"internal/adapter/process Jobs.Poll":   "reads files",
	"internal/adapter/process Jobs.Stop":   "sends signals, and waits for the processes with the context",
	"internal/adapter/process Jobs.Submit": "starts a process",

	"internal/adapter/sigstore ephemeral.GetCertificate": "returns what it has",
	"internal/adapter/sigstore key.SignData":             "computes a signature",
	"internal/adapter/sigstore keySigner.Identity":       "returns what it has",
	"internal/adapter/sigstore keySigner.OwnStatement":   "verifies a signature",
	"internal/adapter/sigstore keySigner.Sign":           "computes a signature",
}
