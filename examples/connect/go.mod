module github.com/seed2886b8ae/go-certauth/examples/connect

go 1.26.6

replace github.com/seed2886b8ae/go-certauth => ../..

require (
	connectrpc.com/connect v1.21.1
	github.com/seed2886b8ae/go-certauth v0.0.0
	github.com/stretchr/testify v1.12.1
	google.golang.org/protobuf v1.36.12
)

require (
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.59.0 // indirect
)
