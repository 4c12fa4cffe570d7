module github.com/seed2886b8ae/go-certauth/internal/release

go 1.26.6

require golang.org/x/mod v0.41.0

require (
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
