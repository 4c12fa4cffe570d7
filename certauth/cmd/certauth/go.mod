module github.com/seed2886b8ae/go-certauth/certauth/cmd/certauth

go 1.26.6

require (
	github.com/owenrumney/go-sarif/v3 v3.3.1
	github.com/seed2886b8ae/go-certauth v0.0.0
	github.com/seed2886b8ae/go-certauth/certauth/policyfile v0.0.0
	github.com/stretchr/testify v1.12.1
	software.sslmate.com/src/go-pkcs12 v0.7.4
)

replace github.com/seed2886b8ae/go-certauth => ../../..

replace github.com/seed2886b8ae/go-certauth/certauth/policyfile => ../../policyfile
