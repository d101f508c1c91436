package app

// folderIdentity tells a folder from all others of this machine: by its path alone.
func folderIdentity(string) string { return "" }
