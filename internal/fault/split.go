package fault

// Split returns the errors that err joins, however deep, or err alone; none for nil.
func Split(err error) (all []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		all = append(all, Split(one)...)
	}
	return all
}
