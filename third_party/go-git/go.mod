module github.com/go-git/go-git/v5

go 1.26.3

require github.com/go-git/go-billy/v5 v5.9.2
