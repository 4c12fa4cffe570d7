module github.com/seed2886b8ae/go-certauth/examples/chi

go 1.26.6

require (
	github.com/go-chi/chi/v5 v5.5.0
	github.com/seed2886b8ae/go-certauth v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.59.0 // indirect
)

replace github.com/seed2886b8ae/go-certauth => ../..
