module github.com/seed2886b8ae/go-certauth/certauth/cmd/certauth

go 1.26.6

require (
	github.com/owenrumney/go-sarif/v3 v3.3.1
	github.com/seed2886b8ae/go-certauth v0.0.0
	github.com/seed2886b8ae/go-certauth/certauth/policyfile v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/crypto v0.59.0
	software.sslmate.com/src/go-pkcs12 v0.7.4
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/xeipuuv/gojsonpointer v0.0.0-20180127040702-4e3ac2762d5f // indirect
	github.com/xeipuuv/gojsonreference v0.0.0-20180127040603-bd5ef7bd5415 // indirect
	github.com/xeipuuv/gojsonschema v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/seed2886b8ae/go-certauth => ../../..

replace github.com/seed2886b8ae/go-certauth/certauth/policyfile => ../../policyfile
