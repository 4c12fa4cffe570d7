package migrate

import (
	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Express replaces a hand-written check of req.get("X-ARR-ClientCert").
func Express() (*certauth.Authenticator, error) {
	return certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		// A list of fingerprints that used to be compared with ===.
		Policy: certauth.ThumbprintsFrom(certauth.Env("PARTNER_THUMBPRINTS")),
	})
}
