package render

// loader reads objects from files, folders, kustomizations and charts.
type loader struct {
	source   *sourceFS
	service  string
	values   []string // values files, for charts
	sawChart bool     // whether any path was a chart
	notes    []string
}
