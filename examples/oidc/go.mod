module github.com/seed2886b8ae/go-certauth/examples/oidc

go 1.26.6

require (
	github.com/coreos/go-oidc/v3 v3.21.0
	github.com/seed2886b8ae/go-certauth v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/go-jose/go-jose/v4 v4.1.4 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.59.0 // indirect
	golang.org/x/oauth2 v0.36.0 // indirect
)

replace github.com/seed2886b8ae/go-certauth => ../..
