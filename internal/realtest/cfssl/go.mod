module github.com/seed2886b8ae/go-certauth/internal/realtest/cfssl

go 1.26.6

require github.com/cloudflare/cfssl v1.6.5

require (
	github.com/google/certificate-transparency-go v1.1.7 // indirect
	github.com/jmhodges/clock v1.2.0 // indirect
	github.com/jmoiron/sqlx v1.3.5 // indirect
	github.com/kisielk/sqlstruct v0.0.0-20201105191214-5f3e10d3ab46 // indirect
	golang.org/x/crypto v0.59.0 // indirect
)
