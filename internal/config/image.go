package config

func (d *decoder) validateImage(i Image) {
	d.matchPattern("image.repository", i.Repository, repositoryPattern, "a repository such as mlops/retail-api or registry.example.com/retail-api, without a tag")
	d.validateGlobs("image.build.inputs", i.Build.Inputs)
}
